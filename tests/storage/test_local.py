"""The local adapter: the contract, its own promises, and a model that it may not disagree with."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hutch.storage import faults
from hutch.storage.errors import BlobNotFound, KeyConflict, SizeMismatch
from hutch.storage.local import LocalBlobStore
from hutch.storage.port import BlobStore, LocalFile, Staged
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below
from tests.storage.contract import BlobStoreContract, keys, read_all

Stage = Callable[[bytes], Staged]


@pytest.fixture
def store(tmp_path: Path) -> LocalBlobStore:
    return LocalBlobStore(tmp_path / "blobs")


class TestLocalBlobStore(BlobStoreContract):
    pass


def test_the_adapter_has_the_shape_of_the_port(store: LocalBlobStore) -> None:
    port: BlobStore = store
    verbs = {name for name in vars(BlobStore) if not name.startswith("_")}
    assert verbs == {"put", "open", "stat", "delete", "list", "locate"}
    assert all(callable(getattr(port, verb)) for verb in verbs)


def test_a_blob_is_the_file_of_its_key(store: LocalBlobStore, stage: Stage) -> None:
    store.put("lfs/ab/cd/x", stage(b"plain"))
    assert store.locate("lfs/ab/cd/x") == LocalFile(store.root / "lfs/ab/cd/x")
    assert (store.root / "lfs/ab/cd/x").read_bytes() == b"plain"


def test_the_order_is_sync_rename_sync_folder_and_only_then_the_answer(
    store: LocalBlobStore, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    fsync = os.fsync

    def spy(fd: int) -> None:
        steps.append(("sync", Path(f"/proc/self/fd/{fd}").readlink().name))
        fsync(fd)

    staged = stage(b"durable")
    monkeypatch.setattr(os, "fsync", spy)
    faults.arm("storage.before_rename", lambda: steps.append(("before", "rename")))
    faults.arm("storage.after_rename", lambda: steps.append(("after", "rename")))
    faults.arm("storage.after_put", lambda: steps.append(("after", "put")))
    store.put("lfs/ab/k", staged)
    assert steps == [
        ("sync", "lfs"),
        ("sync", "blobs"),
        ("sync", staged.path.name),
        ("before", "rename"),
        ("after", "rename"),
        ("sync", "ab"),
        ("after", "put"),
    ]


def test_a_blob_that_another_put_renamed_a_moment_ago_is_synced_before_the_answer(
    store: LocalBlobStore, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    first, second = stage(b"x"), stage(b"x")
    faults.arm("storage.after_rename", die)
    with pytest.raises(KeyboardInterrupt):
        store.put("folder/k", first)
    faults.disarm("storage.after_rename")
    synced: list[str] = []
    fsync = os.fsync

    def spy(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    store.put("folder/k", second)
    assert synced[-1] == "folder"


def test_a_failed_sync_leaves_no_blob(
    store: LocalBlobStore, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = stage(b"x")
    store.put("folder/other", stage(b"y"))

    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        store.put("folder/k", staged)
    assert keys(store) == ["folder/other"]


def test_a_staged_file_that_changed_behind_our_back_is_refused(store: LocalBlobStore, stage: Stage) -> None:
    staged = stage(b"as promised")
    with staged.path.open("ab") as file:
        file.write(b"!")
    with pytest.raises(SizeMismatch) as refused:
        store.put("k", staged)
    assert (refused.value.expected, refused.value.received) == (11, 12)
    assert keys(store) == []


def test_a_key_below_or_above_another_is_refused_and_harms_nothing(
    store: LocalBlobStore, stage: Stage
) -> None:
    store.put("a/b", stage(b"first"))
    below, above = stage(b"x"), stage(b"y")
    with pytest.raises(KeyConflict):
        store.put("a/b/c", below)
    with pytest.raises(KeyConflict):
        store.put("a", above)
    assert read_all(store, "a/b") == b"first"
    assert below.path.exists()
    assert above.path.exists()


def test_names_come_and_go_under_the_lock_of_their_folder(
    store: LocalBlobStore, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: list[str] = []
    rename, unlink = Path.rename, Path.unlink

    def note(name: str, folder: Path) -> None:
        fd = os.open(folder, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(fd)
        locked.append(name)

    def spied_rename(path: Path, target: Path) -> Path:
        note("rename", target.parent)
        return rename(path, target)

    def spied_unlink(path: Path, missing_ok: bool = False) -> None:
        if path.is_relative_to(store.root):
            note("unlink", path.parent)
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "rename", spied_rename)
    monkeypatch.setattr(Path, "unlink", spied_unlink)
    store.put("folder/k", stage(b"x"))
    store.delete("folder/k")
    assert locked == ["rename", "unlink"]


def test_staging_on_another_file_system_is_named(store: LocalBlobStore) -> None:
    if os.stat("/dev/shm").st_dev == os.stat(store.root).st_dev:
        pytest.skip("there is no second file system here")
    elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
    staging = Staging(elsewhere)
    try:
        with staging.create() as upload:
            upload.write(b"x")
            staged = upload.finish()
        with pytest.raises(OSError, match="must share a file system"):
            store.put("k", staged)
    finally:
        staging.close()
        shutil.rmtree(elsewhere)


def test_an_unknown_fault_point_cannot_be_armed() -> None:
    with pytest.raises(ValueError, match="no fault point"):
        faults.arm("storage.after_renam", lambda: None)
    faults.declare("tests.own")
    faults.arm("tests.own", lambda: None)


KEYS = st.sampled_from(
    [f"{shelf}/{name}" for shelf in ("lfs/00", "lfs/01", "lfs-x", "b") for name in "ab_-.0"[:3]]
)
CONTENTS = st.binary(max_size=40)


class StoreAgainstDict(RuleBasedStateMachine):
    """Whatever is put, deleted, listed and reopened, the folder holds what a dict would."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="hutch-store-"))
        self.staging = Staging(self.root / "staging")
        self.store = LocalBlobStore(self.root / "blobs")
        self.model: dict[str, bytes] = {}

    @rule(key=KEYS, content=CONTENTS)
    def put(self, key: str, content: bytes) -> None:
        with self.staging.create(len(content)) as upload:
            upload.write(content)
            self.store.put(key, upload.finish())
        if len(self.model.get(key, b"")) != len(content) or key not in self.model:
            self.model[key] = content

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        assert self.store.delete(key) is (self.model.pop(key, None) is not None)

    @rule(key=KEYS, start=st.integers(0, 40), length=st.integers(0, 40))
    def read(self, key: str, start: int, length: int) -> None:
        content = self.model.get(key)
        if content is None:
            with pytest.raises(BlobNotFound):
                self.store.open(key)
        elif start + length <= len(content):
            assert read_all(self.store, key, start, start + length) == content[start : start + length]

    @rule(prefix=st.sampled_from(["", "l", "lfs", "lfs/", "lfs/0", "lfs/01/b", "b/", "x"]), after=KEYS)
    def page(self, prefix: str, after: str) -> None:
        wanted = sorted(key for key in self.model if key.startswith(prefix) and key > after)
        assert keys(self.store, prefix, after) == wanted

    @rule()
    def restart(self) -> None:
        self.store = LocalBlobStore(self.root / "blobs")

    @invariant()
    def they_agree(self) -> None:
        assert {blob.key: blob.size for blob in self.store.list()} == {
            k: len(v) for k, v in self.model.items()
        }
        assert all(read_all(self.store, key) == content for key, content in self.model.items())
        assert files_below(self.staging.root) == []

    def teardown(self) -> None:
        self.staging.close()
        shutil.rmtree(self.root)


StoreAgainstDict.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
TestStoreAgainstDict = StoreAgainstDict.TestCase
