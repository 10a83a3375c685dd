"""An upload in numbered parts (LFS multipart): each durable by itself, re-sent at will, joined at the end."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path

from hutch.core.errors import BadRequest
from hutch.storage import disk, faults
from hutch.storage.errors import PartsMissing, SizeMismatch
from hutch.storage.port import Staged
from hutch.storage.staging import Staging
from hutch.storage.upload import check_staged
from hutch.storage.writer import hash_range

MAX_PARTS = 10_000
_STEP_BYTES = 8 << 20
_PART_NAME = re.compile(r"(\d{5})-([0-9a-f]{64})")
_NO_KERNEL_COPY = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL)


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is on the disk."""

    number: int
    """From 1 on."""
    size: int
    """In bytes."""
    sha256: str
    """Also the part's ETag."""


class Parts:
    """The parts of one upload: files `<number>-<sha256>`, so that a folder tells all after a crash."""

    def __init__(self, staging: Staging, upload_id: str) -> None:
        self._staging = staging
        self._folder = staging.upload_folder(upload_id)

    def put(self, number: int, staged: Staged) -> Part:
        """Keep a part, durable on return; a part sent before under this number goes. Raises BadRequest."""
        if not 1 <= number <= MAX_PARTS:
            raise BadRequest(
                f"Part number {number} is not between 1 and {MAX_PARTS}",
                field="part_number",
                value=number,
                limit=MAX_PARTS,
            )
        name = f"{number:05d}-{staged.sha256}"
        disk.make_folders(self._folder, self._staging.root)
        with disk.folder_lock(self._folder):
            os.utime(staged.path)
            staged.path.replace(self._folder / name)
            disk.sync_folder(self._folder)
            for older in self._folder.glob(f"{number:05d}-*"):
                if older.name != name:
                    older.unlink(missing_ok=True)
        return Part(number, staged.size, staged.sha256)

    def stored(self) -> list[Part]:
        """The parts that are here, by number."""
        return [part for part, _ in self._files()]

    def assemble(
        self,
        expected_size: int | None = None,
        expected_sha256: str | None = None,
        etags: Mapping[int, str] | None = None,
    ) -> Staged:
        """Join the parts 1 to n into one checked and synced file; the parts stay until `discard`.

        `etags` are the parts that the client names (number to ETag); without it all that are here. Raises
        PartsMissing, SizeMismatch or InsufficientStorage before a byte is copied, ChecksumMismatch after.
        Costs one copy inside the kernel and one reading, side by side.
        """
        files = self._files()
        _require_whole([part for part, _ in files], etags)
        size = sum(part.size for part, _ in files)
        if expected_size is not None and size != expected_size:
            raise SizeMismatch(expected=expected_size, received=size)
        disk.require_room(self._staging.root, size, self._staging.reserve_bytes)
        target = self._staging.fresh_path()
        try:
            with disk.full_disk_named(self._folder):
                staged = Staged(target, size, self._join(files, target))
            check_staged(staged, expected_size, expected_sha256)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return staged

    def discard(self) -> None:
        """Remove the upload and all its parts; harmless a second time."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> list[tuple[Part, Path]]:
        newest: dict[int, tuple[int, Part, Path]] = {}
        if not self._folder.exists():
            return []
        with disk.folder_lock(self._folder):
            for path in self._folder.iterdir():
                name = _PART_NAME.fullmatch(path.name)
                if name is None:
                    continue
                fact = path.stat()
                number = int(name[1])
                # Two files of one number: a crash between the new one's rename and the old one's removal.
                if number not in newest or fact.st_mtime_ns > newest[number][0]:
                    newest[number] = (fact.st_mtime_ns, Part(number, fact.st_size, name[2]), path)
        return [newest[number][1:] for number in sorted(newest)]

    def _join(self, files: Sequence[tuple[Part, Path]], target: Path) -> str:
        digest = hashlib.sha256()
        fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        hashing: Future[None] | None = None
        try:
            end = 0
            for part, path in files:
                with path.open("rb", buffering=0) as source:
                    for done in range(0, part.size, _STEP_BYTES):
                        start, end = end, end + min(_STEP_BYTES, part.size - done)
                        _copy_range(source.fileno(), fd, done, start, end - start)
                        if hashing is not None:
                            hashing.result()
                        # What was written is hashed, not what was read: it is this file that we vouch for.
                        hashing = self._staging.pool.submit(hash_range, fd, digest.update, start, end)
            faults.point("storage.before_sync")
            os.fsync(fd)
            if hashing is not None:
                hashing.result()
        finally:
            wait([hashing] if hashing is not None else [])
            os.close(fd)
        return digest.hexdigest()


def _require_whole(parts: Sequence[Part], etags: Mapping[int, str] | None) -> None:
    here = {part.number: part.sha256 for part in parts}
    wanted = set(range(1, max([*here, *(etags or {})], default=0) + 1))
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


def _copy_range(source: int, target: int, start: int, at: int, count: int) -> None:
    while count > 0:
        try:
            # Shares blocks where the file system can, else copies without leaving the kernel.
            copied = os.copy_file_range(source, target, count, start, at)
        except OSError as error:
            if error.errno not in _NO_KERNEL_COPY:
                raise
            copied = os.pwrite(target, os.pread(source, min(count, 1 << 20), start), at)
        if copied == 0:
            raise EOFError(f"a part ends at byte {start}, {count} more were expected")
        start, at, count = start + copied, at + copied, count - copied
