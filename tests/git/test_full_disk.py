"""A disk that is really full, where we may mount a small one."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from hutch.core.errors import InsufficientStorage
from hutch.git import check, commits, process, refs, repository
from hutch.git.commits import ObjectBatch, Put
from hutch.git.quarantine import Quarantine
from tests.git.conftest import WHO

DISK_BYTES = 4 << 20


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Path]:
    """A repository with one commit on a disk of 4 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small disk")
    path = disk / "repo.git"
    repository.create(path)
    _commit(path, {"a": b"1"})
    yield path
    subprocess.run(["umount", "-l", str(disk)], check=True)


def _commit(path: Path, files: dict[str, bytes]) -> str:
    repo = repository.open(path)
    old = refs.read_ref(repo, "refs/heads/main")
    with ObjectBatch(repo) as batch:
        tree = commits.build_tree(repo, old, [Put(name, data) for name, data in files.items()], batch=batch)
        new = commits.commit(repo, tree, [old] if old else [], "x", WHO, batch=batch)
        batch.store()
    refs.update(path, [refs.RefUpdate("refs/heads/main", old, new)])
    return new


@pytest.mark.parametrize("files", [1, 100])
def test_a_commit_on_a_full_disk_is_refused_and_leaves_no_draft(bare: Path, files: int) -> None:
    before = refs.read_ref(repository.open(bare), "refs/heads/main")
    with pytest.raises(InsufficientStorage):
        _commit(bare, {f"f{number}": os.urandom((6 << 20) // files) for number in range(files)})
    assert not list((bare / "objects" / "pack").iterdir())
    assert refs.read_ref(repository.open(bare), "refs/heads/main") == before
    assert check.fsck(bare) == []
    assert _commit(bare, {"small": b"fits"})


def test_a_ref_on_a_full_disk_is_not_said_to_have_moved(bare: Path) -> None:
    head = refs.read_ref(repository.open(bare), "refs/heads/main")
    with (bare / "filler").open("wb", buffering=0) as out, suppress(OSError):
        while out.write(bytes(4096)):
            pass
    with pytest.raises(InsufficientStorage):
        refs.update(bare, [refs.RefUpdate("refs/heads/new/folder/x", None, head)])
    (bare / "filler").unlink()
    refs.update(bare, [refs.RefUpdate("refs/heads/new/folder/x", None, head)])


def test_a_blob_on_a_full_disk_is_refused(bare: Path) -> None:
    for source in (os.urandom(5 << 20), io.BytesIO(os.urandom(5 << 20))):
        with pytest.raises(InsufficientStorage):
            commits.write_blob(repository.open(bare), source)
    assert _commit(bare, {"small": b"fits"})


def test_a_push_on_a_full_disk_is_refused_and_leaves_nothing(bare: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.git"
    repository.create(source)
    head = _commit(source, {"big": os.urandom(6 << 20)})
    pack = process.run(source, ["pack-objects", "--revs", "--stdout", "-q"], stdin=f"{head}\n".encode())
    with pytest.raises(InsufficientStorage), Quarantine(bare) as quarantine:
        quarantine.unpack(io.BytesIO(pack))
    assert not list((bare / "objects").glob("incoming-*"))
    assert check.fsck(bare) == []
    assert _commit(bare, {"small": b"fits"})
