"""Uploads as a page makes them: in pieces, through reloads, broken lines and restarts of the server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Reply, Sender, oid_of, staged_files

SIZE = 3_000_000


@pytest.fixture(scope="module")
def sender(server: Hub) -> Sender:
    return Sender(server, server.user("browser-sender"))


@pytest.fixture
def repo(sender: Sender, unique: Callable[[str], str]) -> str:
    return sender.create(unique("large"))


def test_file_sent_in_pieces_is_hashed_by_the_server_and_committed(sender: Sender, repo: str) -> None:
    content = os.urandom(SIZE)
    url = _begin(sender, repo, "a.bin", SIZE)["url"]
    first = _append(sender, url, 0, content[:1_000_000])
    assert (first.status, first.json) == (200, {"offset": 1_000_000, "size": SIZE, "oid": None})
    assert sender("HEAD", url, signed=True).headers["upload-offset"] == "1000000"
    last = _append(sender, url, 1_000_000, content[1_000_000:])
    assert last.json == {"offset": SIZE, "size": SIZE, "oid": oid_of(content)}
    assert sender.commit(repo, "a.bin", content).status == 200
    assert sender("GET", f"/{repo}/resolve/main/a.bin").body == content


def test_upload_goes_on_after_a_broken_line_a_reload_and_a_restart(fresh_server: Hub) -> None:
    sender = Sender(fresh_server, fresh_server.user("owner"))
    repo, content = sender.create("large"), os.urandom(SIZE)
    begun = _begin(sender, repo, "a.bin", SIZE, fingerprint="a.bin 3000000 today")
    _append(sender, begun["url"], 0, content[:500_000])
    sender.break_off(
        "PATCH", begun["url"], SIZE - 500_000, content[500_000:1_700_000], {"Upload-Offset": "500000"}
    )
    _until_quiet(sender, begun["url"])
    fresh_server.kill()
    fresh_server.start()
    again = _begin(sender, repo, "a.bin", SIZE, fingerprint="a.bin 3000000 today")
    assert again["id"] == begun["id"]
    assert 500_000 <= again["offset"] <= 1_700_000
    assert [each["id"] for each in sender("GET", f"/api/models/{repo}/uploads").json["uploads"]] == [
        begun["id"]
    ]
    done = _append(sender, again["url"], again["offset"], content[again["offset"] :])
    assert done.json["oid"] == oid_of(content)
    assert sender.commit(repo, "a.bin", content).status == 200
    assert staged_files(fresh_server) == []


@pytest.mark.parametrize("fault", ["storage.before_rename", "storage.after_put", "cas.after_row"])
def test_a_crash_while_a_whole_upload_is_taken_in_does_not_ask_for_its_bytes_again(
    new_hub: Callable[..., Hub], fault: str
) -> None:
    hub = new_hub().start()
    try:
        sender, content = Sender(hub, hub.user("owner")), os.urandom(SIZE)
        repo = sender.create("large")
        hub.stop()
        hub.settings["fault"] = fault
        hub.start()
        url = _begin(sender, repo, "a.bin", SIZE, fingerprint="f")["url"]
        with pytest.raises(OSError):
            _append(sender, url, 0, content)
        del hub.settings["fault"]
        hub.kill()
        hub.start()
        assert _begin(sender, repo, "a.bin", SIZE, fingerprint="f")["offset"] == SIZE
        assert _append(sender, url, SIZE, b"").json["oid"] == oid_of(content)
        assert sender.commit(repo, "a.bin", content).status == 200
        assert staged_files(hub) == []
    finally:
        hub.kill()


def test_answer_that_was_lost_is_given_again(sender: Sender, repo: str) -> None:
    content = os.urandom(1000)
    url = _begin(sender, repo, "a.bin", 1000, fingerprint="f")["url"]
    assert _append(sender, url, 0, content).json["oid"] == oid_of(content)
    assert _append(sender, url, 1000, b"").json["oid"] == oid_of(content)
    assert sender("HEAD", url, signed=True).headers["upload-offset"] == "1000"
    assert _begin(sender, repo, "a.bin", 1000, fingerprint="f")["oid"] == oid_of(content)


def test_piece_at_a_wrong_offset_is_refused_with_the_right_one(sender: Sender, repo: str) -> None:
    url = _begin(sender, repo, "a.bin", 100)["url"]
    _append(sender, url, 0, bytes(10))
    reply = _append(sender, url, 50, bytes(10))
    assert (reply.status, reply.headers["x-error-code"]) == (409, "OffsetMismatch")
    assert "10" in reply.json["message"]
    for offset in ("", "-1", "x", "9" * 30):
        assert sender("PATCH", url, b"", {"Upload-Offset": offset}, signed=True).status == 400


def test_more_bytes_than_announced_are_refused(sender: Sender, repo: str) -> None:
    url = _begin(sender, repo, "a.bin", 100)["url"]
    reply = _append(sender, url, 0, bytes(101))
    assert (reply.status, reply.headers["x-error-code"]) == (400, "SizeMismatch")


def test_other_file_of_the_same_name_begins_anew(sender: Sender, repo: str) -> None:
    begun = _begin(sender, repo, "a.bin", 100, fingerprint="monday")
    assert _begin(sender, repo, "a.bin", 100, fingerprint="tuesday")["id"] != begun["id"]
    assert _begin(sender, repo, "a.bin", 101, fingerprint="monday")["id"] != begun["id"]
    assert _begin(sender, repo, "a.bin", 100)["id"] != _begin(sender, repo, "a.bin", 100)["id"]


def test_cancelled_upload_leaves_nothing(sender: Sender, repo: str) -> None:
    url = _begin(sender, repo, "a.bin", 100)["url"]
    _append(sender, url, 0, bytes(10))
    assert sender("DELETE", url, signed=True).status == 204
    assert _append(sender, url, 10, bytes(10)).status == 404
    assert sender("GET", f"/api/models/{repo}/uploads").json == {"uploads": []}


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"path": "../a"}, 400, "path"), ({"path": ""}, 400, "path"), ({"path": "a\0b"}, 400, "path"),
        ({"size": -1}, 400, "size"), ({"size": 1 << 60}, 413, "size"), ({"size": "x"}, 400, "size"),
        ({"fingerprint": "x" * 201}, 400, "fingerprint"), ({"other": 1}, 400, "other"),
    ],
)  # fmt: skip
def test_malformed_beginning_is_refused_by_name(
    sender: Sender, repo: str, change: dict[str, Any], status: int, field: str
) -> None:
    reply = sender("POST", f"/api/models/{repo}/uploads", {"path": "a.bin", "size": 1, **change})
    assert (reply.status, reply.json["field"]) == (status, field)


def test_only_who_may_propose_begins_an_upload_and_sees_none_of_others(
    sender: Sender, repo: str, unique: Callable[[str], str]
) -> None:
    stranger = Sender(sender.hub, sender.hub.user(unique("stranger")))
    body = {"path": "a.bin", "size": 1}
    public = sender.create(unique("public"), visibility="public")
    assert stranger("POST", f"/api/models/{repo}/uploads", body).status == 404
    assert Sender(sender.hub, None)("POST", f"/api/models/{public}/uploads", body).status == 401
    _begin(sender, public, "a.bin", 1)
    assert stranger("GET", f"/api/models/{public}/uploads").json == {"uploads": []}
    _begin(stranger, public, "b.bin", 1)
    assert [each["path"] for each in sender("GET", f"/api/models/{public}/uploads").json["uploads"]] == [
        "a.bin"
    ]


def _begin(sender: Sender, repo: str, path: str, size: int, **more: str) -> dict[str, Any]:
    reply = sender("POST", f"/api/models/{repo}/uploads", {"path": path, "size": size, **more})
    assert reply.status == 200, reply.body
    begun: dict[str, Any] = reply.json
    return begun


def _append(sender: Sender, url: str, offset: int, data: bytes) -> Reply:
    return sender("PATCH", url, data, {"Upload-Offset": str(offset)}, signed=True)


def _until_quiet(sender: Sender, url: str) -> None:
    """Waits until what was sent before the line broke has come to rest."""
    before, deadline = "500000", time.monotonic() + 20
    while (now := sender("HEAD", url, signed=True).headers["upload-offset"]) != before or now == "500000":
        assert time.monotonic() < deadline
        before = now
        time.sleep(0.1)
