"""Xorbs: what is built is read back, and nothing else is."""

from __future__ import annotations

import mmap
from io import BytesIO
from pathlib import Path

import pytest

from hutch.xet.errors import BadFile, BadXorb, DamagedRecord, DamagedXorb
from hutch.xet.frames import BG4_LZ4, LZ4, PLAIN
from hutch.xet.hashes import chunk_hash, xorb_hash
from hutch.xet.index import XorbIndex
from hutch.xet.xorb import XorbBuilder, decode_frames, read_frames, scan
from tests.xet.conftest import KINDS, content

SIZES = [1, 2, 3, 4, 5, 7, 63, 64, 1000, 65536, 131071, 131072]


def built(chunks: list[bytes]) -> tuple[bytes, bytes, XorbIndex]:
    builder = XorbBuilder()
    assert [builder.add(chunk) for chunk in chunks] == list(range(len(chunks)))
    return builder.build()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_built_is_scanned_and_decoded_back(kind: str) -> None:
    chunks = [content(kind, size, size) for size in SIZES]
    data, name, index = built(chunks)
    assert name == xorb_hash([(chunk_hash(chunk), len(chunk)) for chunk in chunks])
    assert scan(data, name) == index
    assert list(decode_frames(data, 0, len(chunks), index, verify=True)) == chunks
    first, last = index.frame_range(3, 9)
    assert list(read_frames(BytesIO(data[first:last]), 3, 9, index)) == chunks[3:9]
    assert (index.data_bytes, index.raw_bytes) == (len(data), sum(SIZES))


def test_each_content_gets_the_scheme_that_suits_it() -> None:
    schemes = {kind: built([content(kind, 65536)])[0][4] for kind in KINDS}
    assert schemes == {"zeros": LZ4, "random": PLAIN, "floats": BG4_LZ4, "text": LZ4}


def test_a_file_gets_the_same_bytes_as_build_gives() -> None:
    builder = XorbBuilder()
    builder.add(b"a")
    builder.add(b"b" * 70000)
    target = BytesIO()
    name, index = builder.write(target)
    assert (target.getvalue(), name, index) == builder.build()


def test_a_footer_is_neither_read_nor_counted() -> None:
    data, name, index = built([b"one", b"two"])
    scanned = scan(data + b"XETBLOB" + b"anything", name)
    assert scanned == index
    assert scanned.data_bytes == len(data)


def test_another_name_than_expected_is_refused() -> None:
    data, _, _ = built([b"one"])
    with pytest.raises(BadXorb, match="its name says"):
        scan(data, bytes(32))


def test_an_mmap_can_be_closed_after_a_scan_and_after_a_refusal(tmp_path: Path) -> None:
    data, name, _ = built([content(kind, 70000) for kind in KINDS])
    for ending in (b"", b"\0\xff", data[:50]):
        (tmp_path / "xorb").write_bytes(data + ending)
        with (tmp_path / "xorb").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            try:
                scan(mapped, name)
            except BadXorb as error:
                kept = error  # with its traceback
                mapped.close()
                assert kept.status == 400
            else:
                mapped.close()


def test_a_range_that_a_xorb_does_not_have_is_refused() -> None:
    data, _, index = built([b"one", b"two"])
    for start, end in [(1, 1), (1, 0), (0, 3), (-1, 1), (5, 6)]:
        with pytest.raises(BadFile):
            index.frame_range(start, end)
        with pytest.raises(BadFile):
            list(decode_frames(data, start, end, index))


def test_a_damaged_stored_xorb_is_named_when_it_is_read() -> None:
    chunks = [content("random", 1000), content("text", 1000)]
    data, _, index = built(chunks)
    flipped = bytearray(data)
    flipped[100] ^= 1
    assert next(decode_frames(bytes(flipped), 0, 1, index)) != chunks[0]
    with pytest.raises(DamagedXorb, match="another hash"):
        next(decode_frames(bytes(flipped), 0, 1, index, verify=True))
    with pytest.raises(DamagedXorb):
        list(decode_frames(data[:-1], 0, 2, index))
    with pytest.raises(DamagedXorb):
        list(read_frames(BytesIO(data[1:]), 0, 2, index))


def test_a_builder_refuses_what_has_no_place() -> None:
    builder = XorbBuilder()
    for refused in (b"", bytes(131073)):
        with pytest.raises(BadXorb):
            builder.add(refused)
    for _ in range(512):
        builder.add(bytes(131072))
    assert builder.is_full()
    with pytest.raises(BadXorb, match="full"):
        builder.add(b"x")


def test_an_index_survives_packing_and_refuses_any_cut() -> None:
    _, _, index = built([content(kind, 5000) for kind in KINDS])
    packed = index.pack()
    assert len(packed) == 8 + 4 * 40
    assert XorbIndex.unpack(packed) == index
    for cut in range(len(packed)):
        with pytest.raises(DamagedRecord):
            XorbIndex.unpack(packed[:cut])
