"""The Xet wire under bad input: nothing wrong gets in, whoever sent it is told what was wrong, the hub stays sound."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hutch.xet import hashes
from hutch.xet.files import Term
from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Reply, Sender, staged_files, stored_files
from tests.acceptance.xet_sender import CHUNK, Cas, Packed, cas_of, described, packed

ABSENT = "ab" * 32


@pytest.fixture(scope="module")
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A server of the module's own, which is checked when all is over."""
    running = new_hub().start()
    try:
        yield running
        assert running.cli_json("fsck")["problems"] == []
    finally:
        running.stop()


@pytest.fixture(scope="module")
def sender(hub: Hub) -> Sender:
    return Sender(hub, hub.user("sender"))


@pytest.fixture
def repo(sender: Sender, unique: Callable[[str], str]) -> str:
    return sender.create(unique("xet"))


@pytest.fixture
def cas(sender: Sender, repo: str) -> Cas:
    return cas_of(sender, repo)


@pytest.fixture
def file() -> Packed:
    return packed(os.urandom(10 * CHUNK + 17))


def _refused(reply: Reply, *words: str) -> None:
    """A clear refusal: of the right kind, with a code, and these words in its message or as the field it names."""
    assert 400 <= reply.status < 500, (reply.status, reply.body)
    assert reply.headers["x-error-code"]
    told = f"{reply.json['error']} {reply.json.get('field')}".lower()
    assert [word for word in words if word not in told] == [], reply.body


def _not_there(cas: Cas, file: Packed, sender: Sender, repo: str) -> None:
    """Nothing of the file is visible, and nothing of it is left lying about."""
    _eventually(lambda: staged_files(sender.hub) == [])
    assert cas.reconstruction(file.file).status == 404
    assert cas.hit(file.chunks[0]).status == 404
    assert sender.commit(repo, "a.bin", file.content).status == 400


def test_file_is_sent_committed_and_rebuilt_by_both_versions(
    sender: Sender, repo: str, cas: Cas, file: Packed
) -> None:
    assert cas.send_xorb(file.xorb, file.name).json == {"was_inserted": True}
    assert cas.send_xorb(file.xorb, file.name).json == {"was_inserted": False}
    assert cas.send_shard(file.shard()).json["result"] == 1
    assert cas.send_shard(file.shard(footer=True)).json["result"] in (0, 1)
    assert cas.streamed_shard(file.shard())[-1]["type"] == "result"
    assert sender.commit(repo, "a.bin", file.content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/a.bin").body == file.content
    v1, v2 = cas.reconstruction(file.file, 1).json, cas.reconstruction(file.file, 2).json
    assert v1["terms"] == v2["terms"]
    assert [t["unpacked_length"] for t in v2["terms"]] == [len(file.content)]
    (fetch,) = v1["fetch_info"][file.name]
    start, end = fetch["url_range"]["start"], fetch["url_range"]["end"]
    got = cas.plain("GET", fetch["url"], headers={"Range": f"bytes={start}-{end}"})
    assert (got.status, got.body) == (206, file.xorb)


@pytest.mark.parametrize("at", [0, 1, 3, 4, 5, 8, 100, CHUNK + 8, CHUNK + 12, -1])
def test_flipped_byte_in_a_xorb_is_refused(
    sender: Sender, repo: str, cas: Cas, file: Packed, at: int
) -> None:
    broken = bytearray(file.xorb)
    broken[at] ^= 0x10
    _refused(cas.send_xorb(bytes(broken), file.name))
    _refused(cas.send_shard(file.shard()), "xorb")
    _not_there(cas, file, sender, repo)


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, CHUNK, CHUNK + 8, CHUNK + 9, 5 * CHUNK])
def test_xorb_that_ends_early_is_refused_or_is_another_one(
    sender: Sender, repo: str, cas: Cas, file: Packed, cut: int
) -> None:
    _refused(cas.send_xorb(file.xorb[:cut], file.name))
    _refused(cas.send_shard(file.shard()), "xorb")
    _not_there(cas, file, sender, repo)


@pytest.mark.parametrize("cut", [0, 1, 64_000, 10 * CHUNK])
def test_upload_of_a_xorb_broken_off_at_any_byte_leaves_nothing(
    sender: Sender, repo: str, cas: Cas, file: Packed, cut: int
) -> None:
    before = stored_files(sender.hub)
    sender.break_off(
        "POST", f"{cas.path}/v1/xorbs/default/{file.name}", len(file.xorb), file.xorb[:cut],
        {"Authorization": f"Bearer {cas.token}"},
    )  # fmt: skip
    # the server may not even have begun when its client has gone
    _eventually(lambda: stored_files(sender.hub) == before)
    _not_there(cas, file, sender, repo)
    cas.send(file)


