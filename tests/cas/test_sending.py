"""Answers with files: what the headers say and which bytes come. (That it streams is tested on a live server.)"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hutch.cas.sending import send_bytes, send_file
from hutch.core.errors import NotFound, RangeNotSatisfiable

DATA = bytes(range(256)) * 10_000
ETAG = '"tag"'


class Answer:
    def __init__(self, messages: list[dict[str, Any]]) -> None:
        self.status: int = messages[0]["status"]
        self.headers = {key.decode(): value.decode() for key, value in messages[0]["headers"]}
        self.body = b"".join(message.get("body", b"") for message in messages[1:])
        assert not messages[-1].get("more_body"), "the answer has no end"


Ask = Callable[..., Answer]


@pytest.fixture(params=["file", "bytes"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    path = tmp_path / "file"

    def ask_for(method: str = "GET", data: bytes = DATA, **headers: str) -> Answer:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        path.write_bytes(data)

        def answer(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
            common: Any = {"etag": ETAG, "content_type": "text/x", "headers": [("X-More", "1")]}
            if request.param == "file":
                return send_file(scope, receive, send, path, size=len(data), **common)
            return send_bytes(scope, receive, send, data, **common)

        return _run(answer, method, named)

    return ask_for


def test_whole_file_comes_with_its_length_and_tag(ask: Ask) -> None:
    answer = ask()
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["content-length"] == str(len(DATA))
    assert answer.headers["etag"] == ETAG
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers["x-more"] == "1"


def test_head_says_the_same_without_the_bytes(ask: Ask) -> None:
    whole, head = ask(), ask("HEAD", range="bytes=1-2")
    assert (head.status, head.body, head.headers) == (200, b"", whole.headers)


def test_empty_file_is_sent(ask: Ask) -> None:
    answer = ask(data=b"")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")


def test_range_comes_as_partial_content(ask: Ask) -> None:
    answer = ask(range="bytes=1000-2000999")
    assert (answer.status, answer.body) == (206, DATA[1000:2_001_000])
    assert answer.headers["content-range"] == f"bytes 1000-2000999/{len(DATA)}"
    assert answer.headers["content-length"] == "2000000"
    assert answer.headers["content-type"] == "text/x"


def test_several_ranges_come_as_multipart_of_the_length_that_was_announced(ask: Ask) -> None:
    answer = ask(range="bytes=5-9,100-199,-3")
    assert answer.status == 206
    assert answer.headers["content-length"] == str(len(answer.body))
    boundary = answer.headers["content-type"].partition("boundary=")[2]
    assert answer.headers["content-type"].startswith("multipart/byteranges; ")
    empty, *parts, end = answer.body.split(f"\r\n--{boundary}".encode())
    assert (empty, end) == (b"", b"--\r\n")
    for part, (start, stop) in zip(parts, [(5, 10), (100, 200), (len(DATA) - 3, len(DATA))], strict=True):
        head, _, body = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {start}-{stop - 1}/{len(DATA)}".encode() in head
        assert b"Content-Type: text/x" in head
        assert body == DATA[start:stop]


def test_range_beside_another_tag_gives_the_whole_file(ask: Ask) -> None:
    assert ask(range="bytes=1-2", if_range='"other"').status == 200
    assert ask(range="bytes=1-2", if_range=ETAG).body == DATA[1:3]


def test_known_tag_is_answered_with_not_modified_and_no_body(ask: Ask) -> None:
    answer = ask(if_none_match=f'"x", W/{ETAG}')
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == ETAG
    assert "content-length" not in answer.headers
    assert ask("HEAD", if_none_match=ETAG).status == 304
    assert ask(if_none_match='"x"').status == 200


def test_range_behind_the_end_is_refused(ask: Ask) -> None:
    with pytest.raises(RangeNotSatisfiable):
        ask(range=f"bytes={len(DATA)}-")


def test_file_that_is_gone_is_refused_before_the_answer_begins(tmp_path: Path) -> None:
    sent: list[Any] = []
    with pytest.raises(NotFound):
        _run(
            lambda s, r, _: send_file(
                s, r, _into(sent), tmp_path / "no", size=3, etag=ETAG, content_type="x"
            ),
            "GET",
            {},
        )
    assert sent == []


def test_file_of_another_size_than_its_row_is_not_sent(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(b"abc")
    with pytest.raises(OSError, match="has not the 4 bytes"):
        _run(lambda s, r, x: send_file(s, r, x, path, size=4, etag=ETAG, content_type="x"), "GET", {})


def test_sending_stops_when_the_client_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(8 << 20))
    sent: list[Any] = []
    enough = asyncio.Event()

    async def receive() -> dict[str, Any]:
        await enough.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)
        enough.set()
        await asyncio.sleep(0)

    async def run() -> None:
        scope = {"method": "GET", "request_headers": {}, "extensions": {}}
        await send_file(scope, receive, send, path, size=8 << 20, etag=ETAG, content_type="x")

    asyncio.run(run())
    assert sum(len(message.get("body", b"")) for message in sent) < 8 << 20


def _into(sent: list[Any]) -> Any:
    async def send(message: Any) -> None:
        sent.append(message)
        await asyncio.sleep(0)

    return send


def _run(answer: Callable[..., Awaitable[None]], method: str, headers: dict[str, str]) -> Answer:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def run() -> None:
        await answer({"method": method, "request_headers": headers, "extensions": {}}, receive, _into(sent))

    asyncio.run(run())
    assert sent[0]["type"] == "http.response.start"
    return Answer(sent)
