"""Writing loose objects (git's gitformat-loose): by hand, so that a full disk is named and other threads run on."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pygit2.enums import ObjectType

from hutch.git import disk_full
from hutch.git.objects import KIND_NAMES
from hutch.git.repository import fsync_folder

DRAFT_PREFIX = "tmp_obj_"

_PIECE_BYTES = 1 << 20
_ATTEMPTS = 5


def write_loose(path: Path, kind: ObjectType, data: bytes) -> str:
    """Store one object of the repository at `path` durably and return its id; raises InsufficientStorage."""
    return _write(path, kind, len(data), (data,))


def write_loose_stream(path: Path, source: BinaryIO) -> str:
    """`write_loose` of a blob too large for memory; `source` must be able to seek and is read from its start."""
    size = source.seek(0, os.SEEK_END)
    source.seek(0)
    return _write(path, ObjectType.BLOB, size, _pieces(source))


def _pieces(source: BinaryIO) -> Iterator[bytes]:
    while piece := source.read(_PIECE_BYTES):
        yield piece


def _write(path: Path, kind: ObjectType, size: int, pieces: Iterable[bytes]) -> str:
    objects = path / "objects"
    with disk_full.told_apart():
        handle, name = tempfile.mkstemp(prefix=DRAFT_PREFIX, dir=objects)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                oid = _compress(out, b"%s %d\0" % (KIND_NAMES[kind], size), pieces)
                out.flush()
                os.fchmod(out.fileno(), 0o444)
                os.fsync(out.fileno())
            _place(draft, objects, oid)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    return oid


def _compress(out: BinaryIO, header: bytes, pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha1(header, usedforsecurity=False)
    packer = zlib.compressobj(1)
    out.write(packer.compress(header))
    for piece in pieces:
        digest.update(piece)
        out.write(packer.compress(piece))
    out.write(packer.flush())
    return digest.hexdigest()


# Again if a repack beside us has removed the still empty folder between its making and its filling, or between mkdir's
# finding it there and its look at what it is.
def _place(draft: Path, objects: Path, oid: str) -> None:
    folder = objects / oid[:2]
    for attempt in range(_ATTEMPTS):
        try:
            folder.mkdir(exist_ok=True)
            draft.rename(folder / oid[2:])
            fsync_folder(folder)
        except (FileNotFoundError, FileExistsError):
            if attempt == _ATTEMPTS - 1:
                raise
        else:
            break
    fsync_folder(objects)
