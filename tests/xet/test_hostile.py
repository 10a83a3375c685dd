"""What a sender may try: whatever the bytes, the answer is a valid object or an error of our tree, in little memory."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable

import lz4.frame
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hutch.core.errors import HutchError
from hutch.xet import shard_format as form
from hutch.xet.errors import BadShard, BadXorb, DamagedRecord
from hutch.xet.frames import BG4_LZ4, LZ4, PLAIN, join_planes, split_planes
from hutch.xet.index import XorbIndex
from hutch.xet.shard import build_dedupe, build_upload, parse
from hutch.xet.terms import unpack_terms
from hutch.xet.xorb import MAX_CHUNKS, MAX_DATA_BYTES, XorbBuilder, decode_frames, scan
from tests.xet.conftest import KINDS, Hub, content


def frame(
    data: bytes, raw_bytes: int, scheme: int = LZ4, version: int = 0, stored: int | None = None
) -> bytes:
    stored = len(data) if stored is None else stored
    return struct.pack("<II", version | stored << 8, scheme | raw_bytes << 8) + data


def refused(data: bytes) -> BadXorb:
    with pytest.raises(BadXorb) as error:
        scan(data)
    return error.value


# -- xorbs


@pytest.mark.parametrize("scheme", [LZ4, BG4_LZ4])
@pytest.mark.parametrize("raw_bytes", [1, 4096, 131072])
def test_a_decompression_bomb_stops_at_the_claimed_length(scheme: int, raw_bytes: int) -> None:
    bomb = lz4.frame.compress(bytes(40_000_000), block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    assert len(bomb) < 262144
    tracemalloc.start()
    error = refused(frame(bomb, raw_bytes, scheme))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.value == raw_bytes + 1
    assert peak < 1_000_000


def test_a_frame_that_ends_early_is_refused() -> None:
    assert "claimed are 131072" in refused(frame(lz4.frame.compress(bytes(131071)), 131072)).message
    assert "claimed are 5" in refused(frame(lz4.frame.compress(b""), 5)).message


def test_a_frame_that_lies_about_its_content_size_is_refused() -> None:
    honest = bytearray(lz4.frame.compress(b"x" * 1000, store_size=True))
    for lie in (0, 999, 1001, 1 << 32, (1 << 64) - 1):
        honest[6:14] = lie.to_bytes(8, "little")
        refused(frame(bytes(honest), 1000))


def test_bytes_after_a_frame_are_refused() -> None:
    one = lz4.frame.compress(b"x" * 1000)
    skippable = b"\x50\x2a\x4d\x18\x04\0\0\0abcd"
    for data in (
        one + b"\0",
        one + one,
        one + skippable,
        skippable + one,
        skippable,
        one[:-1],
        one[:-4],
        b"\0" * 50,
    ):
        refused(frame(data, 1000))
    refused(frame(one, 1000) + b"\0")
    refused(frame(one, 1000) + b"\0" * 8)
    refused(frame(one, 1000) + b"XETBLO")


@pytest.mark.parametrize(
    ("header", "field"),
    [
        (frame(b"x", 1, PLAIN, version=1), "version"),
        (frame(b"x", 1, PLAIN, version=255), "version"),
        (frame(b"x", 0, PLAIN), "raw length"),
        (frame(b"", 0, PLAIN), "raw length"),
        (frame(b"x" * 131073, 131073, PLAIN), "raw length"),
        (frame(b"x", 0xFFFFFF, LZ4), "raw length"),
        (frame(b"", 1, LZ4), "stored length"),
        (frame(b"x", 1, LZ4, stored=0xFFFFFF), "stored length"),
        (frame(b"x" * 262145, 1, LZ4), "stored length"),
        (frame(b"x", 1, PLAIN, stored=2), "stored length"),
        (frame(b"xx", 1, PLAIN), "scheme"),
        (frame(b"x", 2, PLAIN), "scheme"),
        (frame(b"x", 1, 3), "scheme"),
        (frame(b"x", 1, 99), "scheme"),
        (frame(b"x", 1, PLAIN)[:7], "header"),
        (b"", "chunks"),
        (b"XETBLOB" + b"\0" * 100, "chunks"),
    ],
)
def test_a_bad_header_is_named(header: bytes, field: str) -> None:
    assert refused(header).field == field


def test_more_chunks_or_bytes_than_allowed_are_refused() -> None:
    one = frame(b"x", 1, PLAIN)
    assert scan(one * MAX_CHUNKS).count == MAX_CHUNKS
    assert refused(one * (MAX_CHUNKS + 1)).limit == MAX_CHUNKS
    large = frame(bytes(131072), 131072, PLAIN)
    assert scan(large * 512).raw_bytes == 64 * 1024 * 1024
    assert refused(large * 513).limit == MAX_DATA_BYTES


def test_uncompressible_chunks_may_fill_a_xorb_to_its_raw_limit() -> None:
    """hf_xet counts raw bytes: their headers come on top of the 64 MiB."""
    builder = XorbBuilder()
    raw = content("random", 8192)
    while not builder.is_full(len(raw)):
        builder.add(raw, b"?" * 32)
    data, _, _ = builder.build()
    assert len(data) == 64 * 1024 * 1024 + 8 * MAX_CHUNKS
    assert scan(data).count == MAX_CHUNKS


@given(st.binary(max_size=200_000))
def test_planes_of_any_bytes_come_back_as_they_were(raw: bytes) -> None:
    assert bytes(join_planes(split_planes(raw))) == raw


# -- anything


def valid_xorb() -> tuple[bytes, bytes, list[bytes]]:
    builder = XorbBuilder()
    chunks = [content(kind, size, size) for kind in KINDS for size in (1, 6, 300)]
    for chunk in chunks:
        builder.add(chunk)
    data, name, _ = builder.build()
    return data, name, chunks


def valid_shards() -> tuple[bytes, bytes]:
    hub = Hub()
    first = hub.store([b"one", b"two", content("text", 3000)])
    second = hub.store([content("random", 50)])
    files = [hub.entry([(first, 0, 3), (second, 0, 1)], "ab" * 32), hub.entry([(second, 0, 1)])]
    return build_upload(files, hub.indexes.items()), build_dedupe(hub.indexes.items(), b"k" * 32, 1, 2)


XORB, XORB_NAME, XORB_CHUNKS = valid_xorb()
UPLOAD, REPLY = valid_shards()
INDEX = scan(XORB)

INTERESTING = [
    b"\0",
    b"\xff",
    b"\x7f",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\1\0\0\0",
    b"\0\x20\0\0",
    b"XETBLOB",
    b"\xff" * 32,
]


@st.composite
def mutations(draw: st.DrawFn, valid: bytes) -> bytes:
    """A valid object with a few bytes changed, inserted, removed or moved."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        length = draw(st.integers(0, 60))
        new = draw(st.sampled_from(INTERESTING) | st.binary(max_size=8))
        how = draw(st.sampled_from(["replace", "insert", "remove", "repeat", "cut"]))
        if how == "replace":
            data[at : at + len(new)] = new
        elif how == "insert":
            data[at:at] = new
        elif how == "remove":
            del data[at : at + length]
        elif how == "repeat":
            data[at:at] = data[at : at + length]
        else:
            del data[at:]
    return bytes(data)


