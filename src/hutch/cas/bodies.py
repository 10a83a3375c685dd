"""Reads the bodies of wires: small JSON whole, large bytes into staging."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from hutch.core import threads
from hutch.core.errors import BadRequest, HutchError, PayloadTooLarge
from hutch.core.wires import Receive, Scope
from hutch.storage.errors import SizeMismatch

_DRAIN_BYTES = 64 << 20


class ClientGone(Exception):
    """The client went before its body was whole; there is nobody to answer."""


class Sink(Protocol):
    """What takes a stream: a StagedFile, an Append."""

    def add(self, data: bytes) -> bool: ...
    def drain(self) -> None: ...


async def read(receive: Receive, limit: int) -> bytes:
    """A small body, whole in memory. Raises PayloadTooLarge, ClientGone."""
    body = Body(receive, limit)
    text = bytearray()
    while not body.is_over:
        text += await body.piece()
    return bytes(text)


async def read_json(receive: Receive, limit: int) -> dict[str, Any]:
    """A small JSON object. Raises BadRequest, PayloadTooLarge, ClientGone."""
    text = await read(receive, limit)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadRequest("The body is not JSON", field="body") from error
    if not isinstance(value, dict):
        raise BadRequest("The body is not a JSON object", field="body")
    return value


class Abortable(Sink, Protocol):
    """A sink that can be given up: a StagedFile, a PartFile."""

    def abort(self) -> None: ...


Taker = TypeVar("Taker", bound=Abortable)
Taken = TypeVar("Taken")


class Body:
    """The body of one request, piece by piece."""

    def __init__(self, receive: Receive, limit: int | None = None) -> None:
        self._receive = receive
        self._limit = limit
        self.size = 0
        self.is_over = False

    async def piece(self) -> bytes:
        """The next bytes. Raises ClientGone, and PayloadTooLarge for what goes on beyond the limit."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        self.is_over = not message.get("more_body", False)
        data: bytes = message.get("body", b"")
        self.size += len(data)
        if self._limit is not None and self.size > self._limit:
            limit, self._limit = self._limit, None
            raise PayloadTooLarge(
                f"The body has more than {limit} bytes", field="body", value=self.size, limit=limit
            )
        return data

    async def pour(self, sink: Sink) -> None:
        """Hands all of it to a sink; a batch is written and hashed while the next one is received."""
        while not self.is_over:
            if sink.add(await self.piece()):
                await threads.run_disk(sink.drain)

    async def discard(self) -> None:
        """Reads on for a while after an error, so that a client that only writes gets to see the answer."""
        seen = 0
        while not self.is_over and seen < _DRAIN_BYTES:
            seen += len(await self.piece())


async def take(
    scope: Scope, receive: Receive, size: int, begin: Callable[[], Taker], finish: Callable[[Taker], Taken]
) -> Taken:
    """The request's body, of so many bytes, into what `begin` opens; what `finish` makes of it, durably.

    Raises SizeMismatch (before a byte is read, if the request says its length), InsufficientStorage, ClientGone and
    what `finish` raises; nothing is kept then.
    """

    def begin_checked() -> Taker:
        require_length(scope, size)
        return begin()

    return await take_any(receive, None, begin_checked, finish)


async def take_any(
    receive: Receive, limit: int | None, begin: Callable[[], Taker], finish: Callable[[Taker], Taken]
) -> Taken:
    """As `take`, of at most `limit` bytes. Raises PayloadTooLarge, and what `begin` and `finish` raise."""
    body = Body(receive, limit)
    taker = None
    try:
        taker = await threads.run_disk(begin)
        await body.pour(taker)
        return await threads.run_disk(finish, taker)
    except HutchError:
        await body.discard()
        raise
    finally:
        if taker is not None:
            # Harmless after `finish`. Shielded: a request that is cancelled leaves nothing either.
            await asyncio.shield(threads.run_disk(taker.abort))


def require_length(scope: Scope, size: int) -> None:
    """Raises SizeMismatch if the request announces another length."""
    declared = scope["request_headers"].get("content-length", "")
    if declared.isdecimal() and int(declared) != size:
        raise SizeMismatch(expected=size, received=int(declared))
