"""A full disk by its own name, whoever met it: Python, libgit2 or a git child."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pygit2

from hutch.core.errors import InsufficientStorage

_NO_ROOM_BYTES = 64 << 10
_WORDS = ("No space left on device", "Disk quota exceeded")


def is_full(complaint: str) -> bool:
    """Whether git's or libgit2's words mean that there is no room."""
    return any(words in complaint for words in _WORDS)


def is_full_at(path: Path, complaint: str) -> bool:
    """`is_full`, also where git says only that it could not write: then the disk itself is asked."""
    if is_full(complaint):
        return True
    disk = os.statvfs(path)
    return "write" in complaint and disk.f_bavail * disk.f_frsize < _NO_ROOM_BYTES


def error() -> InsufficientStorage:
    """What a caller meets then."""
    return InsufficientStorage("No space left on the server's disk for this change")


@contextmanager
def told_apart() -> Iterator[None]:
    """Turn a full disk into InsufficientStorage; every other failure passes as it is."""
    try:
        yield
    except (OSError, pygit2.GitError) as failure:
        full = isinstance(failure, OSError) and failure.errno in (errno.ENOSPC, errno.EDQUOT)
        if full or is_full(str(failure)):
            raise error() from failure
        raise