@settings(max_examples=400)
@given(mutations(XORB))
def test_a_mutated_xorb_is_refused_or_holds_the_same_chunks(data: bytes) -> None:
    """A frame's own flags may differ and decode alike: the name is over the chunks."""
    try:
        index = scan(data, XORB_NAME)
    except BadXorb:
        return
    assert list(decode_frames(data, 0, index.count, index, verify=True)) == XORB_CHUNKS


@settings(max_examples=200)
@given(mutations(XORB))
def test_a_mutated_stored_xorb_is_read_with_an_error_or_not_at_all_wrong(data: bytes) -> None:
    try:
        chunks = list(decode_frames(data, 0, INDEX.count, INDEX, verify=True))
    except HutchError:
        return
    assert chunks == XORB_CHUNKS


@settings(max_examples=400)
@given(mutations(UPLOAD) | mutations(REPLY))
def test_a_mutated_shard_is_refused_or_parsed_within_bounds(data: bytes) -> None:
    try:
        shard = parse(data)
    except BadShard:
        return
    for entry in shard.files:
        assert all(0 <= term.start < term.end <= MAX_CHUNKS for term in entry.terms)
    assert sum(len(xorb.table) for xorb in shard.xorbs) * form.RECORD_BYTES <= len(data)


READERS: list[Callable[[bytes], object]] = [scan, parse, XorbIndex.unpack, unpack_terms]
BEGINNINGS = [
    b"",
    XORB[:9],
    UPLOAD[:48],
    UPLOAD[:144],
    b"XIX1",
    b"XFT1",
    b"XIX1\xff\xff\xff\xff",
    b"XFT1\xff\xff\xff\xff",
]


@settings(max_examples=300)
@given(st.sampled_from(READERS), st.sampled_from(BEGINNINGS), st.binary(max_size=600))
@example(parse, UPLOAD[:48], form.FILE.pack(bytes(32), 3 << 30, 0xFFFFFFFF) + bytes(500))
@example(
    parse, UPLOAD[:48], form.BOOKEND + form.XORB.pack(bytes(32), 0, 8192, 0xFFFFFFFF, 0) + bytes(48 * 20)
)
@example(scan, b"", frame(b"", 131072, LZ4, stored=262144))
def test_any_bytes_are_read_or_refused_in_little_memory(
    read: Callable[[bytes], object], beginning: bytes, rest: bytes
) -> None:
    tracemalloc.start()
    try:
        read(beginning + rest)
    except (BadXorb, BadShard, DamagedRecord):
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 400_000


@given(mutations(INDEX.pack()))
def test_a_mutated_index_is_refused_or_within_bounds(packed: bytes) -> None:
    try:
        index = XorbIndex.unpack(packed)
    except DamagedRecord:
        return
    assert index.pack() == packed
    assert index.raw_bytes <= index.count * 131072
