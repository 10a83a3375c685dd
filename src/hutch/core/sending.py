"""Sends the bytes of a file as a GET or HEAD wants them: whole, one range, several, or not at all (RFC 9110)."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path
from typing import Protocol

from hutch.core import ranges, threads
from hutch.core.errors import HutchError
from hutch.core.ranges import ByteRange
from hutch.core.wires import Receive, Scope, Send

CHUNK_BYTES = 1 << 20  # at 64 KiB a range costs three times the CPU

Headers = list[tuple[str, str]]


class PreconditionFailed(HutchError):
    """The file is not the one that If-Match asks for."""

    status = 412
    code = "PreconditionFailed"


class Source(Protocol):
    """Where the bytes come from. `read` blocks and is called in a disk thread."""

    @property
    def size(self) -> int: ...
    @property
    def path(self) -> Path | None:
        """The file that holds exactly these bytes, if one does: the server then sends it itself."""
        ...

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Bytes `start` to `end` (exclusive) in pieces."""
        ...


class BytesSource:
    """Bytes in memory."""

    path = None

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """In one piece."""
        yield bytes(self._data[start:end])


class FileSource:
    """A file on the local disk."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """In pieces of 1 MiB. Raises OSError where the file is shorter than it should be."""
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while start < end:
                piece = os.pread(handle, min(CHUNK_BYTES, end - start), start)
                if not piece:
                    raise OSError(f"{self.path.name} ends at {start} bytes instead of {self.size}")
                start += len(piece)
                yield piece
        finally:
            os.close(handle)


async def send_content(
    scope: Scope,
    receive: Receive,
    send: Send,
    size: int,
    etag: str,
    headers: Headers,
    open_source: Callable[[], Awaitable[Source]],
    *,
    modified_s: int | None = None,
) -> None:
    """Answers GET or HEAD for `size` bytes known by a strong `etag` (quoted); the bytes are opened only if needed.

    `headers` are sent with every answer. Raises RangeNotSatisfiable and PreconditionFailed before it sends.
    """
    asked: Mapping[str, str] = scope["request_headers"]
    headers = [*headers, ("ETag", etag), ("Accept-Ranges", "bytes")]
    if modified_s is not None:
        headers.append(("Last-Modified", formatdate(modified_s, usegmt=True)))
    if _is_unchanged(asked, etag, modified_s):
        await _start(send, 304, [pair for pair in headers if pair[0].lower() != "content-type"])
        await send({"type": "http.response.body", "body": b""})
        return
    parts = None
    if "range" in asked and scope["method"] == "GET" and size:
        if ranges.if_range_holds(asked.get("if-range", ""), etag, modified_s):
            parts = ranges.parse(asked["range"], size)
    if parts is not None and len(parts) > 1:
        await _send_multipart(receive, send, parts, size, headers, await open_source())
        return
    length = parts[0].end - parts[0].start if parts else size
    if parts:
        headers.append(("Content-Range", parts[0].content_range(size)))
    headers.append(("Content-Length", str(length)))
    if scope["method"] == "HEAD":
        await _start(send, 200, headers)
        await send({"type": "http.response.body", "body": b""})
        return
    source = await open_source() if length else BytesSource(b"")
    await _start(send, 206 if parts else 200, headers)
    if parts is None and source.path is not None and "http.response.pathsend" in scope.get("extensions", {}):
        await send({"type": "http.response.pathsend", "path": str(source.path)})
        return
    part = parts[0] if parts else ByteRange(0, size)
    await _send_body(receive, send, source.read(part.start, part.end))


def _is_unchanged(asked: Mapping[str, str], etag: str, modified_s: int | None) -> bool:
    if "if-match" in asked and not ranges.matches(asked["if-match"], etag, weak=False):
        raise PreconditionFailed(field="If-Match", value=asked["if-match"])
    if "if-none-match" in asked:
        return ranges.matches(asked["if-none-match"], etag, weak=True)
    since = ranges.http_date_s(asked.get("if-modified-since", "")) if modified_s is not None else None
    return since is not None and modified_s is not None and modified_s <= since


async def _start(send: Send, status: int, headers: Headers) -> None:
    pairs = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _send_multipart(
    receive: Receive, send: Send, parts: list[ByteRange], size: int, headers: Headers, source: Source
) -> None:
    boundary = secrets.token_hex(16)
    content_type = next((value for key, value in headers if key.lower() == "content-type"), "")
    rest = [pair for pair in headers if pair[0].lower() != "content-type"]
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {content_type or 'application/octet-stream'}\r\n"
        f"Content-Range: {part.content_range(size)}\r\n\r\n".encode("latin-1")
        for part in parts
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(part.end - part.start for part in parts) + len(tail)
    rest += [
        ("Content-Type", f"multipart/byteranges; boundary={boundary}"),
        ("Content-Length", str(length)),
    ]
    await _start(send, 206, rest)
    await _send_body(receive, send, _framed(parts, heads, tail, source))


def _framed(parts: list[ByteRange], heads: list[bytes], tail: bytes, source: Source) -> Iterator[bytes]:
    for part, head in zip(parts, heads, strict=True):
        yield head
        yield from source.read(part.start, part.end)
    yield tail


async def _send_body(receive: Receive, send: Send, pieces: Iterator[bytes]) -> None:
    try:
        async with watched(receive) as is_gone:
            while not is_gone():
                piece = await threads.run_disk(next, pieces, None)
                if piece is None:
                    await send({"type": "http.response.body", "body": b""})
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            await threads.run_disk(close)


@asynccontextmanager
async def watched(receive: Receive) -> AsyncIterator[Callable[[], bool]]:
    """Tells whether the client has gone: Granian's `send` does not raise then. For requests whose body was read."""
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        yield gone.done
    finally:
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
