"""The plain bytes of a large object, whichever way it came."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hutch.cas import stores
from hutch.cas.sending import Pieces
from hutch.cas.service import StoredObject
from hutch.cas.xet import reading
from hutch.storage.errors import BlobNotFound
from hutch.storage.port import LocalFile, SignedUrl


def source(stored: StoredObject, headers: Mapping[str, str] | None = None) -> Path | Pieces | SignedUrl:
    """What a download sends, or the signed address where the bytes are, answered there with those headers.

    Raises BlobNotFound if storage has lost them.
    """
    if not stored.key:
        return reading.pieces(stored.chunks)
    try:
        place = stores.blobs().locate(stored.key, headers)
    except BlobNotFound:  # collected since the row was read, in favour of the chunks
        if not stored.chunks:
            raise
        return reading.pieces(stored.chunks)
    return place.path if isinstance(place, LocalFile) else place


def read(stored: StoredObject, start: int, end: int) -> bytes:
    """Bytes `start` to `end` (exclusive) of an object, fewer at its end; for heads of files, not for whole ones.

    Raises BlobNotFound if storage has lost them.
    """
    start, end = min(start, stored.size), min(end, stored.size)
    if not stored.key:
        return reading.read(stored.chunks, start, end)
    try:
        with stores.blobs().open(stored.key, start, end) as file:
            return file.read()
    except BlobNotFound:
        if not stored.chunks:
            raise
        return reading.read(stored.chunks, start, end)
