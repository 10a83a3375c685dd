"""Repositories' folders, made before their row and removed after it, with a marker while the two may disagree."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hutch.git.repository import fsync_folder
from hutch.repos.lookup import git_path
from hutch.repos.models import Repo
from hutch.settings import current


@contextmanager
def unsettled(storage_id: str) -> Iterator[None]:
    """Marks a folder that may be without a row inside the block; whatever ends the block, the row decides.

    A folder without a row is removed, at once or, after a crash, by `sweep`.
    """
    marker = _markers() / storage_id
    with marker.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        fsync_folder(marker.parent)
        try:
            yield
        finally:
            _settle_marked(marker)


def remove(storage_id: str) -> None:
    """Takes a folder out of its place at once and then deletes it; one that is not there is fine."""
    path = git_path(storage_id)
    trash = _folder("trash") / storage_id
    if path.exists():
        path.rename(trash)
        fsync_folder(path.parent)
    shutil.rmtree(trash, ignore_errors=True)


def sweep() -> int:
    """Removes the folders that a crash left without a row, and old trash; returns how many."""
    swept = sum(_settle(marker) for marker in list(_markers().iterdir()))
    for leftover in list(_folder("trash").iterdir()):
        shutil.rmtree(leftover, ignore_errors=True)
    return swept


def unfinished() -> set[str]:
    """The storage ids of repositories that are being made or deleted, or were when a process was killed."""
    return {marker.name for marker in _markers().iterdir()}


# The kernel drops the lock of a process that died, so a marker under lock is somebody's who is at work.
def _settle(marker: Path) -> bool:
    with marker.open("r") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return _settle_marked(marker)


def _settle_marked(marker: Path) -> bool:
    is_orphan = not Repo.objects.filter(storage_id=marker.name).exists()
    if is_orphan:
        remove(marker.name)
    marker.unlink(missing_ok=True)
    return is_orphan


def _markers() -> Path:
    return _folder("unsettled")


def _folder(name: str) -> Path:
    path = current().data / "git" / f".{name}"
    path.mkdir(parents=True, exist_ok=True)
    return path
