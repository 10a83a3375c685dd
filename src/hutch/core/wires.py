"""The shape of a wire: an asynchronous route that streams, found before Django is asked.

A handler is raw ASGI, `async handler(scope, receive, send)`. The front door puts into `scope`:
`path_params` (the pattern's groups, percent-decoded), `origin` (core.addresses.Origin) and `request_headers`
(lower-case names). A HutchError raised before the answer has started becomes the house's JSON error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, unquote_to_bytes

from hutch.core.errors import HutchError, RepoNotFound
from hutch.core.text import require_all_storable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Handler = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """`pattern` matches the whole routing path, where each segment keeps `%2F` and `%25` escaped and nothing else."""

    name: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: Handler
    summary: str


def route(name: str, methods: str, pattern: str, handler: Handler, summary: str) -> Route:
    """A route from a space-separated list of methods and a pattern."""
    return Route(name, frozenset(methods.split()), re.compile(pattern), handler, summary)


def find(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The first route of that method and path, with its decoded parameters."""
    for candidate in routes:
        if method in candidate.methods and (match := candidate.pattern.fullmatch(path)):
            return candidate, {
                key: unquote(value) for key, value in match.groupdict().items() if value is not None
            }
    return None


def routing_path(raw_path: bytes) -> str:
    """The path to route on: each segment decoded once, then `%` and `/` inside it escaped again.

    A revision sent as `refs%2Fpr%2F1` so stays one segment. Undecodable bytes stay visible as surrogates. Escaped or
    not, the same bytes give the same path, and other bytes another.
    """
    return "/".join(_segment(part) for part in raw_path.split(b"?", 1)[0].split(b"/"))


def _segment(raw: bytes) -> str:
    text = (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8", "surrogateescape")
    return text.replace("%", "%25").replace("/", "%2F") if b"%" in raw else text


def query(scope: Scope) -> dict[str, list[str]]:
    """The values of each field of the query, empty ones too. Raises BadRequest for a NUL."""
    found = parse_qs(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
    require_all_storable(found.items())
    return found


async def answer(
    send: Send,
    status: int,
    headers: Iterable[tuple[str, str]],
    body: bytes = b"",
    *,
    with_length: bool = True,
) -> None:
    """Sends a whole small answer."""
    pairs = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers]
    if with_length:
        pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: Any) -> None:
    """Sends a JSON answer, which nobody may keep."""
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    await answer(send, status, headers, json.dumps(value, separators=(",", ":")).encode())


def error_answer(error: HutchError, scope: Scope) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and JSON body of an error. Nobody meets 401 where others meet 404, so git asks for a password."""
    status = error.status
    headers = {"Content-Type": "application/json", **error.headers(), "Cache-Control": "no-store"}
    anonymous = "authorization" not in scope["request_headers"] and "cookie" not in scope["request_headers"]
    if isinstance(error, RepoNotFound) and anonymous:
        status = 401
    if status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Hutch", charset="UTF-8"'
    return status, headers, json.dumps(error.body()).encode()
