"""The LFS wire under bad input, broken lines and kills: nothing wrong gets in, nothing acknowledged is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Reply, Sender, oid_of, staged_files, stored_files

PART = 100_000


@pytest.fixture(scope="module")
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A server that wants what has 300 KB or more in parts of 100 KB."""
    running = new_hub(
        part_bytes=str(PART), multipart_from_bytes=str(3 * PART), max_file_bytes=str(1 << 50)
    ).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def sender(hub: Hub) -> Sender:
    return Sender(hub, hub.user("sender"))


@pytest.fixture
def repo(sender: Sender, unique: Callable[[str], str]) -> str:
    return sender.create(unique("large"))


@pytest.mark.parametrize("cut", [0, 1, 63_999, 64_000, 149_999])
def test_upload_broken_off_at_any_byte_leaves_nothing(sender: Sender, repo: str, cut: int) -> None:
    content = os.urandom(150_000)
    href = sender.href(repo, content)
    sender.break_off("PUT", href, len(content), content[:cut])
    _eventually(lambda: staged_files(sender.hub) == [])
    assert oid_of(content) not in "".join(stored_files(sender.hub))
    assert "actions" in sender.batch(repo, content)[0]
    sender.send(repo, content)
    assert "actions" not in sender.batch(repo, content)[0]


def test_upload_of_other_bytes_is_refused_by_their_hash(sender: Sender, repo: str) -> None:
    content, other = os.urandom(200_000), os.urandom(200_000)
    reply = sender("PUT", sender.href(repo, content), other, signed=True)
    assert (reply.status, reply.headers["x-error-code"]) == (400, "ChecksumMismatch")
    assert oid_of(other) in reply.json["message"]
    assert staged_files(sender.hub) == []
    assert "actions" in sender.batch(repo, content)[0]


@pytest.mark.parametrize("change", [-1, 1, -200_000, 200_000])
def test_upload_of_another_length_is_refused(sender: Sender, repo: str, change: int) -> None:
    content = os.urandom(200_000)
    href = sender.href(repo, content)
    body = content[:change] if change < 0 else content + bytes(change)
    announced, streamed = (
        sender("PUT", href, body, signed=True),
        sender.chunked(href, body[:1000], body[1000:]),
    )
    for reply in (announced, streamed):
        assert (reply.status, reply.json["code"]) == (400, "SizeMismatch")
        assert str(len(content)) in reply.json["message"]
    assert staged_files(sender.hub) == []


def test_upload_without_announced_length_is_taken(sender: Sender, repo: str) -> None:
    content = os.urandom(200_000)
    assert sender.chunked(sender.href(repo, content), content[:7], content[7:]).status == 200


def test_object_of_no_bytes_is_taken(sender: Sender, repo: str) -> None:
    sender.send(repo, b"")
    assert sender.commit(repo, "empty.bin", b"").status == 200
    assert sender("GET", sender.href(repo, b"", operation="download"), signed=True).body == b""


