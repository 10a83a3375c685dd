"""From a file's terms to the bytes: which chunks cover a range, where they lie in stored xorbs, and reading them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

import numpy as np

from hutch.core.errors import RangeNotSatisfiable
from hutch.xet.index import XorbIndex
from hutch.xet.terms import Term, size_of
from hutch.xet.xorb import read_frames

IndexOf: TypeAlias = Callable[[bytes], XorbIndex]
OpenXorb: TypeAlias = Callable[[bytes, int, int], BinaryIO]
"""Opens bytes `start` to `end` (exclusive) of the xorb of a hash, as `BlobStore.open` does; the reader closes it."""


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive chunks of one xorb and where their frames lie. Every end is exclusive; HTTP counts one less."""

    start: int
    end: int
    byte_start: int
    byte_end: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a reconstruction answers."""

    offset_into_first_range: int
    """How many raw bytes of the first term stand before the range."""
    terms: list[Term]
    """In the file's order, cut to the chunks that the range touches."""
    xorbs: dict[bytes, list[Run]]
    """What to fetch: for each xorb its runs in order, neighbours and overlaps merged; a term lies in exactly one."""


def plan(terms: list[Term], index_of: IndexOf, start: int = 0, end: int | None = None) -> Plan:
    """How to get bytes `start` to `end` (exclusive, clamped to the size; None: to the last) of a file.

    Asks once for the index of each xorb that the range touches. An empty file has an empty plan from byte 0.
    Raises RangeNotSatisfiable when `start` is negative, at or behind the end, or not before `end`.
    """
    end = _clamped(terms, start, end)
    offset, cut = 0, list[Term]()
    runs: dict[bytes, list[tuple[int, int]]] = {}
    indexes: dict[bytes, XorbIndex] = {}
    for term, first, last in _touched(terms, start, end):
        index = indexes.get(term.xorb) or indexes.setdefault(term.xorb, index_of(term.xorb))
        piece, before = _narrow(term, index, first, last)
        offset = offset if cut else before
        cut.append(piece)
        runs.setdefault(term.xorb, []).append((piece.start, piece.end))
    return Plan(offset, cut, {xorb: _runs(indexes[xorb], ranges) for xorb, ranges in runs.items()})


def _clamped(terms: list[Term], start: int, end: int | None) -> int:
    size = size_of(terms)
    end = size if end is None else min(end, size)
    if not 0 <= start < end and (start, end) != (0, 0):
        raise RangeNotSatisfiable(size)
    return end


def _touched(terms: list[Term], start: int, end: int) -> Iterator[tuple[Term, int, int]]:
    """The terms that hold bytes `start` to `end` of the file, each with the part of its own bytes, end exclusive."""
    at = 0
    for term in terms:
        if at >= end:
            return
        if at + term.raw_bytes > start:
            yield term, max(start - at, 0), min(end - at, term.raw_bytes)
        at += term.raw_bytes


def _narrow(term: Term, index: XorbIndex, first: int, last: int) -> tuple[Term, int]:
    """The fewest chunks with raw bytes `first` to `last` of a term, and how many bytes they begin before `first`."""
    index.check_range(term.start, term.end)
    origin = int(index.raw_offsets[term.start])
    start = int(np.searchsorted(index.raw_offsets, origin + first, side="right")) - 1
    end = int(np.searchsorted(index.raw_offsets, origin + last, side="left"))
    piece = Term(term.xorb, start, end, index.raw_length(start, end))
    return piece, origin + first - int(index.raw_offsets[start])


def _runs(index: XorbIndex, ranges: list[tuple[int, int]]) -> list[Run]:
    """Chunk ranges of one xorb, in order, merged where they touch or overlap."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return [Run(start, end, *index.frame_range(start, end)) for start, end in merged]


def read_range(
    terms: list[Term],
    index_of: IndexOf,
    open_xorb: OpenXorb,
    start: int = 0,
    end: int | None = None,
    *,
    verify: bool = False,
) -> Iterator[bytes]:
    """The plain bytes `start` to `end` (exclusive, clamped) of a file, chunk by chunk; memory for one chunk.

    One `open_xorb` a term. Lengths are checked, hashes only with `verify`. Raises as `plan` does, DamagedXorb for
    stored frames that are not what the index says, and what `index_of` and `open_xorb` raise.
    """
    end = _clamped(terms, start, end)
    return _read(terms, index_of, open_xorb, start, end, verify)


def _read(
    terms: list[Term], index_of: IndexOf, open_xorb: OpenXorb, start: int, end: int, verify: bool
) -> Iterator[bytes]:
    for term, first, last in _touched(terms, start, end):
        index = index_of(term.xorb)
        piece, skip = _narrow(term, index, first, last)
        left = last - first
        with open_xorb(term.xorb, *index.frame_range(piece.start, piece.end)) as stream:
            for raw in read_frames(stream, piece.start, piece.end, index, verify=verify):
                yield raw[skip : skip + left] if skip or left < len(raw) else raw
                left -= len(raw) - skip
                skip = 0
