"""The front door: finds the wire or hands the request to Django, and gives each request its origin and its number."""

from __future__ import annotations

import hutch.boot  # Django is set up before any room is imported

import asyncio
import logging
import secrets

from hutch import bridge, routes
from hutch.core import addresses, background, context, full_disk, wires
from hutch.core.errors import HutchError
from hutch.core.wires import Message, Receive, Scope, Send
from hutch.settings import current
from hutch.storage import faults

log = logging.getLogger("hutch.door")
_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI application that Granian serves."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _http(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if current().fault:
                faults.arm_to_kill(current().fault)
            await hutch.boot.started()
            background.start()  # after the rooms have put right what a crash left
            await send({"type": "lifespan.startup.complete"})
        else:
            await asyncio.to_thread(background.stop)
            await hutch.boot.stopped()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    headers = _headers(scope)
    scope["request_headers"] = headers
    peer = (scope.get("client") or ("", 0))[0]
    scope["origin"] = addresses.origin(headers, peer, scope.get("scheme", "http"), current())
    scope["routing_path"] = wires.routing_path(scope.get("raw_path") or scope["path"].encode())
    scope["request_id"] = headers.get("x-request-id", "")[:100] or secrets.token_hex(8)
    context.request_id.set(scope["request_id"])
    found = wires.find(routes.WIRES, scope["method"], scope["routing_path"])
    if scope["method"] not in _SAFE and addresses.is_foreign(headers, scope["origin"]):
        _forget_whose_browser(headers, is_wire=found is not None)
    if found is None:
        await _guarded(bridge.django, scope, receive, send)
        return
    scope["path_params"] = found[1]
    await _guarded(found[0].handler, scope, receive, send)


# A browser sends these by itself, whichever page asks; Django's views look for a token against forgery beside a cookie.
def _forget_whose_browser(headers: dict[str, str], *, is_wire: bool) -> None:
    if is_wire:
        headers.pop("cookie", None)
    if headers.get("authorization", "").lower().startswith("basic"):
        del headers["authorization"]


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if "_" in name:  # could pass for its sister with a hyphen further in
            continue
        found[name] = f"{found[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in found else value
    return found


async def _guarded(handler: wires.Handler, scope: Scope, receive: Receive, send: Send) -> None:
    started = False

    async def watched(message: Message) -> None:
        nonlocal started
        if message["type"] == "http.response.start":
            started = True
            message["headers"] = [
                *message.get("headers", []),
                (b"x-request-id", scope["request_id"].encode("latin-1")),
            ]
        await send(message)

    try:
        await handler(scope, receive, watched)
    except HutchError as error:
        if started:
            log.warning("%s %s broke off: %s", scope["method"], scope["routing_path"], error.message)
            raise
        await _refuse(error, scope, watched)
    except Exception as error:
        log.exception(
            "%s %s failed (request %s)", scope["method"], scope["routing_path"], scope["request_id"]
        )
        if started:
            raise
        told = full_disk.named(error) or HutchError("The server failed to answer; its log names this request")
        await _refuse(told, scope, watched)


async def _refuse(error: HutchError, scope: Scope, send: Send) -> None:
    status, headers, body = wires.error_answer(error, scope)
    await wires.answer(send, status, headers.items(), b"" if scope["method"] == "HEAD" else body)
