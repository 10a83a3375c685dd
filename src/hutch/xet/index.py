"""The chunk table of a xorb: what is left to know of it once its bytes are checked.

Packed, as the database keeps it, little-endian: `XIX1` | u32 count | count hashes of 32 bytes | count u32 raw lengths |
count u32 frame lengths (header included). That is 40 bytes for a chunk, 40 KB for a full xorb of usual chunks.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hutch.xet.errors import BadFile, DamagedRecord
from hutch.xet.frames import HEADER_BYTES, MAX_CHUNK_BYTES, MAX_STORED_BYTES
from hutch.xet.hashes import HASH_BYTES
from hutch.xet.merkle import MerkleTree

MAX_CHUNKS: Final = 8192
_MAGIC = b"XIX1"
_HEAD = struct.Struct("<4sI")
_ROW_BYTES = HASH_BYTES + 4 + 4

Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class XorbIndex:
    """Chunks in order. Two are equal when their packed forms are."""

    joined_hashes: bytes
    """The chunks' hashes back to back, 32 bytes each."""
    raw_offsets: Offsets
    """[count + 1] where each chunk begins in the uncompressed xorb, and last where it ends; in bytes."""
    frame_offsets: Offsets
    """[count + 1] where each chunk's frame begins in the stored xorb, and last where the last one ends; in bytes."""

    @classmethod
    def of_lengths(
        cls,
        joined_hashes: bytes,
        raw_lengths: Sequence[int] | NDArray,
        frame_lengths: Sequence[int] | NDArray,
    ) -> XorbIndex:
        """From what each chunk has: its hash, its raw length and its frame's length, in bytes."""
        return cls(joined_hashes, _offsets(raw_lengths), _offsets(frame_lengths))

    @cached_property
    def count(self) -> int:
        return len(self.raw_offsets) - 1

    @cached_property
    def raw_bytes(self) -> int:
        """The uncompressed size."""
        return int(self.raw_offsets[-1])

    @cached_property
    def data_bytes(self) -> int:
        """The stored size: all frames, no footer."""
        return int(self.frame_offsets[-1])

    @cached_property
    def raw_lengths(self) -> NDArray[np.int64]:
        """[count] in bytes."""
        return np.diff(self.raw_offsets)

    def xorb_hash(self) -> bytes:
        """The name of the xorb, computed anew."""
        tree = MerkleTree()
        tree.add(self.joined_hashes, self.raw_lengths.astype(np.uint64))
        return tree.root()

    def check_range(self, start: int, end: int) -> None:
        """Raises BadFile unless chunks `start` to `end` (exclusive) are at least one and all there."""
        if not 0 <= start < end <= self.count:
            raise BadFile(
                f"Chunks {start} to {end} are asked for, the xorb has 0 to {self.count}",
                field="chunk range", value=f"{start}-{end}", limit=self.count,
            )  # fmt: skip

    def hash(self, chunk: int) -> bytes:
        """One chunk's hash."""
        return self.joined_hashes[chunk * HASH_BYTES : (chunk + 1) * HASH_BYTES]

    def hashes(self, start: int = 0, end: int | None = None) -> list[bytes]:
        """The hashes of chunks `start` to `end` (exclusive)."""
        end = self.count if end is None else end
        self.check_range(start, end)
        return [self.hash(chunk) for chunk in range(start, end)]

    def joined(self, start: int, end: int) -> memoryview:
        """The hashes of chunks `start` to `end` (exclusive) back to back, uncopied."""
        self.check_range(start, end)
        return memoryview(self.joined_hashes)[start * HASH_BYTES : end * HASH_BYTES]

    def raw_length(self, start: int, end: int) -> int:
        """Uncompressed bytes of chunks `start` to `end` (exclusive)."""
        self.check_range(start, end)
        return int(self.raw_offsets[end] - self.raw_offsets[start])

    def frame_range(self, start: int, end: int) -> tuple[int, int]:
        """Where the frames of chunks `start` to `end` (exclusive) begin and end (exclusive) in the stored xorb."""
        self.check_range(start, end)
        return int(self.frame_offsets[start]), int(self.frame_offsets[end])

    def pack(self) -> bytes:
        """The form that the database keeps."""
        lengths = [
            np.diff(offsets).astype("<u4").tobytes() for offsets in (self.raw_offsets, self.frame_offsets)
        ]
        return b"".join([_HEAD.pack(_MAGIC, self.count), self.joined_hashes, *lengths])

    @classmethod
    def unpack(cls, packed: bytes | memoryview) -> XorbIndex:
        """The inverse of `pack`; raises DamagedRecord for what `pack` cannot have written."""
        if len(packed) < _HEAD.size:
            raise _damaged("size", len(packed), f"at least {_HEAD.size}")
        magic, count = _HEAD.unpack_from(packed)
        if magic != _MAGIC or count > MAX_CHUNKS:
            raise _damaged("head", f"{magic!r}, {count} chunks", f"{_MAGIC!r}, {MAX_CHUNKS} chunks")
        if len(packed) != _HEAD.size + count * _ROW_BYTES:
            raise _damaged("size", len(packed), _HEAD.size + count * _ROW_BYTES)
        hashes_end = _HEAD.size + count * HASH_BYTES
        raw, frames = np.frombuffer(packed, "<u4", 2 * count, hashes_end).reshape(2, count)
        if not _within(raw, 1, MAX_CHUNK_BYTES) or not _within(
            frames, HEADER_BYTES + 1, HEADER_BYTES + MAX_STORED_BYTES
        ):
            raise _damaged("lengths", f"{count} chunks", f"{MAX_CHUNK_BYTES} raw bytes a chunk")
        return cls.of_lengths(bytes(packed[_HEAD.size : hashes_end]), raw, frames)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, XorbIndex) and self.pack() == other.pack()

    def __hash__(self) -> int:
        return hash(self.joined_hashes)


def _offsets(lengths: Sequence[int] | NDArray) -> Offsets:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _within(values: NDArray, least: int, most: int) -> bool:
    return not len(values) or bool(values.min() >= least and values.max() <= most)


def _damaged(field: str, value: object, limit: object) -> DamagedRecord:
    return DamagedRecord(
        f"A packed xorb index has {field} {value}, allowed is {limit}", field=field, value=value, limit=limit
    )
