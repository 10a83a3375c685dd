"""Buckets as plain HTTP sees them: files in ranges, streams of changes, many at once, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hutch.buckets.following import MOST_OF_ONE
from tests.acceptance.boxes import API, MEGABYTE, Box, add, box, bucket, did, ndjson, newest, noise
from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.hub import Hub

__all__ = ["box", "bucket", "newest"]


@dataclass
class Stream:
    """A stream of changes, read event by event."""

    lines: Any

    def next(self) -> tuple[str, Any]:
        name = ""
        for line in self.lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
        raise EOFError


def following(box: Box, **params: str) -> Any:
    return httpx.stream(
        "GET", f"{box.server.url}/api/buckets/{box.name}/events", params=params,
        headers={"Authorization": f"Bearer {box.token}"} if box.token else {}, timeout=40,
    )  # fmt: skip


def changed(event: tuple[str, Any]) -> list[tuple[str, str]]:
    assert event[0] == "changes"
    return [(change["op"], change["path"]) for change in event[1]["changes"]]


def test_stream_tells_each_change_once_over_all_its_sessions(box: Box) -> None:
    with following(box) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer.iter_lines())
        name, ready = stream.next()
        assert name == "ready"
        box.ask("POST", "/batch", content=ndjson(add("a"), add("b/c")))
        first = stream.next()
        assert changed(first) == [("add", "a"), ("add", "b/c")]
    box.ask("POST", "/batch", content=ndjson(add("a"), {"type": "deleteFile", "path": "b/c"}))
    with following(box, cursor=first[1]["cursor"]) as answer:
        stream = Stream(answer.iter_lines())
        second = stream.next()
        assert changed(second) == [("update", "a"), ("delete", "b/c")]
        assert stream.next() == ("ready", {"cursor": second[1]["cursor"]})
    with following(box, cursor=ready["cursor"]) as answer:
        stream = Stream(answer.iter_lines())
        assert [changed(stream.next()) for _ in range(2)] == [changed(first), changed(second)]
    updated = box.ask("GET").json()["updatedAt"]
    with following(box, since=updated) as answer:
        assert changed(Stream(answer.iter_lines()).next()) == changed(second)
    assert following_status(box, cursor="forged") == following_status(box, since="noon") == 400


def following_status(box: Box, **params: str) -> int:
    with following(box, **params) as answer:
        return int(answer.status_code)


def test_stream_ends_when_the_right_to_it_ends(box: Box, server: Hub, unique: Callable[[str], str]) -> None:
    stranger = Box(server, server.user(unique("follower")).token, box.name)
    with following(stranger) as answer:
        stream = Stream(answer.iter_lines())
        assert stream.next()[0] == "ready"
        box.ask("PUT", "/settings", json={"private": True})
        box.ask("POST", "/batch", content=ndjson(add("secret")))
        with pytest.raises(EOFError):
            stream.next()
    assert following_status(stranger) == 404
    assert following_status(Box(server, "", box.name)) == 401


def test_server_that_stops_sends_followers_on_and_stops_at_once(fresh_server: Hub) -> None:
    user = fresh_server.user("ann")
    box = Box(fresh_server, user.token, "ann/box")
    box.ask("POST", "", json={})
    with following(box) as answer:
        stream = Stream(answer.iter_lines())
        name, ready = stream.next()
        assert name == "ready"
        assert fresh_server.stop() == 0
        assert stream.next() == ("reconnect", ready)
    fresh_server.start()
    box.ask("POST", "/batch", content=ndjson(add("a")))
    with following(box, cursor=ready["cursor"]) as answer:
        assert changed(Stream(answer.iter_lines()).next()) == [("add", "a")]


def test_place_of_a_client_that_went_is_free_again(box: Box) -> None:
    for _ in range(MOST_OF_ONE + 8):
        with following(box) as answer:
            assert answer.status_code == 200
            assert Stream(answer.iter_lines()).next()[0] == "ready"


def test_concurrent_batches_all_count(box: Box) -> None:
    def batch(number: int) -> None:
        paths = [f"{number % 3}/{number}-{part}" for part in range(20)]
        box.ask("POST", "/batch", content=ndjson(*(add(path) for path in paths)))
        box.ask(
            "POST", "/batch", content=ndjson(*({"type": "deleteFile", "path": path} for path in paths[::2]))
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(batch, range(24)))
    assert box.ask("GET").json()["totalFiles"] == 240
    listed = box.ask("GET", "/tree").json()
    assert len(listed) == 240
    assert [entry["path"] for entry in listed] == sorted(entry["path"] for entry in listed)
    flat = box.ask("GET", "/tree", params={"recursive": "false"}).json()
    assert [entry["path"] for entry in flat] == ["0", "1", "2"]
    checked = box.server.run("fsck", "--json")
    problems = json.loads(checked.stdout)["problems"]
    assert [each for each in problems if box.name in each["repository"]] == []


@pytest.mark.parametrize(("point", "left"), [("before", ["old"]), ("after", ["new"])])
def test_killed_server_has_done_a_batch_whole_or_not_at_all(
    new_hub: Callable[..., Hub], point: str, left: list[str]
) -> None:
    hub = new_hub().start()
    box = Box(hub, hub.user("ann").token, "ann/box")
    box.ask("POST", "", json={})
    box.ask("POST", "/batch", content=ndjson(add("old")))
    hub.stop()
    hub.settings["fault"] = f"buckets.{point}_commit"
    hub.start()
    with pytest.raises(httpx.TransportError):
        box.ask("POST", "/batch", content=ndjson(add("new"), {"type": "deleteFile", "path": "old"}))
    hub.kill()
    del hub.settings["fault"]
    hub.start()
    assert [entry["path"] for entry in box.ask("GET", "/tree").json()] == left
    with following(box, since="2020-01-01T00:00:00Z") as answer:
        stream = Stream(answer.iter_lines())
        told = [changed(stream.next()) for _ in range(2 if point == "after" else 1)]
    assert told[-1] == ([("add", "new"), ("delete", "old")] if point == "after" else [("add", "old")])
    assert json.loads(hub.run("fsck", "--json").stdout)["problems"] == []
    hub.stop()


def test_refusals_are_clear_and_change_nothing(box: Box, newest: Client) -> None:
    box.ask("POST", "/batch", content=ndjson(add("kept")))
    broken = box.ask("POST", "/batch", 400, content=ndjson(add("new")) + b"\n{").json()
    assert (broken["code"], broken["line"]) == ("InvalidBatch", 2)
    unknown = box.ask("POST", "/batch", 422, content=ndjson(add("new", "ab" * 32), add("../x"))).json()
    assert [each["path"] for each in unknown["failed"]] == ["new", "../x"]
    with pytest.raises(ClientFailed) as refused:
        newest.call(
            API + "api.batch_bucket_files(args['bucket'], delete=['absent', 'gone'])", bucket=box.name
        )
    assert refused.value.kind == "BucketBatchError"
    assert "absent: There is no file of this name" in refused.value.message
    with pytest.raises(ClientFailed) as missing:
        newest.call(API + "api.get_bucket_file_metadata(args['bucket'], 'absent')", bucket=box.name)
    assert (missing.value.status, missing.value.code) == (404, "EntryNotFound")
    assert [entry["path"] for entry in box.ask("GET", "/tree").json()] == ["kept"]


def test_file_is_read_in_ranges_and_says_how_to_fetch_it_by_chunks(
    newest: Client, server: Hub, box: Box, tmp_path: Path
) -> None:
    data = noise(3 * MEGABYTE, box.name)
    (tmp_path / "page.html").write_bytes(data)
    did(newest.hf("buckets", "cp", tmp_path / "page.html", f"hf://buckets/{box.name}/a b/page.html"))
    address = f"{server.url}/buckets/{box.name}/resolve/a%20b/page.html"
    head = httpx.head(address)
    (entry,) = box.ask("GET", "/tree").json()
    assert head.headers["x-linked-size"] == head.headers["content-length"] == str(len(data))
    assert head.headers["x-xet-hash"] == entry["xetHash"]
    assert f'<{server.url}/api/buckets/{box.name}/xet-read-token>; rel="xet-auth"' in head.headers["link"]
    assert head.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in head.headers["content-security-policy"]
    assert httpx.get(address).content == data
    assert httpx.get(address.replace("a%20b/", "a%20b%2F")).content == data
    part = httpx.get(address, headers={"Range": "bytes=1000000-2099999"})
    assert (part.status_code, part.content == data[1_000_000:2_100_000]) == (206, True)
    assert httpx.get(address, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    asked = httpx.get(
        address, headers={"Accept": "application/vnd.xet-fileinfo+json, */*", "Range": "bytes=0-0"}
    )
    assert asked.headers["content-type"] == "application/vnd.xet-fileinfo+json"
    assert asked.headers["x-linked-size"] == str(len(data))
    assert "attachment" in httpx.head(f"{address}?download=true").headers["content-disposition"]