def test_shard_broken_off_leaves_nothing(sender: Sender, repo: str, cas: Cas, file: Packed) -> None:
    assert cas.send_xorb(file.xorb, file.name).status == 200
    shard = file.shard()
    for version in (1, 2):
        sender.break_off(
            "POST", f"{cas.path}/v{version}/shards", len(shard), shard[:-60],
            {"Authorization": f"Bearer {cas.token}"},
        )  # fmt: skip
    for cut in range(0, len(shard), 101):
        _refused(cas.send_shard(shard[:cut]))
    _eventually(lambda: staged_files(sender.hub) == [])
    assert cas.reconstruction(file.file).status == 404
    assert sender.commit(repo, "a.bin", file.content).status == 400


@pytest.mark.parametrize("name", ["0" * 64, ABSENT, "xyz", "A" * 64, "..%2F..%2Fetc", "0" * 63])
def test_xorb_under_another_name_is_refused(cas: Cas, file: Packed, name: str) -> None:
    _refused(cas.send_xorb(file.xorb, name))


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("nothing", b""),
        ("zeros", bytes(1000)),
        ("a chunk of no bytes", bytes(8)),
        ("a chunk larger than it may be", b"\0\xff\xff\xff\0\xff\xff\xff" + bytes(1000)),
        ("an unknown scheme", b"\0\4\0\0\7\4\0\0abcd"),
        ("an unknown version", b"\1\4\0\0\0\4\0\0abcd"),
        ("no LZ4 frame", b"\0\4\0\0\1\4\0\0abcd"),
        ("a footer alone", b"XETBLOB\0" + bytes(100)),
        ("text", b"<html>not found</html>" * 100),
    ],
)
def test_what_is_no_xorb_is_refused(cas: Cas, what: str, body: bytes) -> None:
    _refused(cas.send_xorb(body, ABSENT))


def test_chunk_that_would_unpack_to_gigabytes_is_refused(cas: Cas, sender: Sender) -> None:
    # an LZ4 frame of blocks of zeros: 4 MB of frame for a gigabyte
    lz4_frame = pytest.importorskip("lz4.frame")
    bomb = lz4_frame.compress(bytes(64 << 20), block_size=lz4_frame.BLOCKSIZE_MAX4MB)[: (1 << 24) - 1]
    for raw in (1 << 17, 1, (1 << 24) - 1):
        head = b"\0" + len(bomb).to_bytes(3, "little") + b"\1" + raw.to_bytes(3, "little")
        _refused(cas.send_xorb(head + bomb, ABSENT))
    small = lz4_frame.compress(bytes(1 << 20))
    head = b"\0" + len(small).to_bytes(3, "little") + b"\1" + (1 << 17).to_bytes(3, "little")
    _refused(cas.send_xorb(head + small, ABSENT))


def test_xorb_beyond_the_limit_is_refused_without_being_read(cas: Cas, sender: Sender) -> None:
    began = time.monotonic()
    sender.break_off(
        "POST", f"{cas.path}/v1/xorbs/default/{ABSENT}", 1 << 40, bytes(100_000),
        {"Authorization": f"Bearer {cas.token}"},
    )  # fmt: skip
    reply = cas.send_xorb(bytes(70 << 20), ABSENT)
    assert reply.status in (400, 413), reply.body
    assert time.monotonic() - began < 60
    _eventually(lambda: staged_files(sender.hub) == [])


def test_same_xorb_sent_at_once_by_eight_arrives_once(
    sender: Sender, repo: str, cas: Cas, file: Packed
) -> None:
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: cas.send_xorb(file.xorb, file.name), range(8)))
        assert {reply.status for reply in replies} == {200}
        shards = list(pool.map(lambda _: cas.send_shard(file.shard()), range(8)))
    assert {reply.status for reply in shards} == {200}
    assert sender.commit(repo, "a.bin", file.content).status == 200
    assert sum(file.name in path for path in stored_files(sender.hub)) == 1


