"""Content-defined chunking, cut for cut as the clients do it: chunks of 8 to 128 KiB, about 64 KiB on average.

A chunk ends where a rolling hash over the last 64 bytes has 16 zero bits at its top, but not before 8 KiB, and at
128 KiB at the latest. The hash is `h = (h << 1) + table[byte]` in 64 bits, so a byte is shifted out after 64 steps, and
every position's hash can be computed apart from the others: that is what makes it fast here.
Source: the Xet specification, "Chunking"; hf_xet 1.8.0 is the oracle of the tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hutch.xet.buffers import Buffer
from hutch.xet.gear_table import GEAR_TABLE

MIN_CHUNK_BYTES: Final = 8 * 1024
MAX_CHUNK_BYTES: Final = 128 * 1024
_WINDOW = 64
_LIMIT = np.uint64(1 << 48)
"""Below it, the 16 top bits are zero."""
_BLOCK = 256 * 1024
"""Bytes hashed at once: the arrays for it stay in the processor's cache."""
_LANES = 8
_ONE = np.uint64(1)
_Lanes = TypeVar("_Lanes", bound=NDArray)


class Chunker:
    """Cuts a stream into chunks; holds at most one chunk and two blocks, under 1 MB, and 5 MB of work space."""

    def __init__(self) -> None:
        self._scanner = _Scanner()
        self._held = bytearray()
        self._scanned = 0
        self._ends: NDArray[np.int64] = np.empty(0, np.int64)

    def feed(self, data: Buffer) -> Iterator[bytes]:
        """Take the next bytes and give the chunks that are certain; the iterator must be gone through to its end."""
        with memoryview(data) as view:
            for at in range(0, len(view), _BLOCK):
                self._held += view[at : at + _BLOCK]
                if len(self._held) - self._scanned >= _BLOCK:
                    yield from self._cut()

    def finish(self) -> Iterator[bytes]:
        """Give the remaining chunks, of which the last may be shorter than 8 KiB; then begin anew."""
        yield from self._cut()
        if self._held:
            yield bytes(self._held)
        self._held, self._scanned, self._ends = bytearray(), 0, self._ends[:0]

    def _cut(self) -> list[bytes]:
        """Scan what is held and cut it wherever that is certain."""
        self._scan()
        chunks, start = [], 0
        with memoryview(self._held) as view:
            while (end := self._next_end(start)) is not None:
                chunks.append(bytes(view[start:end]))
                start = end
        del self._held[:start]
        self._scanned -= start
        self._ends = self._ends[np.searchsorted(self._ends, start, side="right") :] - start
        return chunks

    def _scan(self) -> None:
        """Find the places in what is held where the hash would end a chunk."""
        while self._scanned < len(self._held):
            # A place in the first 64 bytes lacks some of its window, but there no chunk ends.
            base = max(self._scanned - _WINDOW, 0)
            with memoryview(self._held) as view, view[base : base + _WINDOW + _BLOCK] as block:
                ends = self._scanner.ends(block) + base
                self._ends = np.concatenate((self._ends, ends[ends > self._scanned]))
                self._scanned = base + len(block)

    def _next_end(self, start: int) -> int | None:
        """Where the chunk that begins at `start` ends, as far as that is known."""
        later = np.searchsorted(self._ends, start + MIN_CHUNK_BYTES)
        end = start + MAX_CHUNK_BYTES
        if later < len(self._ends):
            end = min(end, int(self._ends[later]))
        return end if end <= self._scanned else None


class _Scanner:
    """The hash at every position of a block, and the positions where it ends a chunk. Keeps its arrays: they are large.

    A block is read as rows of eight bytes, one array for each of the eight columns. Down the columns the hash of every
    row comes together in seven steps; three more give the hash over each row and the seven before it, 64 bytes; from
    there the eight positions of the next row are eight steps of the recurrence, for all rows at once.
    """

    def __init__(self) -> None:
        rows = (_WINDOW + _BLOCK) // _LANES
        self._padded = np.zeros(rows * _LANES, np.uint8)
        self._bytes = np.empty((_LANES, rows), np.intp)
        self._gears = np.empty((_LANES, rows), np.uint64)
        self._found = np.empty((_LANES, rows), np.bool_)
        self._hash, self._shifted = np.empty(rows, np.uint64), np.empty(rows, np.uint64)

    def ends(self, block: memoryview) -> NDArray[np.int64]:
        """Where chunks may end in a block, as the offsets after their last byte, ascending.

        The block's first 63 positions are guesses: their window is not whole.
        """
        rows = -(-len(block) // _LANES)
        # What an earlier block left behind the end is found as well, and left out below.
        self._padded[: len(block)] = block
        found = self._found_in(self._padded[: rows * _LANES].reshape(rows, _LANES).T)
        lane, row = np.divmod(np.flatnonzero(found), rows)
        ends = np.sort(row * _LANES + lane + 1)
        return ends[ends <= len(block)]

    def _found_in(self, columns: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """[8, rows] whether the hash ends a chunk, for bytes [8, rows]."""
        rows = columns.shape[1]
        places, gears, found = (
            _first(self._bytes, rows),
            _first(self._gears, rows),
            _first(self._found, rows),
        )
        places[...] = columns
        np.take(GEAR_TABLE, places, out=gears, mode="clip")
        h = self._before_each_row(gears)
        for lane in range(_LANES):
            _step(h, gears[lane])
            np.less(h, _LIMIT, out=found[lane])
        return found

    def _before_each_row(self, gears: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """[rows] the hash at the end of the row before each row, over 64 bytes; gears are [8, rows]."""
        h, shifted = self._hash[: gears.shape[1]], self._shifted[: gears.shape[1]]
        h[:] = gears[0]
        for lane in range(1, _LANES):
            _step(h, gears[lane])
        width = _LANES
        while width < _WINDOW:
            rows = width // _LANES
            np.left_shift(h, np.uint64(width), out=shifted)
            h[rows:] += shifted[:-rows]
            width *= 2
        shifted[1:], shifted[0] = h[:-1], 0
        return shifted


def _first(array: _Lanes, rows: int) -> _Lanes:
    """[8, rows] the front of an array's memory, so that a short block stays as compact as a long one."""
    return cast(_Lanes, array.reshape(-1)[: _LANES * rows].reshape(_LANES, rows))


def _step(h: NDArray[np.uint64], gears: NDArray[np.uint64]) -> None:
    """One byte further, for all rows in place."""
    np.left_shift(h, _ONE, out=h)
    np.add(h, gears, out=h)


def chunks_of(stream: BinaryIO) -> Iterator[bytes]:
    """The chunks of a stream, 8 to 128 KiB each, the last one of any size; none for an empty stream."""
    chunker = Chunker()
    while data := stream.read(_BLOCK):
        yield from chunker.feed(data)
    yield from chunker.finish()
