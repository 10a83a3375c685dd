"""A file as a list of terms, and the packed form of it that the database keeps.

Packed, little-endian: `XFT1` | u32 count | count times (xorb hash of 32 bytes | u32 start | u32 end | u32 raw bytes).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from hutch.xet.errors import DamagedRecord
from hutch.xet.index import MAX_CHUNKS

_MAGIC = b"XFT1"
_HEAD = struct.Struct("<4sI")
_TERM = struct.Struct("<32sIII")
TERM_BYTES: Final = _TERM.size


class Term(NamedTuple):
    """A run of a xorb's chunks that stands in a file."""

    xorb: bytes
    """The xorb's hash, 32 bytes."""
    start: int
    """The first chunk."""
    end: int
    """The chunk after the last."""
    raw_bytes: int
    """The run's uncompressed size."""


def pack_terms(terms: Iterable[Term]) -> bytes:
    """The form that the database keeps: 44 bytes a term."""
    packed = [_TERM.pack(*term) for term in terms]
    return b"".join([_HEAD.pack(_MAGIC, len(packed)), *packed])


def unpack_terms(packed: bytes | memoryview) -> list[Term]:
    """The inverse of `pack_terms`; raises DamagedRecord for what it cannot have written."""
    magic, count = _HEAD.unpack_from(packed) if len(packed) >= _HEAD.size else (b"", 0)
    if magic != _MAGIC or len(packed) != _HEAD.size + count * TERM_BYTES:
        raise DamagedRecord(
            f"A packed term list of {len(packed)} bytes says {count} terms", field="terms", value=count
        )
    xorbs: dict[bytes, bytes] = {}
    terms = [
        Term(xorbs.setdefault(xorb, xorb), start, end, raw)
        for xorb, start, end, raw in _TERM.iter_unpack(memoryview(packed)[_HEAD.size :])
    ]
    if any(not term.start < term.end <= MAX_CHUNKS for term in terms):
        raise DamagedRecord("A packed term list has a term without chunks", field="terms")
    return terms


def size_of(terms: Iterable[Term]) -> int:
    """The file's size in bytes."""
    return sum(term.raw_bytes for term in terms)
