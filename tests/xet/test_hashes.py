"""Hashes: the published vectors, the plain definition of the tree, and any order of arrival."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.xet.errors import BadHash
from hutch.xet.hashes import (
    ZERO,
    chunk_hash,
    file_hash,
    from_hex,
    hmac_hash,
    is_dedupe_eligible,
    merkle_root,
    node_hash,
    range_hash,
    to_hex,
    xorb_hash,
)
from hutch.xet.merkle import MerkleTree

Leaf = tuple[bytes, int]

# Appendix "Test Vectors" of the Internet-Draft draft-denis-xet.
FIRST = "c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69"
SECOND = "6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22"


def test_a_chunks_hash_is_the_published_one() -> None:
    published = "a29cfb08e608d4d8726dd8659a90b9134b3240d5d8e42d5fcb28e2a6e763a3e8"
    assert chunk_hash(b"Hello World!") == bytes.fromhex(published)
    assert (
        to_hex(chunk_hash(b"Hello World!"))
        == "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb"
    )


def test_the_string_form_is_the_published_one() -> None:
    text = "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918"
    assert to_hex(bytes(range(32))) == text
    assert from_hex(text) == bytes(range(32))
    assert from_hex(FIRST).hex() == "aad4607a38588fc2777f7cda1c310c209e86f564486186f6694aa1d065f7ebad"


def test_a_nodes_and_a_ranges_hash_are_the_published_ones() -> None:
    leaves = [(from_hex(FIRST), 100), (from_hex(SECOND), 200)]
    published = "be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14"
    assert to_hex(node_hash(leaves)) == to_hex(merkle_root(leaves)) == published
    assert (
        to_hex(range_hash(h for h, _ in leaves))
        == "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768"
    )


@given(st.binary(min_size=32, max_size=32))
def test_the_string_form_goes_both_ways(h: bytes) -> None:
    assert from_hex(to_hex(h)) == h


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0" * 63,
        "0" * 65,
        "A" * 64,
        "0" * 63 + "\n",
        "g" * 64,
        " " + "0" * 63,
        "０" * 64,
        "0x" + "0" * 62,
        "+" + "0" * 63,
    ],
)
def test_anything_else_is_no_hash(text: str) -> None:
    with pytest.raises(BadHash) as refused:
        from_hex(text)
    assert refused.value.field == "hash"


@given(st.text())
def test_any_text_is_a_hash_or_refused(text: str) -> None:
    try:
        assert to_hex(from_hex(text)) == text
    except BadHash:
        assert len(text) != 64 or not set(text) <= set("0123456789abcdef")


def by_definition(leaves: list[Leaf]) -> bytes:
    """The tree as the specification words it, level by level."""
    while len(leaves) > 1:
        parents: list[Leaf] = []
        at = 0
        while at < len(leaves):
            group = leaves[at : at + 9]
            if len(leaves) - at > 2:
                cuts = [i for i in range(2, len(group)) if group[i][0][24] & 3 == 0]
                group = group[: cuts[0] + 1] if cuts else group
            parents.append((node_hash(group), sum(size for _, size in group)))
            at += len(group)
        leaves = parents
    return leaves[0][0] if leaves else ZERO


def some_leaves(count: int, rng: random.Random) -> list[Leaf]:
    return [(rng.randbytes(32), rng.randrange(1, 1 << 17)) for _ in range(count)]


@pytest.mark.parametrize("cutting", [None, 0, 1])
def test_the_tree_is_the_one_of_the_definition(cutting: int | None) -> None:
    """Also where every leaf cuts, and where none does."""
    rng = random.Random(7)
    for count in [*range(90), 1000, 40000]:
        leaves = some_leaves(count, rng)
        if cutting is not None:
            leaves = [(h[:24] + bytes([cutting]) + h[25:], size) for h, size in leaves]
        assert merkle_root(leaves) == by_definition(leaves)


@given(st.integers(0, 400), st.lists(st.integers(0, 50), max_size=60), st.integers(0, 1 << 30))
def test_leaves_may_arrive_in_any_portions(count: int, portions: list[int], seed: int) -> None:
    leaves = some_leaves(count, random.Random(seed))
    tree, at = MerkleTree(), 0
    for portion in [*portions, count]:
        part = leaves[at : at + portion]
        tree.add(b"".join(h for h, _ in part), np.array([size for _, size in part], np.uint32))
        at += len(part)
    assert tree.root() == by_definition(leaves)


def test_sizes_beyond_32_bits_add_up() -> None:
    leaves = [(bytes([i]) * 32, 1 << 40) for i in range(100)]
    assert merkle_root(leaves) == by_definition(leaves)


def test_leaves_of_another_length_are_refused() -> None:
    with pytest.raises(BadHash):
        merkle_root([(b"short", 1)])


def test_a_single_chunk_names_its_xorb_but_not_its_file() -> None:
    leaf = (chunk_hash(b"x"), 1)
    assert xorb_hash([leaf]) == leaf[0] != file_hash([leaf])
    assert xorb_hash([]) == file_hash([]) == ZERO


def test_one_chunk_in_a_thousand_is_asked_for_across_the_hub() -> None:
    assert is_dedupe_eligible(bytes(24) + (1024 * 77).to_bytes(8, "little"))
    assert not is_dedupe_eligible(bytes(24) + (1024 * 77 + 1).to_bytes(8, "little"))
    assert hmac_hash(ZERO, b"k" * 32) != hmac_hash(ZERO, b"l" * 32)
