"""The Merkle tree over chunks, built from the left with at most eight nodes waiting on each level.

Groups are cut by content: from its third node on, a group ends at a node whose last 64-bit word is divisible by
four, and at nine nodes. Source: the Xet specification, "Hashing", held against hf_xet.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from hutch.xet.errors import BadHash

NODE_KEY = bytes.fromhex("017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f")

_FIRST_CUT, _LARGEST = 2, 9
_CUT_BYTE, _CUT_MASK = 24, 3
_HASH_BYTES = 32
_BLOCK = 1 << 15
"""Nodes taken at once: their lines as text are about 3 MB."""

Lengths: TypeAlias = NDArray[np.unsignedinteger]


def hash_of_group(lines: str) -> bytes:
    """The hash of a node, whose children are lines `<hash> : <size>` that end in a line feed."""
    return blake3(lines.encode("ascii"), key=NODE_KEY).digest()


class MerkleTree:
    """Takes leaves in order, any number at a time, and keeps a few nodes for each level whatever their number."""

    def __init__(self) -> None:
        self._levels = [_Level()]

    def add(self, hashes: bytes | memoryview, lengths: Lengths) -> None:
        """Append leaves: hashes back to back, 32 bytes each, and lengths [n] in bytes; BadHash on other sizes."""
        if len(hashes) != len(lengths) * _HASH_BYTES:
            raise BadHash(
                "A hash has 32 bytes", field="hash", value=len(hashes), limit=len(lengths) * _HASH_BYTES
            )
        rows = np.frombuffer(hashes, np.uint8).reshape(-1, _HASH_BYTES)
        for at in range(0, len(rows), _BLOCK):
            self._add(0, rows[at : at + _BLOCK], lengths[at : at + _BLOCK].astype(np.uint64))

    def _add(self, depth: int, hashes: NDArray[np.uint8], lengths: NDArray[np.uint64]) -> None:
        parents = self._levels[depth].add(hashes, lengths)
        if parents is None:
            return
        if depth + 1 == len(self._levels):
            self._levels.append(_Level())
        self._add(depth + 1, *parents)

    def root(self) -> bytes:
        """The root over all leaves; 32 zero bytes where there are none. The tree takes no more leaves afterwards."""
        depth = 0
        while depth + 1 < len(self._levels):
            rest = self._levels[depth].finish()
            if rest is not None:
                self._add(depth + 1, *rest)
            depth += 1
        # The topmost level has made no parent yet: it folds its few nodes until one is left.
        hashes, lengths = self._levels[-1].hashes, self._levels[-1].lengths
        while len(hashes) > 1:
            hashes, lengths = _fold(hashes, lengths, [0])
        return hashes.tobytes() if len(hashes) else bytes(_HASH_BYTES)


class _Level:
    """The nodes of one level that wait for their group to end."""

    def __init__(self) -> None:
        self.hashes = np.empty((0, _HASH_BYTES), np.uint8)
        self.lengths = np.empty(0, np.uint64)

    def add(
        self, hashes: NDArray[np.uint8], lengths: NDArray[np.uint64]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint64]] | None:
        """Append nodes; gives the parents of the groups that ended, or None."""
        nodes = np.concatenate((self.hashes, hashes))
        sizes = np.concatenate((self.lengths, lengths))
        *starts, rest = _starts(nodes)
        self.hashes, self.lengths = nodes[rest:].copy(), sizes[rest:].copy()
        return _fold(nodes[:rest], sizes[:rest], starts) if starts else None

    def finish(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]] | None:
        """The parent of what still waits, even of a single node; None when nothing does."""
        return _fold(self.hashes, self.lengths, [0]) if len(self.hashes) else None


def _starts(nodes: NDArray[np.uint8]) -> list[int]:
    """Where the groups that are certain begin, and last where the uncertain rest does."""
    cuts = ((nodes[:, _CUT_BYTE] & _CUT_MASK) == 0).tobytes()
    starts, start, count = [0], 0, len(nodes)
    while True:
        cut = cuts.find(1, start + _FIRST_CUT, start + _LARGEST)
        start = cut + 1 if cut >= 0 else start + _LARGEST
        if start > count:
            return starts
        starts.append(start)


def _fold(
    nodes: NDArray[np.uint8], sizes: NDArray[np.uint64], starts: list[int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
    """The parents of groups that begin at `starts` and end where the next begins, the last one at the end."""
    digits = np.ascontiguousarray(nodes).view("<u8").astype(">u8").tobytes().hex()
    lines = [f"{digits[64 * i : 64 * i + 64]} : {size}\n" for i, size in enumerate(sizes.tolist())]
    ends = [*starts[1:], len(lines)]
    parents = b"".join(hash_of_group("".join(lines[a:b])) for a, b in zip(starts, ends, strict=True))
    return np.frombuffer(parents, np.uint8).reshape(-1, _HASH_BYTES), np.add.reduceat(sizes, starts)
