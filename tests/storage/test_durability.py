"""Which syncs come before which answer: a killed process cannot show what a power cut would take."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hutch.storage import disk
from hutch.storage.parts import Parts
from hutch.storage.port import Staged
from hutch.storage.resumable import Resumable
from hutch.storage.staging import Staging

Stage = Callable[[bytes], Staged]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of what was synced, in order; the syncs happen."""
    names: list[str] = []
    fsync = os.fsync

    def spy(fd: int) -> None:
        names.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    return names


def test_a_finished_upload_is_synced(staging: Staging, synced: list[str]) -> None:
    with staging.create() as upload:
        upload.write(b"x")
        staged = upload.finish()
    assert synced == [staged.path.name]


def test_a_refused_upload_costs_no_sync(staging: Staging, synced: list[str]) -> None:
    with staging.create() as upload, pytest.raises(Exception, match="Expected 2 bytes"):
        upload.write(b"x")
        upload.finish(2)
    assert synced == []


def test_a_part_is_acknowledged_after_its_name_is_synced(
    staging: Staging, stage: Stage, synced: list[str]
) -> None:
    staged = stage(b"x")
    Parts(staging, "upload").put(1, staged)
    assert synced == [staged.path.name, "uploads", "staging", "upload"]


def test_joined_parts_are_synced(staging: Staging, stage: Stage, synced: list[str]) -> None:
    parts = Parts(staging, "upload")
    parts.put(1, stage(b"x"))
    synced.clear()
    staged = parts.assemble()
    assert synced == [staged.path.name]


def test_a_part_sent_again_is_younger_than_the_one_before(staging: Staging, stage: Stage) -> None:
    parts = Parts(staging, "upload")
    second = stage(b"second")
    os.utime(second.path, (1, 1))
    parts.put(1, stage(b"first"))
    parts.put(1, second)
    (left,) = staging.upload_folder("upload").iterdir()
    assert left.stat().st_mtime > 1


def test_an_appended_piece_is_synced_before_the_new_offset_is_told(
    staging: Staging, synced: list[str]
) -> None:
    upload = Resumable(staging, "upload")
    with upload.append_at(0) as append:
        append.write(b"x")
        assert synced == ["uploads", "staging", "upload"]
        synced.clear()
        assert append.close() == 1
    assert synced == ["tail"]
    assert upload.offset() == 1
    assert synced == ["tail", "tail"]
    upload.finish(1, hashlib.sha256(b"x").hexdigest())
    assert synced == ["tail", "tail", "tail"]


def test_a_folder_lock_has_one_holder(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    with disk.folder_lock(tmp_path), pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
