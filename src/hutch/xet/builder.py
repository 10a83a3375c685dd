"""Puts chunks into a new xorb, as a client does."""

from __future__ import annotations

from typing import BinaryIO

from hutch.xet.buffers import Buffer
from hutch.xet.errors import BadXorb
from hutch.xet.frames import encode
from hutch.xet.hashes import chunk_hash
from hutch.xet.index import MAX_CHUNKS, XorbIndex

_MAX_RAW_BYTES = 64 * 1024 * 1024


class XorbBuilder:
    """Holds the frames until `build`: at most 64 MiB and their headers."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._hashes: list[bytes] = []
        self._raw_lengths: list[int] = []
        self.raw_bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def is_full(self, next_len: int = 1) -> bool:
        """Whether a chunk of `next_len` raw bytes has no place any more: 64 MiB raw, 8192 chunks."""
        return len(self) >= MAX_CHUNKS or self.raw_bytes + next_len > _MAX_RAW_BYTES

    def add(self, raw: Buffer, raw_hash: bytes | None = None) -> int:
        """Append a chunk of 1 to 131072 bytes and give its index; its hash is computed unless it is known.

        Raises BadXorb when the xorb is full or the chunk too large or empty.
        """
        if self.is_full(len(raw)):
            raise BadXorb("The xorb is full", field="chunks", value=len(self), limit=MAX_CHUNKS)
        self._frames.append(encode(raw))
        self._hashes.append(raw_hash or chunk_hash(raw))
        self._raw_lengths.append(len(raw))
        self.raw_bytes += len(raw)
        return len(self) - 1

    def index(self) -> XorbIndex:
        """The chunk table of what was added so far."""
        return XorbIndex.of_lengths(b"".join(self._hashes), self._raw_lengths, [len(f) for f in self._frames])

    def build(self) -> tuple[bytes, bytes, XorbIndex]:
        """The xorb's bytes, its hash and its chunk table."""
        index = self.index()
        return b"".join(self._frames), index.xorb_hash(), index

    def write(self, target: BinaryIO) -> tuple[bytes, XorbIndex]:
        """As `build`, into a file: its hash and its chunk table."""
        for frame in self._frames:
            target.write(frame)
        index = self.index()
        return index.xorb_hash(), index
