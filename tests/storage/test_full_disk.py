"""A disk that is really full: a small tmpfs where we may mount one, else the process's own limit of a file's size."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hutch.core.errors import InsufficientStorage
from hutch.storage.local import LocalBlobStore
from hutch.storage.parts import Parts
from hutch.storage.resumable import Resumable
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below
from tests.storage.contract import keys, read_all

DISK_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def file_limit() -> Iterator[int]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
    yield 2 << 20
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_refuses_the_upload_and_keeps_every_blob(small_disk: Path) -> None:
    staging = Staging(small_disk / "staging", reserve_bytes=0)
    store = LocalBlobStore(small_disk / "blobs")
    kept = os.urandom(3 << 20)
    with staging.create(len(kept)) as upload:
        upload.write(kept)
        store.put("lfs/kept", upload.finish())
    with pytest.raises(InsufficientStorage, match="No space left"), staging.create() as upload:
        for _ in range(10):
            upload.write(os.urandom(1 << 20))
        upload.finish()
    assert files_below(staging.root) == []
    with pytest.raises(InsufficientStorage, match="do not fit"):
        staging.create(6 << 20)
    assert keys(store) == ["lfs/kept"]
    assert read_all(store, "lfs/kept") == kept
    with staging.create(4 << 20) as upload:
        upload.write(bytes(4 << 20))
        assert store.put("lfs/fits", upload.finish()).size == 4 << 20
    staging.close()


def test_a_part_that_does_not_fit_leaves_the_others_and_a_resumed_upload_keeps_what_fitted(
    small_disk: Path,
) -> None:
    staging = Staging(small_disk / "staging", reserve_bytes=0)
    parts = Parts(staging, "p", 9 << 20, 5 << 19)
    for number in (1, 3):
        with parts.begin(number) as file:
            file.write(os.urandom(5 << 19))
            file.finish()
    blocker = small_disk / "blocker"
    with parts.begin(2) as file:
        blocker.write_bytes(bytes(2 << 20))
        with pytest.raises(InsufficientStorage, match="No space left"):
            file.write(os.urandom(5 << 19))
            file.finish()
    with pytest.raises(InsufficientStorage, match="do not fit"):
        parts.begin(2)
    assert [part.number for part in parts.stored()] == [1, 3]
    blocker.unlink()
    resumable = Resumable(staging, "r")
    content = os.urandom(6 << 20)
    with pytest.raises(InsufficientStorage), resumable.append_at(0) as append:
        for start in range(0, len(content), 1 << 20):
            append.write(content[start : start + (1 << 20)])
    offset = resumable.offset()
    assert 0 < offset < len(content)
    parts.discard()
    with resumable.append_at(offset) as append:
        append.write(content[offset:])
    assert resumable.finish(len(content)).path.read_bytes() == content
    staging.close()


def test_the_reserve_stops_an_upload_of_unknown_size_before_the_disk_is_full(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    staging.reserve_bytes = 0
    with staging.create() as upload:
        # Whatever the disk has, the reserve is suddenly larger: others filled it meanwhile.
        upload._reserve_bytes = 1 << 60
        with pytest.raises(InsufficientStorage, match="in reserve"):
            for _ in range(40):
                upload.write(bytes(1 << 20))
    assert files_below(staging.root) == []
    staging.close()


def test_a_limit_of_the_file_size_is_insufficient_storage_too(tmp_path: Path, file_limit: int) -> None:
    staging = Staging(tmp_path)
    with pytest.raises(InsufficientStorage), staging.create() as upload:
        for _ in range(4):
            upload.write(bytes(file_limit // 2))
        upload.finish()
    assert files_below(staging.root) == []
    staging.close()