def test_same_object_sent_twice_at_once_arrives(sender: Sender, repo: str) -> None:
    content = os.urandom(2_000_000)
    href = sender.href(repo, content)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: sender("PUT", href, content, signed=True).status, range(8)))
    assert replies == [200] * 8
    assert sender.commit(repo, "a.bin", content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/a.bin").body == content
    assert staged_files(sender.hub) == []


def test_upload_in_parts_goes_on_after_a_broken_line_and_a_restart(sender: Sender, repo: str) -> None:
    content = os.urandom(5 * PART + 17)
    parts, _ = _parts(sender, repo, content)
    assert len(parts) == 6
    tags = {number: _put_part(sender, parts, number, content) for number in (1, 2, 6)}
    sender.break_off("PUT", parts[3], PART, content[2 * PART : 2 * PART + 50_000])
    sender.hub.restart()
    parts, complete = _parts(sender, repo, content)
    kept = {number: sender("HEAD", url, signed=True) for number, url in parts.items()}
    assert {n: r.headers.get("etag") for n, r in kept.items()} == {n: tags.get(n) for n in range(1, 7)}
    early = _complete(sender, complete, content, tags)
    assert (early.status, early.json["code"]) == (400, "PartsMissing")
    tags |= {number: _put_part(sender, parts, number, content) for number in (2, 3, 4, 5)}
    assert _complete(sender, complete, content, tags).status == 200
    # the answer may have been lost: a repeated completion is as good
    assert _complete(sender, complete, content, tags).status == 200
    assert sender.commit(repo, "a.bin", content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/a.bin").body == content
    assert staged_files(sender.hub) == []


def test_parts_of_other_bytes_do_not_make_the_object(sender: Sender, repo: str) -> None:
    content = os.urandom(3 * PART)
    parts, complete = _parts(sender, repo, content)
    tags = {number: _put_part(sender, parts, number, os.urandom(3 * PART)) for number in parts}
    reply = _complete(sender, complete, content, tags)
    assert (reply.status, reply.json["code"]) == (400, "ChecksumMismatch")
    # and the same upload can still be put right
    tags = {number: _put_part(sender, parts, number, content) for number in parts}
    assert _complete(sender, complete, content, tags).status == 200


def test_part_of_another_length_is_refused(sender: Sender, repo: str) -> None:
    parts, _ = _parts(sender, repo, os.urandom(3 * PART))
    for body in (bytes(PART - 1), bytes(PART + 1)):
        assert sender("PUT", parts[1], body, signed=True).json["code"] == "SizeMismatch"
    assert sender("HEAD", parts[1], signed=True).status == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"parts": []}, {"oid": "0" * 64, "parts": []}, {"parts": "x"}, {"parts": [1]},
        {"parts": [{"partNumber": 0, "etag": "x"}]}, {"parts": [{"partNumber": "1", "etag": "x"}]},
        {"parts": [{"partNumber": 1}]}, {"parts": [{"partNumber": 1, "etag": "wrong"}]}, [],
    ],
)  # fmt: skip
def test_malformed_completion_is_refused(sender: Sender, repo: str, body: Any) -> None:
    content = os.urandom(3 * PART)
    _, complete = _parts(sender, repo, content)
    if isinstance(body, dict) and "parts" in body:
        body = {"oid": oid_of(content), **body}
    reply = sender("POST", complete, body, signed=True)
    assert reply.status == 400
    assert reply.json["message"]
    assert "actions" in sender.batch(repo, content)[0]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"operation": "sideways"}, 422), ({"operation": None}, 422), ({"objects": {}}, 422),
        ({"transfers": "basic"}, 422), ({"hash_algo": "sha512"}, 409),
        ({"objects": [{"oid": "0" * 64, "size": 1}] * 1001}, 413),
    ],
)  # fmt: skip
def test_malformed_batch_is_refused(sender: Sender, repo: str, change: dict[str, Any], status: int) -> None:
    body = {"operation": "upload", "objects": [], **change}
    reply = sender("POST", f"/{repo}/info/lfs/objects/batch", body)
    assert reply.status == status
    assert reply.json["message"]
    assert reply.headers["content-type"] == "application/vnd.git-lfs+json"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"'])
def test_batch_that_is_no_json_object_is_refused(sender: Sender, repo: str, body: bytes) -> None:
    assert sender("POST", f"/{repo}.git/info/lfs/objects/batch", body).status == 400


def test_each_wrong_object_of_a_batch_has_its_own_error(sender: Sender, repo: str) -> None:
    good = "ab" * 32
    objects: list[Any] = [
        {"oid": good, "size": 5}, {"oid": "AB" * 32, "size": 5}, {"oid": "ab", "size": 5}, {"oid": good, "size": -1},
        {"oid": good, "size": True}, {"oid": good, "size": "5"}, {"oid": 7, "size": 5}, {}, "x",
        {"oid": good, "size": (1 << 50) + 1}, {"oid": good, "size": 1 << 50},
    ]  # fmt: skip
    reply = sender("POST", f"/{repo}.git/info/lfs/objects/batch", {"operation": "upload", "objects": objects})
    assert reply.status == 200
    first, *others = reply.json["objects"]
    assert "upload" in first["actions"]
    assert [each["error"]["code"] for each in others] == [422] * 7 + [413, 507]
    assert str(1 << 50) in others[-2]["error"]["message"]
    assert all(isinstance(each["oid"], str) and type(each["size"]) is int for each in others)


def test_parts_and_xet_are_used_only_by_who_offers_them(sender: Sender, repo: str) -> None:
    content = os.urandom(3 * PART)
    plain, offered = (
        sender.batch(repo, content, transfers=names)[0] for names in ("basic", "basic multipart")
    )
    assert "header" not in plain["actions"]["upload"]
    assert offered["actions"]["upload"]["header"]["chunk_size"] == str(PART)
    for names, transfer in ("basic", "basic"), ("basic multipart xet", "xet"):
        body = {"operation": "upload", "transfers": names.split(), "objects": []}
        answer = sender("POST", f"/{repo}.git/info/lfs/objects/batch", body)
        assert answer.json["transfer"] == transfer
    body = {"operation": "download", "transfers": ["xet"], "objects": []}
    assert sender("POST", f"/{repo}.git/info/lfs/objects/batch", body).json["transfer"] == "basic"


def test_fifty_downloads_at_once_all_come_whole(sender: Sender, repo: str) -> None:
    content = os.urandom(3 << 20)
    sender.send(repo, content)
    assert sender.commit(repo, "a.bin", content).status == 200
    href = sender.href(repo, content, operation="download")
    with ThreadPoolExecutor(50) as pool:
        bodies = list(pool.map(lambda _: sender("GET", href, signed=True).body, range(50)))
    assert all(body == content for body in bodies)


