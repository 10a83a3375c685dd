"""Reads the bodies of wires: small JSON whole, large bytes into staging."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Protocol

from hutch.cas import stores
from hutch.core import threads
from hutch.core.errors import BadRequest, HutchError, PayloadTooLarge
from hutch.core.wires import Receive, Scope
from hutch.storage.errors import SizeMismatch
from hutch.storage.port import Staged

_DRAIN_BYTES = 64 << 20


class ClientGone(Exception):
    """The client went before its body was whole; there is nobody to answer."""


class Sink(Protocol):
    """What takes a stream: a StagedFile, an Append."""

    def add(self, data: bytes) -> bool: ...
    def drain(self) -> None: ...


async def read_json(receive: Receive, limit: int) -> dict[str, Any]:
    """A small JSON object. Raises BadRequest, PayloadTooLarge, ClientGone."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise PayloadTooLarge(
                f"The body has more than {limit} bytes", field="body", value=len(body), limit=limit
            )
    try:
        value = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON", field="body") from error
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object", field="body")
    return value


async def stage(scope: Scope, receive: Receive, size: int, sha256: str | None) -> Staged:
    """The request's body as a checked and synced file in staging, which is the caller's to adopt or to remove.

    Raises SizeMismatch (before a byte is read, if the request says its length), ChecksumMismatch,
    InsufficientStorage or ClientGone; nothing is left in staging then.
    """
    file = None
    try:
        require_length(scope, size)
        file = await threads.run_disk(stores.staging().create, size)
        await pour(receive, file)
        return await threads.run_disk(file.finish, size, sha256)
    except HutchError:
        await discard(receive)
        raise
    finally:
        if file is not None:
            # Harmless after `finish`. Shielded: a request that is cancelled leaves nothing either.
            await asyncio.shield(threads.run_disk(file.abort))


async def pour(receive: Receive, sink: Sink) -> None:
    """Hands the whole body to a sink; a batch is written and hashed while the next one is received."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        if sink.add(message.get("body", b"")):
            await threads.run_disk(sink.drain)
        if not message.get("more_body"):
            return


async def discard(receive: Receive) -> None:
    """Reads on for a while after an error, so that a client that only writes gets to see the answer."""
    seen = 0
    while seen < _DRAIN_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return
        seen += len(message.get("body", b""))


def require_length(scope: Scope, size: int) -> None:
    """Raises SizeMismatch if the request announces another length."""
    declared = scope["request_headers"].get("content-length", "")
    if declared.isdecimal() and int(declared) != size:
        raise SizeMismatch(expected=size, received=int(declared))
