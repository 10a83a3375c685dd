"""Shards: what is built is parsed back, whatever else comes is refused with its field named."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

import numpy as np
import pytest

from hutch.xet import shard_format as form
from hutch.xet.errors import BadShard
from hutch.xet.hashes import hmac_hash
from hutch.xet.shard import FileEntry, Shard, build_dedupe, build_upload, parse
from tests.xet.conftest import KINDS, Hub, content

SHA256 = "0123456789abcdef" * 4


@pytest.fixture(scope="module")
def hub() -> Hub:
    hub = Hub()
    for seed in range(3):
        hub.store([content(kind, 3000 + seed, seed) for kind in KINDS])
    return hub


@pytest.fixture(scope="module")
def entries(hub: Hub) -> list[FileEntry]:
    first, second, third = hub.indexes
    whole = hub.entry([(first, 0, 4), (second, 1, 2)], SHA256)
    bare = hub.entry([(third, 0, 1)])
    return [whole, FileEntry(bare.hash, bare.terms), FileEntry(bytes(32), [], [])]


@pytest.mark.parametrize("footer", [False, True])
def test_an_upload_is_parsed_back(hub: Hub, entries: list[FileEntry], footer: bool) -> None:
    parsed = parse(build_upload(entries, hub.indexes.items(), footer=footer))
    assert parsed.files == entries
    assert parsed.named_chunks == 6
    assert [x.hash for x in parsed.xorbs] == list(hub.indexes)
    for xorb, index in zip(parsed.xorbs, hub.indexes.values(), strict=True):
        rows = list(
            zip(index.hashes(), index.raw_offsets[:-1].tolist(), index.raw_lengths.tolist(), strict=True)
        )
        assert list(xorb.chunks) == rows
        assert (xorb.raw_bytes, xorb.disk_bytes) == (index.raw_bytes, index.data_bytes)


def test_the_sha256_stands_in_the_swapped_order(hub: Hub, entries: list[FileEntry]) -> None:
    data = build_upload(entries[:1], [])
    assert bytes.fromhex("efcdab8967452301" * 4) in data
    assert parse(data).files[0].sha256 == SHA256


def test_a_dedupe_reply_has_keyed_hashes_and_a_footer(hub: Hub) -> None:
    key = b"k" * 32
    data = build_dedupe(hub.indexes.items(), key, 1000, 2000)
    parsed = parse(data)
    assert parsed.files == []
    for xorb, index in zip(parsed.xorbs, hub.indexes.values(), strict=True):
        assert [h for h, _, _ in xorb.chunks] == [hmac_hash(h, key) for h in index.hashes()]
    footer = form.FOOTER.unpack(data[-form.FOOTER.size :])
    assert footer[9:12] == (key, 1000, 2000)
    assert footer[-1] == len(data) - 200
    assert data[footer[1] : footer[1] + 48] == form.BOOKEND
    assert data[footer[2] : footer[2] + 32] == next(iter(hub.indexes))


def test_chunks_for_the_whole_hub_are_those_marked_and_those_eligible(hub: Hub) -> None:
    (xorb, *_) = parse(build_upload([], hub.indexes.items())).xorbs
    assert xorb.dedupe_chunks() == []
    table = xorb.table.copy()
    table["flags"][2] = form.DEDUPE_CHUNK
    table["hash"][3][24:] = [0, 4, 0, 0, 0, 0, 0, 0]
    marked = parse(_shard(xorbs=[(table, xorb.raw_bytes)])).xorbs[0]
    assert marked.dedupe_chunks() == [table["hash"][2].tobytes(), table["hash"][3].tobytes()]


def _shard(xorbs: list[tuple[np.ndarray, int]], flags: int = 0) -> bytes:
    blocks = [form.XORB.pack(b"x" * 32, flags, len(table), raw, 0) + table.tobytes() for table, raw in xorbs]
    return b"".join([form.HEADER.pack(form.TAG, 2, 0), form.BOOKEND, *blocks, form.BOOKEND])


def test_lookup_tables_before_the_footer_are_skipped(hub: Hub) -> None:
    data = build_upload([], hub.indexes.items(), footer=True)
    body, footer = data[:-200], list(form.FOOTER.unpack(data[-200:]))
    footer[4], footer[6], footer[8] = 1, 2, 3
    tables = bytes(1 * 12 + 2 * 12 + 3 * 16)
    footer[-1] = len(body) + len(tables)
    assert len(parse(body + tables + form.FOOTER.pack(*footer)).xorbs) == 3
    with pytest.raises(BadShard, match="footer offsets"):
        parse(body + tables[:-1] + form.FOOTER.pack(*footer))


HEAD, FILES = 48, 48  # where the first record stands


@pytest.mark.parametrize(
    ("at", "value", "field"),
    [
        (0, b"X", "tag"),
        (32, struct.pack("<Q", 3), "version"),
        (HEAD + 32, struct.pack("<I", 1 << 29), "file flags"),
        (HEAD + 36, b"\xff" * 4, "size of 4294967295 terms"),
        (HEAD + 36, struct.pack("<I", 1000), "size of 1000 terms"),
        (HEAD + 48 + 32, b"\1", "term flags"),
        (HEAD + 48 + 40, struct.pack("<II", 2, 2), "chunk range"),
        (HEAD + 48 + 40, struct.pack("<II", 3, 2), "chunk range"),
        (HEAD + 48 + 40, struct.pack("<II", 0, 8193), "chunk range"),
        (HEAD + 48 + 40, b"\xff" * 8, "chunk range"),
    ],
)
def test_a_bad_field_is_named(hub: Hub, entries: list[FileEntry], at: int, value: bytes, field: str) -> None:
    data = build_upload(entries[:1], hub.indexes.items())
    with pytest.raises(BadShard) as refused:
        parse(data[:at] + value + data[at + len(value) :])
    assert refused.value.field == field
    assert refused.value.value is not None
    assert refused.value.limit is not None


@pytest.mark.parametrize(
    ("at", "value", "field"),
    [
        (32, struct.pack("<I", 1), "xorb flags"),
        (36, struct.pack("<I", 0), "xorb chunks"),
        (36, struct.pack("<I", 8193), "xorb chunks"),
        (36, b"\xff" * 4, "xorb chunks"),
        (36, struct.pack("<I", 8192), "size of 8192 chunks"),
        (48 + 40, struct.pack("<I", 1), "chunk flags"),
    ],
)
def test_a_bad_field_of_a_xorb_is_named(hub: Hub, at: int, value: bytes, field: str) -> None:
    data = build_upload([], hub.indexes.items())
    at += 96
    with pytest.raises(BadShard) as refused:
        parse(data[:at] + value + data[at + len(value) :])
    assert refused.value.field == field


def test_any_cut_and_any_tail_is_refused(hub: Hub, entries: list[FileEntry]) -> None:
    for footer in (False, True):
        data = build_upload(entries, hub.indexes.items(), footer=footer)
        whole = len(build_upload(entries, hub.indexes.items()))
        for cut in range(len(data)):
            if cut != whole:
                with pytest.raises(BadShard):
                    parse(data[:cut])
        for tail in (b"\0", bytes(199), bytes(200), bytes(201), form.BOOKEND):
            with pytest.raises(BadShard):
                parse(data + tail)


def test_an_mmap_can_be_closed_after_parsing_and_after_a_refusal(tmp_path: Path, hub: Hub) -> None:
    for tail in (b"", b"x"):
        (tmp_path / "shard").write_bytes(build_upload([], hub.indexes.items()) + tail)
        with (tmp_path / "shard").open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            kept: Shard | BadShard
            try:
                kept = parse(mapped)
            except BadShard as error:
                kept = error
            mapped.close()
            assert isinstance(kept, BadShard if tail else Shard)