def test_lie_in_a_shard_is_refused_and_named(sender: Sender, repo: str, cas: Cas, file: Packed) -> None:
    assert cas.send_xorb(file.xorb, file.name).status == 200
    (term,), (proof,) = file.entry.terms, file.entry.range_hashes or []
    flipped = bytes([proof[0] ^ 1]) + proof[1:]
    lies = {
        "verification": [file.described(range_hashes=[flipped]), file.described(range_hashes=None)],
        "sha256": [file.described(sha256="ab" * 32)],
        "file hash": [file.described(hash=hashes.from_hex(ABSENT))],
        "length": [file.described(terms=[Term(term.xorb, 0, term.end, term.raw_bytes - 1)])],
        "xorb": [file.described(terms=[Term(hashes.from_hex(ABSENT), 0, term.end, term.raw_bytes)])],
        "chunk range": [
            file.described(terms=[Term(term.xorb, 0, term.end + 1, term.raw_bytes)]),
            file.described(terms=[Term(term.xorb, 8000, 8100, term.raw_bytes)]),
        ],
    }
    for word, entries in lies.items():
        for entry in entries:
            told = cas.send_shard(file.shard(entry))
            _refused(told, word)
            streamed = cas("POST", "/v2/shards", file.shard(entry))
            if streamed.status == 200:  # what shows only when the file is put together
                last = json.loads(streamed.body.splitlines()[-1])
                assert (last["type"], last["retryable"]) == ("error", False)
                assert last["message"] == told.json["error"]
            else:
                _refused(streamed, word)
    assert cas.reconstruction(file.file).status == 404
    assert sender.commit(repo, "a.bin", file.content).status == 400


def test_description_of_a_xorb_that_differs_from_what_is_stored_is_refused(cas: Cas, file: Packed) -> None:
    other = packed(os.urandom(3 * CHUNK))
    for each in (file, other):
        assert cas.send_xorb(each.xorb, each.name).status == 200
    shard = file.shard().replace(file.chunks[3], other.chunks[0])
    _refused(cas.send_shard(shard), "xorb")


def test_sha256_of_another_file_never_stands_behind_a_pointer(
    sender: Sender, repo: str, cas: Cas, file: Packed
) -> None:
    victim = packed(os.urandom(len(file.content)))
    assert cas.send_xorb(file.xorb, file.name).status == 200
    _refused(cas.send_shard(file.shard(file.described(sha256=victim.oid))), "sha256")
    assert sender.commit(repo, "poisoned.bin", victim.content).status == 400
    cas.send(victim)
    assert sender.commit(repo, "victim.bin", victim.content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/victim.bin").body == victim.content
    _refused(cas.send_shard(file.shard(file.described(sha256=victim.oid))), "sha256")
    assert sender("GET", f"/{repo}/resolve/main/victim.bin").body == victim.content


@pytest.mark.parametrize(
    "body", [b"", b"x", bytes(48), b"HFRepoMetaData\0" + bytes(200), b"{}", os.urandom(5000)]
)
def test_what_is_no_shard_is_refused(cas: Cas, body: bytes) -> None:
    _refused(cas.send_shard(body))
    reply = cas("POST", "/v2/shards", body)
    assert reply.status >= 400 or b'"error"' in reply.body


def test_shard_that_claims_millions_of_terms_is_refused_at_once(cas: Cas, file: Packed) -> None:
    shard = bytearray(file.shard())
    shard[48 + 36 : 48 + 40] = (0xFFFF_FFFF).to_bytes(4, "little")
    began = time.monotonic()
    _refused(cas.send_shard(bytes(shard)))
    assert time.monotonic() - began < 5


def test_file_of_pieces_of_several_xorbs_reads_at_every_offset(sender: Sender, repo: str, cas: Cas) -> None:
    one, two = packed(os.urandom(8 * CHUNK + 5)), packed(os.urandom(8 * CHUNK + 7), 3000)
    for each in (one, two):
        assert cas.send_xorb(each.xorb, each.name).status == 200
    name, other = one.index.xorb_hash(), two.index.xorb_hash()
    parts = [
        (name, one.index, 2, 5),
        (other, two.index, 10, 12),
        (name, one.index, 0, 1),
        (name, one.index, 2, 5),
    ]
    content = (
        one.content[2 * CHUNK : 5 * CHUNK] + two.content[30_000:36_000] + one.content[:CHUNK]
        + one.content[2 * CHUNK : 5 * CHUNK]
    )  # fmt: skip
    entry = described(parts, content)
    assert cas.send_shard(one.shard(entry, with_xorb=False)).status == 200
    assert sender.commit(repo, "woven.bin", content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/woven.bin").body == content
    for start in (0, 1, 3 * CHUNK - 1, 3 * CHUNK, 3 * CHUNK + 3000, len(content) - 1):
        got = sender(
            "GET", f"/{repo}/resolve/main/woven.bin", headers={"Range": f"bytes={start}-{start + 70_000}"}
        )
        assert (got.status, got.body) == (206, content[start : start + 70_001])
    answer = cas.reconstruction(hashes.to_hex(entry.hash))
    urls = [fetch["url"] for fetches in answer.json["xorbs"].values() for fetch in fetches]
    assert len(urls) == len(set(urls))


def _eventually(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
