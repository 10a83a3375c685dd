"""One upload that comes in a stream, until it is whole and checked."""

from __future__ import annotations

import os
import threading
from concurrent.futures import Executor
from pathlib import Path
from typing import Self

from hutch.storage import disk, faults
from hutch.storage.errors import ChecksumMismatch, SizeMismatch
from hutch.storage.port import Staged
from hutch.storage.writer import Writer

# Between two looks at the free space: others write to the same disk, and a size may not have been announced.
_ROOM_CHECK_BYTES = 32 << 20


class StagedFile:
    """Bytes that arrive. `with` aborts it unless `finish` was reached; any error removes the file.

    A wire calls `add` for each piece as it comes and, when that says True, `drain` in a thread; plain code
    calls `write`. `abort` may come from another thread at any time.
    """

    def __init__(
        self,
        path: Path,
        pool: Executor,
        *,
        expected_size: int | None,
        reserve_bytes: int,
        hashing: bool = True,
    ) -> None:
        self.path = path
        self._expected_size = expected_size
        self._reserve_bytes = reserve_bytes
        self._room_checked_at = 0
        self._release_lock = threading.Lock()
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        self._hashing = hashing
        self._writer = Writer(self._fd, pool, hashing=hashing)

    @property
    def size(self) -> int:
        """Bytes handed in so far."""
        return self._writer.position

    def add(self, data: bytes | bytearray | memoryview) -> bool:
        """Take bytes without blocking; True when `drain` is due. Raises SizeMismatch for too many."""
        due = self._writer.add(data)
        if self._expected_size is not None and self.size > self._expected_size:
            self.abort()
            raise SizeMismatch(expected=self._expected_size, received=self.size)
        return due

    def drain(self) -> None:
        """Write and hash what was added, blocking while the batch before is under way.

        Raises InsufficientStorage, possibly for bytes of an earlier `drain`.
        """
        try:
            with disk.full_disk_named(self.path.parent):
                if self.size - self._room_checked_at >= _ROOM_CHECK_BYTES:
                    self._room_checked_at = self.size
                    disk.require_room(self.path.parent, 0, self._reserve_bytes)
                self._writer.drain()
        except BaseException:
            self.abort()
            raise

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """`add`, and `drain` when due."""
        if self.add(data):
            self.drain()

    def finish(self, expected_size: int | None = None, expected_sha256: str | None = None) -> Staged:
        """Check the upload and sync it to the disk.

        Raises SizeMismatch, ChecksumMismatch or InsufficientStorage; the file is gone then.
        """
        wanted_size = self._expected_size if expected_size is None else expected_size
        try:
            with disk.full_disk_named(self.path.parent):
                self._writer.settle()
                digest = self._writer.sha256() if self._hashing else ""
                staged = Staged(self.path, self.size, digest)
                check_staged(staged, wanted_size, expected_sha256)
                faults.point("storage.before_sync")
                # By the descriptor that wrote: an error of a write-back in between is reported to it.
                os.fsync(self._fd)
        except BaseException:
            self.abort()
            raise
        if not self._release():
            raise RuntimeError("the upload was aborted")
        return staged

    def abort(self) -> None:
        """Remove the file; harmless after `finish` or a second time."""
        self._writer.stop()
        if self._release():
            self.path.unlink(missing_ok=True)

    def _release(self) -> bool:
        with self._release_lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)
        return fd >= 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


def check_staged(staged: Staged, expected_size: int | None, expected_sha256: str | None) -> None:
    """Raise SizeMismatch or ChecksumMismatch unless the bytes are those announced (None: not announced)."""
    if expected_size is not None and staged.size != expected_size:
        raise SizeMismatch(expected=expected_size, received=staged.size)
    if expected_sha256 is not None and staged.sha256 != expected_sha256:
        raise ChecksumMismatch(expected=expected_sha256, received=staged.sha256)
