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


def test_a_part_is_acknowledged_after_its_bytes_and_its_name_are_synced(
    staging: Staging, synced: list[str]
) -> None:
    parts = Parts(staging, "upload", 2, 1)
    with parts.begin(1) as file:
        file.write(b"x")
        assert synced == ["uploads", "staging", "upload"]
        synced.clear()
        file.finish()
    assert synced == ["whole", "upload"]


def test_a_part_begun_again_is_forgotten_for_good_first(staging: Staging, synced: list[str]) -> None:
    parts = Parts(staging, "upload", 2, 1)
    with parts.begin(1) as file:
        file.write(b"x")
        file.finish()
    synced.clear()
    parts.begin(1).abort()
    assert synced == ["uploads", "staging", "upload"]


def test_a_sealed_upload_is_synced(staging: Staging, synced: list[str]) -> None:
    parts = Parts(staging, "upload", 1, 1)
    with parts.begin(1) as file:
        file.write(b"x")
        file.finish()
    synced.clear()
    parts.seal().close()
    assert synced == ["uploads", "staging", "whole", "sealed.new", "upload"]


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
    assert synced == ["tail", "tail", "tail", "sealed.new", "upload"]


def test_a_folder_lock_has_one_holder(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    with disk.folder_lock(tmp_path), pytest.raises(BlockingIOError):
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(fd)
