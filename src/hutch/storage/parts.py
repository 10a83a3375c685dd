"""An upload in numbered parts (LFS multipart): each durable by itself, re-sent at will, all in one file from the start.

The folder of an upload holds `whole`, into which each part is written at its place, and for each part that is here an
empty file `<number>-<tag>`. So nothing is copied at the end. The tag is new each time a part is sent: it is the part's
ETag, and it tells whether a part is still the one that was hashed.

Who writes a part holds a lock on its bytes of `whole`; who seals the upload holds one on all of them, until a store
has adopted the file. So a late writer cannot reach into a file that was hashed.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from hutch.core.errors import BadRequest
from hutch.storage import disk, faults, sealing
from hutch.storage.errors import PartsMissing, SizeMismatch, UploadBusy
from hutch.storage.port import Staged
from hutch.storage.running import Running
from hutch.storage.staging import Staging
from hutch.storage.upload import check_staged
from hutch.storage.writer import Writer, hash_range

MAX_PARTS = 10_000
_PART_NAME = re.compile(r"(\d{5})-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is on the disk."""

    number: int
    """From 1 on."""
    size: int
    """In bytes."""
    etag: str
    """Another one each time the part is sent."""


class Parts:
    """The parts of one upload of `size` bytes; all but the last have `part_bytes`."""

    def __init__(self, staging: Staging, upload_id: str, size: int, part_bytes: int) -> None:
        self.upload_id = upload_id
        self._staging = staging
        self._folder = staging.upload_folder(upload_id)
        self._path = self._folder / "whole"
        self._size = size
        self._part_bytes = part_bytes
        self.count = -(-size // part_bytes)
        if self.count > MAX_PARTS:
            raise BadRequest(
                f"{self.count} parts; the limit is {MAX_PARTS}",
                field="part_bytes",
                value=self.count,
                limit=MAX_PARTS,
            )

    def begin(self, number: int) -> PartFile:
        """Write a part at its place; one of that number that was here is not any more.

        Another request that is writing this part is cut off: its sender has most likely given it up.
        Raises BadRequest for a number out of range, UploadBusy while the upload is sealed or another process writes
        this part, InsufficientStorage.
        """
        if not 1 <= number <= self.count:
            raise BadRequest(
                f"Part number {number} is not between 1 and {self.count}",
                field="part_number",
                value=number,
                limit=self.count,
            )
        start = (number - 1) * self._part_bytes
        size = min(self._part_bytes, self._size - start)
        disk.require_room(self._staging.root, size, self._staging.reserve_bytes)
        disk.make_folders(self._folder, self._staging.root)
        return PartFile(self, self._staging, number, start, size)

    def stored(self) -> list[Part]:
        """The parts that are here, by number."""
        found = {}
        if self._path.exists() or sealing.adopted(self._folder, self._path):
            for path in self._folder.iterdir():
                if name := _PART_NAME.fullmatch(path.name):
                    number = int(name[1])
                    size = min(self._part_bytes, self._size - (number - 1) * self._part_bytes)
                    found[number] = Part(number, size, name[2])
        return [found[number] for number in sorted(found)]

    def seal(self, expected_sha256: str | None = None, etags: Mapping[int, str] | None = None) -> Sealed:
        """The whole upload, hashed and synced, with all writers locked out until the Sealed is closed.

        `etags` are the parts that the client names (number to ETag); without it all must be here. Parts that came in
        order were hashed as they came; the rest is read. Raises PartsMissing, ChecksumMismatch (the parts stay, to be
        sent again) or UploadBusy. Once a store has adopted it, it is told again, to be put again.
        """
        adopted = sealing.adopted(self._folder, self._path)
        if adopted is not None:
            _require_whole(self.count, self.stored(), etags)
            check_staged(adopted, self._size, expected_sha256)
            return Sealed(adopted, -1)
        disk.make_folders(self._folder, self._staging.root)
        fd = self.open_locked(0, self._size)
        try:
            parts = self.stored()
            _require_whole(self.count, parts, etags)
            found = os.fstat(fd).st_size
            if found != self._size:
                raise SizeMismatch(expected=self._size, received=found)
            staged = Staged(self._path, self._size, self._hash(fd, parts))
            check_staged(staged, self._size, expected_sha256)
            faults.point("storage.before_sync")
            os.fsync(fd)
            sealing.note(self._folder, staged)
        except BaseException:
            os.close(fd)
            raise
        return Sealed(staged, fd)

    def discard(self) -> None:
        """Remove the upload and all its parts; harmless a second time."""
        self._staging.running.forget(self.upload_id)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            with disk.folder_lock(self._folder):
                if not self._path.exists():
                    # A store adopted the file before, and yet a part is sent again: the others are here no more.
                    sealing.forget(self._folder)
                    for marker in self._folder.glob("*-*"):
                        marker.unlink(missing_ok=True)
                    disk.sync_folder(self._folder)
                return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def _hash(self, fd: int, parts: Sequence[Part]) -> str:
        running = self._staging.running.take(self.upload_id, [part.etag for part in parts]) or Running()
        hash_range(fd, running.digest.update, running.end, self._size)
        return running.digest.hexdigest()

    def open_locked(self, start: int, size: int) -> int:
        """The file, with these bytes of it locked (size 0: all). Raises UploadBusy; for this module's classes."""
        fd = self._open()
        try:
            disk.lock_range(fd, start, size)
            # Between opening and locking a store may have adopted the file.
            if not self._path.exists() or not os.path.samestat(os.fstat(fd), self._path.stat()):
                raise UploadBusy
        except BaseException:
            os.close(fd)
            raise
        return fd

    def forget(self, number: int) -> None:
        """From now on this part is not here; for this module's classes."""
        markers = [*self._folder.glob(f"{number:05d}-*")]
        for marker in markers:
            marker.unlink(missing_ok=True)
        if markers:
            # Else the old part could be back after a power cut, with some bytes of the new one.
            disk.sync_folder(self._folder)

    def keep(self, part: Part) -> None:
        """From now on this part is here, durably; for this module's classes."""
        (self._folder / f"{part.number:05d}-{part.etag}").touch(0o640, exist_ok=False)
        disk.sync_folder(self._folder)


class PartFile:
    """A part on its way. Same `add`, `drain`, `write`, `abort` as a StagedFile; `finish` keeps it."""

    def __init__(self, parts: Parts, staging: Staging, number: int, start: int, size: int) -> None:
        self._parts = parts
        self._staging = staging
        self._number = number
        self._start = start
        self._size = size
        self._upload_id = parts.upload_id
        # Held while the descriptor is used or closed: another request may cut this one off at any time.
        self._lock = threading.RLock()
        before = staging.writing.get((self._upload_id, number))
        if before is not None:
            before.abort(UploadBusy("The part is being sent again by another request"))
        self._fd = parts.open_locked(start, size)
        try:
            parts.forget(number)
            staging.writing[self._upload_id, number] = self
            self._running = staging.running.follow(self._upload_id, start)
            digest = self._running.digest if self._running else None
            self._writer = Writer(self._fd, staging.pool, offset=start, hashing=False, digest=digest)
        except BaseException:
            os.close(self._fd)
            raise

    def add(self, data: bytes | bytearray | memoryview) -> bool:
        """Take bytes without blocking; True when `drain` is due. Raises SizeMismatch for too many."""
        received = self._writer.position - self._start + len(data)
        if received > self._size:
            raise SizeMismatch(expected=self._size, received=received)
        return self._writer.add(data)

    def drain(self) -> None:
        """Write and hash what was added, blocking while the batch before is under way."""
        with disk.full_disk_named(self._staging.root):
            self._writer.drain()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """`add`, and `drain` when due."""
        if self.add(data):
            self.drain()

    def finish(self) -> Part:
        """Sync the part and keep it. Raises SizeMismatch, InsufficientStorage, UploadBusy; it is not here then."""
        try:
            with self._lock, disk.full_disk_named(self._staging.root):
                self._writer.settle()
                received = self._writer.position - self._start
                if received != self._size:
                    raise SizeMismatch(expected=self._size, received=received)
                faults.point("storage.before_sync")
                os.fsync(self._fd)
                part = Part(self._number, self._size, uuid.uuid4().hex)
                self._parts.keep(part)
                if self._running is not None:
                    end = self._start + self._size
                    self._staging.running.went_on(self._upload_id, self._running, end, part.etag)
            return part
        finally:
            self.abort()

    def abort(self, reason: BaseException | None = None) -> None:
        """End the writing; harmless after `finish` or a second time. A `drain` to come raises the reason."""
        self._writer.stop(reason)
        with self._lock:
            fd, self._fd = self._fd, -1
            if fd >= 0:
                os.close(fd)
        if self._staging.writing.get((self._upload_id, self._number)) is self:
            self._staging.writing.pop((self._upload_id, self._number), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class Sealed:
    """A whole upload that nobody can write to any more, until `close`; meanwhile a store may adopt it."""

    def __init__(self, staged: Staged, fd: int) -> None:
        self.staged = staged
        self._fd = fd

    def close(self) -> None:
        """Let go; harmless a second time."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Staged:
        return self.staged

    def __exit__(self, *_: object) -> None:
        self.close()


def _require_whole(count: int, parts: Sequence[Part], etags: Mapping[int, str] | None) -> None:
    here = {part.number: part.etag for part in parts}
    wanted = set(range(1, max([count, *(etags or {})]) + 1))
    missing = sorted(wanted - set(here))
    if etags is not None:
        missing = sorted({*missing, *(n for n in wanted if here.get(n) != etags.get(n, "").strip('"'))})
    if missing:
        raise PartsMissing(
            f"{len(missing)} of {len(wanted)} parts are not here as named; the first is number {missing[0]}",
            field="parts",
            value=missing[:20],
            limit=len(wanted),
        )
