"""Files out of xorbs: whether a shard's word is true, what a reconstruction answers, and a file's plain bytes.

Nothing here stores or looks up: the caller gives `index_of`, from a xorb's hash to its chunk table, which raises
UnknownXorb for one that is not here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from hutch.xet.errors import BadFile
from hutch.xet.hashes import ZERO, file_hash_of, range_hash_of, to_hex
from hutch.xet.index import XorbIndex
from hutch.xet.merkle import MerkleTree
from hutch.xet.reconstruction import OpenXorb, Plan, Run, plan, read_range
from hutch.xet.shard import FileEntry, XorbEntry
from hutch.xet.terms import Term, pack_terms, size_of, unpack_terms

MAX_FILE_CHUNKS: Final = 1 << 25
"""2 TiB in chunks of usual size. A term takes 96 bytes and names 8192 chunks: one shard could be days of hashing."""

__all__ = [
    "MAX_FILE_CHUNKS", "OpenXorb", "Plan", "Run", "Term", "check_file", "check_xorb", "hash_of", "pack_terms",
    "plan", "read_range", "size_of", "unpack_terms",
]  # fmt: skip


def check_file(entry: FileEntry, index_of: Callable[[bytes], XorbIndex]) -> int:
    """Hold a file against the stored xorbs that it names; its size in bytes.

    Every term must lie in its xorb and have the length it says. Its verification hash is required and must be right:
    it proves that the sender has seen the chunks, where a xorb's hash alone may have been read in somebody's listing.
    The file's hash is computed anew. Linear in the chunks, about 1 µs each; memory for one term.

    Raises BadFile, and what `index_of` raises.
    """
    if entry.range_hashes is None or len(entry.range_hashes) != len(entry.terms):
        raise BadFile(
            f"File {to_hex(entry.hash)} comes without a verification hash for each term", field="verification"
        )
    chunks = sum(term.end - term.start for term in entry.terms)
    if chunks > MAX_FILE_CHUNKS:
        raise BadFile(
            f"File {to_hex(entry.hash)} has {chunks} chunks, allowed are {MAX_FILE_CHUNKS}",
            field="chunks", value=chunks, limit=MAX_FILE_CHUNKS,
        )  # fmt: skip
    tree = MerkleTree()
    for term, proof in zip(entry.terms, entry.range_hashes, strict=True):
        index = index_of(term.xorb)
        _check_length(term, index)
        _same("verification hash", range_hash_of(index.joined(term.start, term.end)), proof, term.xorb)
        _add_term(tree, term, index)
    _same("file hash", _root_of(tree, entry.terms), entry.hash, entry.hash)
    return size_of(entry.terms)


def hash_of(terms: list[Term], index_of: Callable[[bytes], XorbIndex]) -> bytes:
    """The hash of a file of these terms, by the chunk tables. Raises BadFile for a term that its xorb does not have."""
    tree = MerkleTree()
    for term in terms:
        index = index_of(term.xorb)
        _check_length(term, index)
        _add_term(tree, term, index)
    return _root_of(tree, terms)


def _root_of(tree: MerkleTree, terms: list[Term]) -> bytes:
    return file_hash_of(tree.root()) if terms else ZERO


def _add_term(tree: MerkleTree, term: Term, index: XorbIndex) -> None:
    lengths = index.raw_lengths[term.start : term.end].astype(np.uint64)
    tree.add(index.joined(term.start, term.end), lengths)


def _check_length(term: Term, index: XorbIndex) -> None:
    raw_bytes = index.raw_length(term.start, term.end)
    if raw_bytes != term.raw_bytes:
        raise BadFile(
            f"Chunks {term.start} to {term.end} of xorb {to_hex(term.xorb)} have {raw_bytes} bytes, the term says "
            f"{term.raw_bytes}",
            field="unpacked length", value=term.raw_bytes, limit=raw_bytes,
        )  # fmt: skip


def _same(what: str, found: bytes, said: bytes, where: bytes) -> None:
    # What the right value is stays unsaid: it is the proof that the sender should have had.
    if found != said:
        raise BadFile(
            f"The {what} {to_hex(said)} of {to_hex(where)} is not the one of its chunks",
            field=what,
            value=to_hex(said),
        )


def check_xorb(entry: XorbEntry, index: XorbIndex) -> None:
    """Hold a shard's description of a xorb against the stored one's chunk table; raises BadFile where they differ.

    The stored size is not compared: clients count it in their own ways.
    """
    table = entry.table
    same = (
        len(table) == index.count
        and entry.raw_bytes == index.raw_bytes
        and table["hash"].tobytes() == index.joined_hashes
        and np.array_equal(table["offset"], index.raw_offsets[:-1])
        and np.array_equal(table["length"], index.raw_lengths)
    )
    if not same:
        raise BadFile(
            f"The shard describes xorb {to_hex(entry.hash)} otherwise than it is stored",
            field="xorb",
            value=to_hex(entry.hash),
        )
