"""The hashes of Xet: 32 raw bytes, keyed BLAKE3 under a key for each purpose.

Source: the published Xet specification ("Hashing"), held against hf_xet as a black box. The string form is not
the plain hexadecimal: each group of eight bytes is read as a little-endian number.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence

import numpy as np
from blake3 import blake3

from hutch.xet.buffers import Buffer
from hutch.xet.errors import BadHash
from hutch.xet.merkle import MerkleTree, hash_of_group

HASH_BYTES = 32
ZERO = bytes(HASH_BYTES)
DATA_KEY = bytes.fromhex("6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229")
VERIFICATION_KEY = bytes.fromhex("7f1857d6ce56ed66127ff913e7a5c3f3a4cd26d5b5db49e64124987f28fb94c3")

_HEX = re.compile(r"[0-9a-f]{64}")
_WORDS = struct.Struct("<4Q")
_DEDUPE_MODULUS = 1024


def to_hex(h: bytes) -> str:
    """The string form of a hash of 32 bytes: 64 digits."""
    return "{:016x}{:016x}{:016x}{:016x}".format(*_WORDS.unpack(h))


def from_hex(s: str) -> bytes:
    """The 32 bytes of a string form; raises BadHash for anything but 64 lower-case hexadecimal digits."""
    if not isinstance(s, str) or not _HEX.fullmatch(s):
        raise BadHash(field="hash", value=s, limit="64 lower-case hexadecimal digits")
    return _WORDS.pack(*(int(s[at : at + 16], 16) for at in range(0, 64, 16)))


def chunk_hash(data: Buffer) -> bytes:
    """The hash of a chunk's raw bytes; the GIL is free while it runs."""
    return blake3(data, key=DATA_KEY).digest()


def node_hash(children: Sequence[tuple[bytes, int]]) -> bytes:
    """The hash of an inner node over its children's hashes and sizes in bytes."""
    return hash_of_group("".join(f"{to_hex(h)} : {size}\n" for h, size in children))


def merkle_root(leaves: Sequence[tuple[bytes, int]]) -> bytes:
    """The root over (hash, size in bytes) leaves; one leaf is its own root, none give 32 zero bytes.

    Linear in the leaves, about 1.3 µs each. Who has arrays uses `merkle.MerkleTree`.
    """
    tree = MerkleTree()
    tree.add(b"".join(h for h, _ in leaves), np.array([size for _, size in leaves], np.uint64))
    return tree.root()


def xorb_hash(chunks: Sequence[tuple[bytes, int]]) -> bytes:
    """The name of a xorb, from its (chunk hash, raw size in bytes) pairs in order."""
    return merkle_root(chunks)


def file_hash(chunks: Sequence[tuple[bytes, int]]) -> bytes:
    """The name of a file, from its (chunk hash, raw size in bytes) pairs in order."""
    return file_hash_of(merkle_root(chunks)) if chunks else ZERO


def file_hash_of(root: bytes) -> bytes:
    """A file's hash from the root over its chunks, of which there is at least one."""
    return blake3(root, key=ZERO).digest()


def range_hash(chunk_hashes: Iterable[bytes]) -> bytes:
    """The verification hash of a term: proof that its sender knew the chunks' hashes, which a xorb's hash hides."""
    return range_hash_of(b"".join(chunk_hashes))


def range_hash_of(joined: Buffer) -> bytes:
    """The verification hash, from the chunks' hashes back to back."""
    return blake3(joined, key=VERIFICATION_KEY).digest()


def hmac_hash(h: bytes, key: bytes) -> bytes:
    """A chunk's hash as a dedupe reply shows it, under the reply's key of 32 bytes."""
    return blake3(h, key=key).digest()


def is_dedupe_eligible(h: bytes) -> bool:
    """Whether clients ask for this chunk across the whole hub (a file's first chunk they ask for as well)."""
    return int.from_bytes(h[24:32], "little") % _DEDUPE_MODULUS == 0
