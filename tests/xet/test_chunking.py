"""Chunking and file hashes against hf_xet itself, which knows nothing of us."""

from __future__ import annotations

import random
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import hf_xet
import numpy as np
import pytest

from hutch.xet.chunking import MAX_CHUNK_BYTES, MIN_CHUNK_BYTES, Chunker, chunks_of
from hutch.xet.gear_table import GEAR_TABLE
from hutch.xet.hashes import chunk_hash, file_hash, to_hex
from tests.xet.conftest import KINDS, content

KIB, MIB = 1024, 1024 * 1024
SIZES = [
    0, 1, 2, 63, 64, 65, 8127, 8128, 8 * KIB - 1, 8 * KIB, 8 * KIB + 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1,
    128 * KIB - 1, 128 * KIB, 128 * KIB + 1, 256 * KIB, 256 * KIB + 64, 512 * KIB - 1, MIB, 3 * MIB + 5, 20 * MIB + 1,
]  # fmt: skip


def name_of(chunks: Iterable[bytes]) -> str:
    return to_hex(file_hash([(chunk_hash(chunk), len(chunk)) for chunk in chunks]))


def by_hf_xet(folder: Path, contents: list[bytes]) -> list[str]:
    paths = [folder / str(number) for number in range(len(contents))]
    for path, data in zip(paths, contents, strict=True):
        path.write_bytes(data)
    return [info.hash for info in hf_xet.hash_files([str(path) for path in paths])]


@pytest.mark.parametrize("kind", KINDS)
def test_files_have_the_hash_that_hf_xet_gives_them(kind: str, tmp_path: Path) -> None:
    contents = [content(kind, size, size) for size in SIZES]
    ours = [list(chunks_of(BytesIO(data))) for data in contents]
    assert [b"".join(chunks) for chunks in ours] == contents
    assert [name_of(chunks) for chunks in ours] == by_hf_xet(tmp_path, contents)


def test_files_full_of_cut_marks_are_cut_as_hf_xet_does(tmp_path: Path) -> None:
    """A cut mark everywhere a chunk may not end yet, right where it may, and right before it must."""
    mark = marks(1)[0]
    rng = random.Random(3)
    contents = []
    for place in (64, 8127, 8128, 8190, 8191, 8192, 8193, 131070, 131071, 131072, 131073):
        quiet = bytearray(b"\1" * 300_000)
        quiet[place - len(mark) : place] = mark
        contents.append(bytes(quiet))
    contents.append(b"".join(mark + b"\1" * rng.randrange(0, 20000) for _ in range(400)))
    contents.append(mark * 20000)
    assert [name_of(chunks_of(BytesIO(data))) for data in contents] == by_hf_xet(tmp_path, contents)


def marks(count: int) -> list[bytes]:
    """Windows of 64 bytes after which a chunk may end, found by trying."""
    found = []
    for seed in range(100):
        data = content("random", 256 * KIB, seed)
        h = 0
        for at, byte in enumerate(data):
            h = ((h << 1) + int(GEAR_TABLE[byte])) & (1 << 64) - 1
            if at >= 64 and h < 1 << 48:
                found.append(data[at - 63 : at + 1])
                if len(found) == count:
                    return found
    raise AssertionError("no mark found")


def test_how_the_bytes_arrive_makes_no_difference() -> None:
    data = content("random", 900_000, 5) + content("zeros", 400_000) + content("text", 300_000)
    whole = list(chunks_of(BytesIO(data)))
    rng = random.Random(1)
    chunker = Chunker()
    for sizes in ([1, 3, 1000], [65536], [300_000], [len(data)], [100_000, 262_144, 7]):
        pieces, at = [], 0
        while at < len(data):
            step = rng.choice(sizes)
            pieces += chunker.feed(data[at : at + step])
            at += step
        pieces += chunker.finish()
        assert pieces == whole  # and the chunker begins anew


def test_every_chunk_but_the_last_is_within_bounds() -> None:
    for kind in KINDS:
        *chunks, _ = chunks_of(BytesIO(content(kind, 3 * MIB)))
        assert all(MIN_CHUNK_BYTES <= len(chunk) <= MAX_CHUNK_BYTES for chunk in chunks)


def test_an_insertion_changes_few_chunks() -> None:
    data = content("random", 8 * MIB)
    before = set(chunks_of(BytesIO(data)))
    after = set(chunks_of(BytesIO(data[: 4 * MIB] + b"inserted" + data[4 * MIB :])))
    assert len(after - before) <= 3


def test_a_chunker_holds_little_however_much_it_is_fed() -> None:
    chunker = Chunker()
    block = memoryview(np.zeros(64 * MIB, np.uint8)).cast("B")
    assert sum(len(chunk) for chunk in chunker.feed(block)) > 63 * MIB
    assert len(chunker._held) <= MAX_CHUNK_BYTES + 256 * KIB
