"""Our own small adapter between ASGI and Django: one hop to a thread, the body spooled first, disconnects noticed.

Ready-made adapters fail under Granian (`stack.md`: a2wsgi breaks on bodies, Django's ASGIHandler costs 2 to 4 times).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponseBase

from hutch.accounts import actors
from hutch.core import threads
from hutch.core.errors import HutchError, PayloadTooLarge, Unauthorized
from hutch.core.request import Request
from hutch.core.wires import Receive, Scope, Send, error_answer
from hutch.settings import current

_SPOOL_BYTES = 1 << 20
_BODILESS = (204, 304)
_handler = WSGIHandler()


async def django(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers a request by Django's views."""
    with tempfile.SpooledTemporaryFile(_SPOOL_BYTES) as body:
        try:
            size = await _read_body(scope, receive, body)
        except HutchError as error:
            status, headers, content = error_answer(error, scope)
            await _send_start(send, status, [*headers.items(), ("Connection", "close")])
            await send({"type": "http.response.body", "body": content})
            return
        if size is None:
            return
        response = await threads.run(_respond, _environ(scope, body, size))
        await _send_response(response, scope, receive, send)


async def _read_body(scope: Scope, receive: Receive, body: IO[bytes]) -> int | None:
    """Bytes read into `body`; None if the client has gone."""
    limit = body_limit(scope["routing_path"])
    declared = scope["request_headers"].get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(int(declared), limit)
    size, is_somebody = 0, False
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(size, limit)
        if size > current().max_request_bytes and not is_somebody:
            await threads.run(_require_somebody, scope)
            is_somebody = True
        if size > _SPOOL_BYTES:
            await threads.run_disk(body.write, chunk)
        elif chunk:
            body.write(chunk)
        if not message.get("more_body"):
            body.seek(0)
            return size


def _require_somebody(scope: Scope) -> None:
    """Raises Unauthorized for nobody: only an account may fill the disk with a large commit."""
    if actors.identify(scope["request_headers"]).is_nobody:
        raise Unauthorized("Sign in or send an access token to send so much", field="body")


def body_limit(path: str) -> int:
    """The most bytes of body that an address takes."""
    is_commit = path.startswith("/api/") and "/commit/" in path
    return current().max_commit_bytes if is_commit else current().max_request_bytes


def _too_large(size: int, limit: int) -> PayloadTooLarge:
    message = f"The body has {size} bytes or more; this address takes {limit}"
    return PayloadTooLarge(message, field="body", value=size, limit=limit)


def _environ(scope: Scope, body: IO[bytes], size: int) -> dict[str, Any]:
    origin = scope["origin"]
    headers = scope["request_headers"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": _wsgi_text(unquote_to_bytes(scope.get("raw_path") or scope["path"].encode())),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": current().host,
        "SERVER_PORT": str(current().port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": origin.client_ip,
        "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(size),
        "wsgi.url_scheme": "https" if origin.is_secure else "http",
        "wsgi.input": body,
        "hutch.scope": scope,
    }
    for name, value in headers.items():
        if name not in ("content-type", "content-length"):
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    environ["HTTP_HOST"] = origin.host  # behind a proxy that is trusted, the one that the browser knows
    return environ


def _wsgi_text(raw: bytes) -> str:
    return raw.decode("latin-1")


def _respond(environ: dict[str, Any]) -> HttpResponseBase:
    signals.request_started.send(sender=WSGIHandler, environ=environ)
    request = Request(environ)
    request.path_info = environ["hutch.scope"]["routing_path"]
    return _handler.get_response(request)


async def _send_start(send: Send, status: int, headers: list[tuple[str, str]]) -> None:
    pairs = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _send_response(response: HttpResponseBase, scope: Scope, receive: Receive, send: Send) -> None:
    headers = [(key, value) for key, value in response.items()]
    headers += [("Set-Cookie", morsel.OutputString()) for morsel in response.cookies.values()]
    try:
        if scope["method"] == "HEAD" or response.status_code in _BODILESS:
            await _send_start(send, response.status_code, _with_length(response, headers))
            await send({"type": "http.response.body", "body": b""})
        elif response.streaming:
            await _send_start(send, response.status_code, headers)
            await _stream(iter(response), receive, send)
        else:
            await _send_start(send, response.status_code, _with_length(response, headers))
            await send({"type": "http.response.body", "body": response.content})  # type: ignore[attr-defined]
    finally:
        await threads.run(response.close)


def _with_length(response: HttpResponseBase, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    known = response.streaming or response.has_header("Content-Length") or response.status_code in _BODILESS
    return headers if known else [*headers, ("Content-Length", str(len(response.content)))]  # type: ignore[attr-defined]


async def _stream(chunks: Iterator[bytes], receive: Receive, send: Send) -> None:
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        while not gone.done():
            chunk = await threads.run(next, chunks, None)
            if chunk is None:
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
