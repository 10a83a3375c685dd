"""What a file system owes us, said once: durable names, room for what comes, clear errors when it is full."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hutch.core.errors import InsufficientStorage
from hutch.storage.errors import UploadBusy

# EFBIG: a file-size limit of the process or the file system; for the sender it is the same as a full disk.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turn the operating system's "no space left" into InsufficientStorage with numbers."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise InsufficientStorage(
            f"The disk has no room for this ({error.strerror}; {free_bytes(folder)} bytes are free)",
            field="size",
        ) from error


def free_bytes(folder: Path) -> int:
    """Bytes that an ordinary user may still write in this file system."""
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize


def require_room(folder: Path, wanted_bytes: int, reserve_bytes: int) -> None:
    """Raise InsufficientStorage unless so much fits and the reserve stays free (the database needs it)."""
    free = free_bytes(folder)
    if wanted_bytes > free - reserve_bytes:
        raise InsufficientStorage(
            f"{wanted_bytes} bytes do not fit: {free} bytes are free, {reserve_bytes} of them in reserve",
            field="size",
            value=wanted_bytes,
            limit=max(0, free - reserve_bytes),
        )


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folders(folder: Path, below: Path) -> None:
    """Create a folder under an existing one and sync each name on the way.

    Also those that exist: another process may have made them a moment ago and not synced them yet.
    """
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    while folder != below:
        folder = folder.parent
        sync_folder(folder)


def lock_range(fd: int, start: int, size: int) -> None:
    """Hold these bytes of an open file (size 0: all of it) until it is closed; raises UploadBusy if others do.

    By the open file (Linux, fcntl(2), F_OFD_SETLK), across threads and processes; a killed holder lets go.
    """
    # struct flock: type, whence, start, length, pid (must be 0)
    wanted = struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, start, size, 0)
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        raise UploadBusy from error


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """One holder a folder, across threads and processes; a killed holder lets go."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
