"""Blobs as plain files: `root/<key>`. The rule: write, sync, rename, sync the folder, then answer."""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hutch.core.errors import RangeNotSatisfiable
from hutch.storage import disk, faults
from hutch.storage.errors import BlobNotFound, KeyConflict, SizeMismatch
from hutch.storage.keys import check_key, check_prefix
from hutch.storage.port import Blob, LocalFile, Staged

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_READ_BYTES = 1 << 20


class LocalBlobStore:
    """The BlobStore of one machine. The staging folder must lie on the same file system."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._durable_folders: set[Path] = {root}

    def put(self, key: str, staged: Staged) -> Blob:
        """See BlobStore."""
        path = self._path(key)
        self._make_folder(key, path.parent)
        staged_here = _sync_staged(staged)
        if not staged_here and _fact(path) is None:
            raise BlobNotFound(key)
        faults.point("storage.before_rename")
        with disk.folder_lock(path.parent):
            fact = _fact(path)
            if fact is not None and fact.st_size == staged.size:
                # Young again: a collector that saw it idle must not take it from under this upload.
                _renew(path)
            else:
                _adopt(staged.path, path, key)
        faults.point("storage.after_rename")
        # Also for a blob that was there: its first writer may not have come this far.
        disk.sync_folder(path.parent)
        staged.path.unlink(missing_ok=True)
        faults.point("storage.after_put")
        return self._require(key)

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """See BlobStore."""
        try:
            file = self._path(key).open("rb", buffering=0)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise BlobNotFound(key) from error
        size = os.fstat(file.fileno()).st_size
        stop = size if end is None else end
        if not 0 <= start <= stop <= size:
            file.close()
            raise RangeNotSatisfiable(size)
        return io.BufferedReader(_Range(file, start, stop), _READ_BYTES)

    def stat(self, key: str) -> Blob | None:
        """See BlobStore."""
        fact = _fact(self._path(key))
        return None if fact is None else _blob(key, fact)

    def delete(self, key: str, *, unless_modified_since: datetime | None = None) -> bool:
        """See BlobStore."""
        path = self._path(key)
        if _fact(path) is None:
            return False
        faults.point("storage.before_delete")
        with disk.folder_lock(path.parent):
            fact = _fact(path)
            if fact is None:
                return False
            if unless_modified_since is not None and _blob(key, fact).modified >= unless_modified_since:
                return False
            path.unlink()
        return True

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """See BlobStore."""
        return self._walk(self.root, "", check_prefix(prefix), check_prefix(after))

    def locate(self, key: str, headers: Mapping[str, str] | None = None) -> LocalFile:
        """See BlobStore; always a file."""
        self._require(key)
        return LocalFile(self._path(key))

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    def _require(self, key: str) -> Blob:
        blob = self.stat(key)
        if blob is None:
            raise BlobNotFound(key)
        return blob

    def _make_folder(self, key: str, folder: Path) -> None:
        if folder in self._durable_folders:
            return
        try:
            disk.make_folders(folder, self.root)
        except (FileExistsError, NotADirectoryError) as error:
            raise KeyConflict(f"A blob lies where {key} needs a folder", field="key", value=key) from error
        self._durable_folders.add(folder)

    def _walk(self, folder: Path, base: str, prefix: str, after: str) -> Iterator[Blob]:
        for name, entry in _in_key_order(folder):
            key = base + name
            if not (key.startswith(prefix) or prefix.startswith(key)):
                continue
            if name.endswith("/"):
                if key > after or after.startswith(key):
                    yield from self._walk(Path(entry), key, prefix, after)
            elif key > after and key.startswith(prefix):
                fact = _fact(Path(entry))
                if fact is not None:
                    yield _blob(key, fact)


class _Range(io.RawIOBase):
    """Bytes `position` to `end` of an open file, which it owns."""

    def __init__(self, file: io.FileIO, position: int, end: int) -> None:
        self._file = file
        self._position = position
        self._end = end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)[: self._end - self._position]
        got = os.preadv(self._file.fileno(), [view], self._position) if view else 0
        self._position += got
        return got

    def close(self) -> None:
        self._file.close()
        super().close()


def _sync_staged(staged: Staged) -> bool:
    """Sync the staged bytes; False when the file is gone (an earlier `put` took it)."""
    try:
        fd = os.open(staged.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        size = os.fstat(fd).st_size
        if size != staged.size:
            raise SizeMismatch(expected=staged.size, received=size)
        os.fsync(fd)
    finally:
        os.close(fd)
    return True


def _renew(file: Path | int) -> None:
    # The system's own "now" may lag some milliseconds behind the clock that a collector reads.
    now_ns = time.time_ns()
    os.utime(file, ns=(now_ns, now_ns))


def _adopt(source: Path, target: Path, key: str) -> None:
    try:
        # A blob's age counts from its adoption, not from its last byte.
        _renew(source)
        source.rename(target)
    except FileNotFoundError as error:
        raise BlobNotFound(key) from error
    except IsADirectoryError as error:
        raise KeyConflict(f"{key} is the folder of other blobs", field="key", value=key) from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise OSError(
            errno.EXDEV,
            f"the staging folder {source.parent} and the blobs {target.parent} must share a file system",
        ) from error


def _fact(path: Path) -> os.stat_result | None:
    try:
        fact = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return fact if stat.S_ISREG(fact.st_mode) else None


def _blob(key: str, fact: os.stat_result) -> Blob:
    return Blob(key, fact.st_size, datetime.fromtimestamp(fact.st_mtime, UTC))


def _in_key_order(folder: Path) -> Iterator[tuple[str, str]]:
    """Names with a slash behind folders, sorted with it: "a-b" comes before "a/", as whole keys do."""
    with os.scandir(folder) as entries:
        found = [(entry.name + "/" if entry.is_dir() else entry.name, entry.path) for entry in entries]
    yield from sorted(found)