def test_download_sends_ranges_and_knows_tags(sender: Sender, repo: str) -> None:
    content = os.urandom(300_000)
    sender.send(repo, content)
    sender.commit(repo, "a.bin", content)
    href = sender.href(repo, content, operation="download")
    part = sender("GET", href, headers={"Range": "bytes=100-200099"}, signed=True)
    assert (part.status, part.body) == (206, content[100:200_100])
    behind = sender("GET", href, headers={"Range": "bytes=300000-"}, signed=True)
    assert (behind.status, behind.headers["content-range"]) == (416, "bytes */300000")
    head = sender("HEAD", href, signed=True)
    assert (head.headers["content-length"], head.body) == ("300000", b"")
    assert head.headers["x-content-type-options"] == "nosniff"
    assert sender("GET", href, headers={"If-None-Match": head.headers["etag"]}, signed=True).status == 304


def test_object_beyond_the_quota_is_refused_before_it_is_sent(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub(namespace_quota_bytes="1000000").start()
    try:
        sender = Sender(hub, hub.user("owner"))
        repo = sender.create("large")
        sender.send(repo, bytes(600_000))
        assert sender.commit(repo, "a.bin", bytes(600_000)).status == 200
        small, large = sender.batch(repo, os.urandom(300_000), os.urandom(300_000))
        assert "upload" in small["actions"]
        assert large["error"]["code"] == 507
        assert "room for" in large["error"]["message"]
    finally:
        hub.kill()


@pytest.fixture(scope="module")
def mortal(new_hub: Callable[..., Hub]) -> Iterator[Sender]:
    """A user of a server that the tests kill."""
    hub = new_hub(part_bytes=str(PART), multipart_from_bytes=str(3 * PART)).start()
    yield Sender(hub, hub.user("owner"))
    hub.kill()


@pytest.mark.parametrize(
    "point", ["storage.before_rename", "storage.after_rename", "storage.after_put", "cas.after_row"]
)
def test_server_killed_around_the_row_of_an_object_loses_nothing_that_it_acknowledged(
    mortal: Sender, point: str, unique: Callable[[str], str]
) -> None:
    hub, repo = mortal.hub, mortal.create(unique("large"))
    kept, lost = os.urandom(100_000), os.urandom(100_000)
    mortal.send(repo, kept)
    hub.settings["fault"] = point
    hub.restart()
    with pytest.raises(OSError):
        mortal("PUT", mortal.href(repo, lost), lost, signed=True)
    hub.kill()
    del hub.settings["fault"]
    hub.start()
    assert "actions" not in mortal.batch(repo, kept)[0]
    if "actions" in mortal.batch(repo, lost)[0]:
        mortal.send(repo, lost)
    for name, content in (("kept.bin", kept), ("lost.bin", lost)):
        assert mortal.commit(repo, name, content).status == 200
        assert mortal("GET", f"/{repo}/resolve/main/{name}").body == content


@pytest.mark.parametrize(
    "point", ["storage.before_sync", "storage.after_rename", "storage.after_put", "cas.after_row"]
)
def test_completion_that_a_crash_cut_off_is_repeated_without_sending_the_parts_again(
    mortal: Sender, point: str, unique: Callable[[str], str]
) -> None:
    hub, repo, content = mortal.hub, mortal.create(unique("large")), os.urandom(3 * PART)
    parts, href = _parts(mortal, repo, content)
    tags = {number: _put_part(mortal, parts, number, content) for number in parts}
    hub.settings["fault"] = point
    hub.restart()
    with pytest.raises(OSError):
        _complete(mortal, href, content, tags)
    hub.kill()
    del hub.settings["fault"]
    hub.start()
    done = _complete(mortal, href, content, tags)
    assert done.status == 200, done.body
    assert mortal.commit(repo, "w.bin", content).status == 200
    assert mortal("GET", f"/{repo}/resolve/main/w.bin").body == content
    assert not any(path.parent.parent.name == "uploads" for path in staged_files(hub))


def _parts(sender: Sender, repo: str, content: bytes) -> tuple[dict[int, str], str]:
    """Addresses of the parts by number, and that of the completion."""
    (answer,) = sender.batch(repo, content, transfers="basic multipart")
    action = answer["actions"]["upload"]
    return {int(key): url for key, url in action["header"].items() if key.isdigit()}, action["href"]


def _put_part(sender: Sender, parts: dict[int, str], number: int, content: bytes) -> str:
    reply = sender("PUT", parts[number], content[(number - 1) * PART : number * PART], signed=True)
    assert reply.status == 200, reply.body
    return reply.headers["etag"]


def _complete(sender: Sender, url: str, content: bytes, tags: dict[int, str]) -> Reply:
    parts = [{"partNumber": number, "etag": tag} for number, tag in sorted(tags.items())]
    return sender("POST", url, {"oid": oid_of(content), "parts": parts}, signed=True)


def _eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
