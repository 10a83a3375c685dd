"""Sends a file or some bytes over HTTP: whole, in ranges, or not at all if the client has it.

A whole file goes by the server's own file support (`http.response.pathsend`), which never brings it into Python.
Ranges are read in pieces of 1 MiB: with 64 KiB pieces a gigabyte costs four times the CPU.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from hutch.cas import ranges
from hutch.cas.ranges import Span
from hutch.core import threads, wires
from hutch.core.errors import NotFound
from hutch.core.wires import Receive, Scope, Send

_PIECE_BYTES = 1 << 20
_PATHSEND = "http.response.pathsend"
Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent: a file of the disk or bytes in memory, `size` bytes of it, under a quoted entity tag."""

    source: Path | bytes
    size: int
    etag: str
    content_type: str


async def send_file(
    scope: Scope,
    receive: Receive,
    send: Send,
    path: Path,
    *,
    size: int,
    etag: str,
    content_type: str,
    headers: Headers = (),
) -> None:
    """Answers GET or HEAD with a file of the disk; see `send_content`. `etag` comes with its quotes."""
    await send_content(scope, receive, send, Content(path, size, etag, content_type), headers)


async def send_bytes(
    scope: Scope,
    receive: Receive,
    send: Send,
    data: bytes,
    *,
    etag: str,
    content_type: str,
    headers: Headers = (),
) -> None:
    """Answers GET or HEAD with bytes in memory; see `send_content`. `etag` comes with its quotes."""
    await send_content(scope, receive, send, Content(data, len(data), etag, content_type), headers)


async def send_content(
    scope: Scope, receive: Receive, send: Send, content: Content, headers: Headers = ()
) -> None:
    """Answers GET or HEAD by RFC 9110: 304 for a tag that the client has, 206 for ranges, else 200.

    `headers` go along with each of these. Raises RangeNotSatisfiable (416), and NotFound if the file is gone.
    """
    asked = scope["request_headers"]
    common = [*headers, ("ETag", content.etag), ("Accept-Ranges", "bytes")]
    if (known := asked.get("if-none-match")) is not None and ranges.matches_any(known, content.etag):
        await wires.answer(send, 304, common, with_length=False)
        return
    if scope["method"] == "HEAD":
        await _start(send, 200, [*common, ("Content-Type", content.content_type)], content.size)
        await send({"type": "http.response.body", "body": b""})
        return
    spans = None
    if ranges.range_still_holds(asked.get("if-range"), content.etag):
        spans = ranges.parse(asked.get("range"), content.size)
    if spans is None:
        await _send_whole(scope, receive, send, content, common)
    elif len(spans) == 1:
        found = ("Content-Range", ranges.content_range(spans[0], content.size))
        await _send_spans(
            receive,
            send,
            content,
            spans,
            [b""],
            b"",
            [*common, ("Content-Type", content.content_type), found],
        )
    else:
        await _send_multipart(receive, send, content, spans, common)


async def _send_whole(
    scope: Scope, receive: Receive, send: Send, content: Content, common: Sequence[tuple[str, str]]
) -> None:
    headers = [*common, ("Content-Type", content.content_type)]
    if isinstance(content.source, Path) and content.size and _PATHSEND in (scope.get("extensions") or {}):
        await threads.run_disk(_require_file, content.source, content.size)
        await _start(send, 200, headers, content.size)
        await send({"type": _PATHSEND, "path": str(content.source)})
        return
    status_spans = [Span(0, content.size)] if content.size else []
    await _send_spans(
        receive, send, content, status_spans, [b""] * len(status_spans), b"", headers, status=200
    )


async def _send_multipart(
    receive: Receive, send: Send, content: Content, spans: Sequence[Span], common: Sequence[tuple[str, str]]
) -> None:
    boundary = secrets.token_hex(16)
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {content.content_type}\r\n"
        f"Content-Range: {ranges.content_range(span, content.size)}\r\n\r\n".encode("latin-1")
        for span in spans
    ]
    foot = f"\r\n--{boundary}--\r\n".encode()
    headers = [*common, ("Content-Type", f"multipart/byteranges; boundary={boundary}")]
    await _send_spans(receive, send, content, spans, heads, foot, headers)


async def _send_spans(
    receive: Receive, send: Send, content: Content, spans: Sequence[Span], heads: Sequence[bytes], foot: bytes,
    headers: Headers, *, status: int = 206,
) -> None:  # fmt: skip
    """Sends each span behind its head, then the foot; stops when the client has gone."""
    length = ranges.total_length(spans) + sum(map(len, heads)) + len(foot)
    async with _opened(content) as reader, _until_gone(receive) as gone:
        await _start(send, status, headers, length)
        for span, head in zip(spans, heads, strict=True):
            if head:
                await send({"type": "http.response.body", "body": head, "more_body": True})
            for at in range(span.start, span.end, _PIECE_BYTES):
                piece = await reader.read(at, min(_PIECE_BYTES, span.end - at))
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": foot})


class _Reader:
    """Pieces of a content, from memory or by a disk thread."""

    def __init__(self, source: bytes | int) -> None:
        self._source = source

    async def read(self, start: int, count: int) -> bytes:
        """Exactly `count` bytes; a file that has become shorter raises."""
        if isinstance(self._source, bytes):
            return self._source[start : start + count]
        return await threads.run_disk(_pread, self._source, count, start)


@asynccontextmanager
async def _opened(content: Content) -> AsyncIterator[_Reader]:
    if isinstance(content.source, bytes):
        yield _Reader(content.source)
        return
    fd = await threads.run_disk(_open_whole, content.source, content.size)
    try:
        yield _Reader(fd)
    finally:
        # A cancelled request leaves its last read running in a thread: the descriptor is closed behind it.
        await asyncio.shield(threads.run_disk(os.close, fd))


@asynccontextmanager
async def _until_gone(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """A task that is done when the client has gone: Granian's `send` says nothing about that."""
    gone = asyncio.create_task(_watch(receive))
    try:
        yield gone
    finally:
        gone.cancel()


async def _watch(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _start(send: Send, status: int, headers: Headers, length: int) -> None:
    pairs = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers]
    pairs.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})


def _require_file(path: Path, size: int) -> None:
    os.close(_open_whole(path, size))


def _open_whole(path: Path, size: int) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise NotFound("The file is gone") from error
    if os.fstat(fd).st_size != size:
        os.close(fd)
        raise OSError(f"{path} has not the {size} bytes that its row says: run hutch fsck")
    return fd


def _pread(fd: int, count: int, start: int) -> bytes:
    piece = os.pread(fd, count, start)
    if len(piece) == count:
        return piece
    pieces = [piece]
    while piece and (left := count - sum(map(len, pieces))):
        piece = os.pread(fd, left, start + count - left)
        pieces.append(piece)
    if sum(map(len, pieces)) != count:
        raise EOFError(f"a file ended at byte {start + sum(map(len, pieces))}")
    return b"".join(pieces)
