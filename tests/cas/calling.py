"""Calls a wire in this process and keeps what it answers."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections

from hutch.core import threads, wires
from hutch.core.wires import Route


@dataclass(frozen=True)
class Answer:
    """What was sent; reading `json` parses the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    routes: Sequence[Route], method: str, path: str, pieces: Sequence[bytes], *,
    headers: dict[str, str] | None = None, goes: bool = False,
) -> Answer:  # fmt: skip
    """The answer to a request whose body comes in these pieces; `goes`: the client hangs up after them."""
    found = wires.find(routes, method, path)
    assert found is not None
    scope = {
        "method": method, "request_headers": headers or {}, "path_params": found[1], "request_id": "test",
    }  # fmt: skip
    waiting = list(pieces)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        if waiting:
            body = waiting.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(waiting) or goes}
        if goes:
            return {"type": "http.disconnect"}
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(message)

    try:
        asyncio.run(found[0].handler(scope, receive, send))  # type: ignore[arg-type]
    finally:
        _let_go_of_the_database()
    assert sent, "no answer came"
    found_headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
    return Answer(
        sent[0]["status"], found_headers, b"".join(message.get("body", b"") for message in sent[1:])
    )


def _let_go_of_the_database() -> None:
    """Closes the connections of the rooms' threads: PostgreSQL keeps a test's database while somebody uses it."""
    all_there = threading.Barrier(threads._ROOM_THREADS)

    def close() -> None:
        all_there.wait()
        connections.close_all()

    for done in [threads._rooms.submit(close) for _ in range(threads._ROOM_THREADS)]:
        done.result()
