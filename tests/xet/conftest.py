"""Xorbs and files of every kind of content, made small."""

from __future__ import annotations

import random
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

import numpy as np

from hutch.xet.errors import UnknownXorb
from hutch.xet.hashes import file_hash, range_hash
from hutch.xet.index import XorbIndex
from hutch.xet.shard import FileEntry
from hutch.xet.terms import Term
from hutch.xet.xorb import XorbBuilder


def content(kind: str, size: int, seed: int = 0) -> bytes:
    """Bytes that compress in one of the three ways, or not."""
    rng = np.random.default_rng(seed)
    if kind == "zeros":
        return bytes(size)
    if kind == "random":
        return rng.bytes(size)
    if kind == "floats":
        return rng.normal(0, 0.02, size // 4 + 1).astype(np.float32).tobytes()[:size]
    words = [w.encode() for w in "the model card of a dataset says what it is for and what it is not".split()]
    picked = random.Random(seed).choices(words, k=size // 3 + 1)
    return b" ".join(picked)[:size]


KINDS = ["zeros", "random", "floats", "text"]


class Hub:
    """Xorbs in memory, as `index_of` and `open_xorb` want them."""

    def __init__(self) -> None:
        self.xorbs: dict[bytes, bytes] = {}
        self.indexes: dict[bytes, XorbIndex] = {}
        self.opened: list[tuple[bytes, int, int]] = []

    def store(self, chunks: Sequence[bytes]) -> bytes:
        builder = XorbBuilder()
        for chunk in chunks:
            builder.add(chunk)
        data, name, index = builder.build()
        self.xorbs[name], self.indexes[name] = data, index
        return name

    def index_of(self, xorb: bytes) -> XorbIndex:
        if xorb not in self.indexes:
            raise UnknownXorb(field="xorb")
        return self.indexes[xorb]

    def open_xorb(self, xorb: bytes, start: int, end: int) -> BinaryIO:
        self.opened.append((xorb, start, end))
        return BytesIO(self.xorbs[xorb][start:end])

    def entry(self, runs: Sequence[tuple[bytes, int, int]], sha256: str | None = None) -> FileEntry:
        """The true description of a file that is these (xorb, start, end) runs."""
        terms = [Term(x, a, b, self.indexes[x].raw_length(a, b)) for x, a, b in runs]
        proofs = [range_hash(self.indexes[x].hashes(a, b)) for x, a, b in runs]
        leaves = [
            (self.indexes[x].hash(c), self.indexes[x].raw_length(c, c + 1))
            for x, a, b in runs
            for c in range(a, b)
        ]
        return FileEntry(file_hash(leaves), terms, proofs, sha256)
