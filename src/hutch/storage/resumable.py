"""An upload that grows from its end and goes on after a broken line or a crash, as a browser's (tus) does."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from hutch.storage import disk, faults, sealing
from hutch.storage.errors import BlobNotFound, OffsetMismatch, SizeMismatch, UploadBusy
from hutch.storage.port import Staged
from hutch.storage.staging import Staging
from hutch.storage.upload import check_staged
from hutch.storage.writer import Writer, hash_range


class Resumable:
    """One file, `tail`, in the upload's folder; its length is the offset, even once a store adopted it (`sealing`)."""

    def __init__(self, staging: Staging, upload_id: str) -> None:
        self._staging = staging
        self._folder = staging.upload_folder(upload_id)
        self._path = self._folder / "tail"

    def offset(self) -> int:
        """How many bytes are durable here and need not be sent again; 0 for a new upload."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            adopted = sealing.adopted(self._folder, self._path)
            return adopted.size if adopted else 0
        try:
            # The size first: bytes that another request appends meanwhile are not promised.
            size = os.fstat(fd).st_size
            # After a crash of the process the bytes are there, but maybe only in memory.
            os.fsync(fd)
            return size
        finally:
            os.close(fd)

    def append_at(self, offset: int, expected_size: int | None = None) -> Append:
        """Go on at the offset; `expected_size` is that of the whole upload.

        Raises OffsetMismatch (naming the right one), UploadBusy while another request appends,
        InsufficientStorage if the rest does not fit.
        """
        disk.require_room(
            self._staging.root, max(0, (expected_size or 0) - offset), self._staging.reserve_bytes
        )
        disk.make_folders(self._folder, self._staging.root)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            _lock(fd)
            size = os.fstat(fd).st_size
            if size != offset:
                raise OffsetMismatch(offset=size, asked=offset)
            disk.sync_folder(self._folder)
        except BaseException:
            os.close(fd)
            raise
        return Append(
            fd, self._path, Writer(fd, self._staging.pool, offset=offset, hashing=False), expected_size
        )

    def finish(self, expected_size: int, expected_sha256: str | None = None) -> Staged:
        """Hash and sync the whole upload.

        A short one raises SizeMismatch and stays; one with a wrong checksum is discarded.
        Raises BlobNotFound if nothing was ever sent. Once a store has adopted it, it is told again, to be put again.
        """
        adopted = sealing.adopted(self._folder, self._path)
        if adopted is not None:
            check_staged(adopted, expected_size, expected_sha256)
            return adopted
        with self._locked() as fd:
            size = os.fstat(fd).st_size
            if size != expected_size:
                raise SizeMismatch(expected=expected_size, received=size)
            digest = hashlib.sha256()
            hash_range(fd, digest.update, 0, size)
            staged = Staged(self._path, size, digest.hexdigest())
            try:
                check_staged(staged, expected_size, expected_sha256)
            except BaseException:
                self.discard()
                raise
            faults.point("storage.before_sync")
            os.fsync(fd)
            sealing.note(self._folder, staged)
            return staged

    def discard(self) -> None:
        """Remove the upload; harmless a second time, and after its file was adopted."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise BlobNotFound(self._folder.name) from error
        try:
            _lock(fd)
            yield fd
        finally:
            os.close(fd)


class Append:
    """Bytes on their way to the end of an upload; what came stays, also when the line breaks.

    Same `add`, `drain`, `write` as a StagedFile; `close` (or the end of `with`) makes it durable.
    """

    def __init__(self, fd: int, path: Path, writer: Writer, expected_size: int | None) -> None:
        self._fd = fd
        self._path = path
        self._writer = writer
        self._expected_size = expected_size

    def add(self, data: bytes | bytearray | memoryview) -> bool:
        """Take bytes without blocking; True when `drain` is due. Raises SizeMismatch for too many."""
        total = self._writer.position + len(data)
        if self._expected_size is not None and total > self._expected_size:
            raise SizeMismatch(expected=self._expected_size, received=total)
        return self._writer.add(data)

    def drain(self) -> None:
        """Write what was added, blocking while the batch before is under way; raises InsufficientStorage."""
        with disk.full_disk_named(self._path.parent):
            self._writer.drain()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """`add`, and `drain` when due."""
        if self.add(data):
            self.drain()

    def close(self) -> int:
        """Sync; returns the upload's new offset. The file keeps whole what fitted on a full disk."""
        if self._fd < 0:
            return self._writer.position
        try:
            with disk.full_disk_named(self._path.parent):
                self._writer.settle()
                faults.point("storage.before_sync")
                os.fsync(self._fd)
        finally:
            self._writer.stop()
            fd, self._fd = self._fd, -1
            os.close(fd)
        return self._writer.position

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _lock(fd: int) -> None:
    try:
        # Held by the open file: a killed process lets go.
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UploadBusy from error
