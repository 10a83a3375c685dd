"""The body of a git request as it comes in: gunzipped within bounds, counted, and the client's going noticed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import IO

from hutch.core import threads
from hutch.core.errors import BadRequest, PayloadTooLarge
from hutch.core.wires import Receive, Scope

_PIECE_BYTES = 1 << 20
_GZIP = 31  # zlib's wbits for a gzip header


class ClientGone(Exception):
    """The client broke off in the middle of its body."""


async def pieces(scope: Scope, receive: Receive, limit: int) -> AsyncIterator[bytes]:
    """The body in pieces of at most 1 MiB. Raises PayloadTooLarge, BadRequest (broken gzip), ClientGone."""
    gunzip = _gunzip_of(scope)
    total = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        for piece in _decoded(gunzip, chunk):
            total += len(piece)
            if total > limit:
                raise PayloadTooLarge(
                    f"The body has more than {limit} bytes", field="body", value=total, limit=limit
                )
            yield piece
        if not message.get("more_body"):
            if gunzip is not None and not gunzip.eof:
                raise BadRequest("The gzip body ends early", field="Content-Encoding")
            return


def _gunzip_of(scope: Scope) -> zlib._Decompress | None:
    coding = scope["request_headers"].get("content-encoding", "identity").lower()
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(_GZIP)
    if coding != "identity":
        raise BadRequest("Only gzip bodies are read", field="Content-Encoding", value=coding)
    return None


# A small gzip can be a large body: never more than one piece of it lies in memory.
def _decoded(gunzip: zlib._Decompress | None, chunk: bytes) -> Iterator[bytes]:
    if gunzip is None:
        if chunk:
            yield chunk
        return
    while chunk:
        try:
            piece = gunzip.decompress(chunk, _PIECE_BYTES)
        except zlib.error as error:
            raise BadRequest("The body is not gzip", field="Content-Encoding") from error
        chunk = gunzip.unconsumed_tail
        if piece:
            yield piece
        elif chunk:
            raise BadRequest("The body is not gzip", field="Content-Encoding")


async def spool(scope: Scope, receive: Receive, limit: int, into: IO[bytes]) -> int:
    """Writes the body into a file and rewinds it; the body's size in bytes.

    A body beyond `limit` is read on, up to twice the limit, and not kept: git hears why it was refused only if it could
    send all. Raises as `pieces` does.
    """
    size = 0
    async for piece in pieces(scope, receive, 2 * limit):
        size += len(piece)
        if size <= limit:
            await threads.run_disk(into.write, piece)
    await threads.run_disk(into.seek, 0)
    return size
