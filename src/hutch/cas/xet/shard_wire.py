"""A shard on its way in: read, examined, its files hashed piece by piece, admitted; and told of meanwhile.

Hashing a file takes seconds a gigabyte. So it goes in pieces through the disk's threads, and no thread of a room, which
are few, waits for it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import mmap
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from hutch.cas import bodies, stores
from hutch.cas.xet import shards
from hutch.cas.xet.reading import FileReader
from hutch.cas.xet.shards import Examined, admit
from hutch.cas.xet.tokens import CasToken
from hutch.core import threads
from hutch.core.errors import HutchError
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Send
from hutch.storage.upload import StagedFile
from hutch.xet import shard
from hutch.xet.shard import MAX_SHARD_BYTES, Shard

__all__ = ["admit", "answer_streaming", "examined", "prove", "quiet"]

log = logging.getLogger(__name__)
_PIECE_BYTES = 4 << 20
_TELL_EVERY_S = 2.0  # hf_xet 1.8.0 gives up after 300 s of silence

Progress = Callable[[int, int], Awaitable[None]]
"""Told bytes of content that were hashed, and how many there are in all."""


async def quiet(verified: int, total: int) -> None:
    """Tells nobody."""


async def examined(receive: Receive, token: CasToken, actor: Actor) -> Examined:
    """The shard of a request's body, examined. Raises PayloadTooLarge, and as `shard.parse` and `shards.examine`."""
    begin = partial(stores.staging().create, None, hashing=False)
    parsed = await bodies.take_any(receive, MAX_SHARD_BYTES, begin, _parsed)
    return await threads.run(shards.examine, actor, token, parsed)


def _parsed(file: StagedFile) -> Shard:
    staged = file.finish()
    try:
        return _parse(staged.path) if staged.size else shard.parse(b"")
    finally:
        staged.path.unlink(missing_ok=True)


def _parse(path: Path) -> Shard:
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        return shard.parse(mapped)


async def prove(examined: Examined, progress: Progress) -> None:
    """Puts each file together whose SHA-256 is not proven, and hashes it. Raises ChecksumRefused, DamagedXorb."""
    total = sum(examined.sizes[place] for place in examined.unproven)
    before = 0
    for place in examined.unproven:
        entry, size = examined.files[place], examined.sizes[place]
        digest = hashlib.sha256()
        reader = FileReader(entry.terms, verify=False)  # the SHA-256 says more than the chunks' hashes
        for at in range(0, size, _PIECE_BYTES):
            count = min(_PIECE_BYTES, size - at)
            if lacking := reader.lacks(at, count):
                await threads.run(reader.load, lacking)
            await threads.run_disk(_hash_piece, digest, reader, at, count)
            reader.forget()
            await progress(before + at + count, total)
        before += size
        shards.check_sha256(entry, digest.hexdigest())


def _hash_piece(digest: hashlib._Hash, reader: FileReader, at: int, count: int) -> None:
    for piece in reader.pieces(at, count):
        digest.update(piece)


async def answer_streaming(receive: Receive, send: Send, token: CasToken, actor: Actor) -> None:
    """Answers lines of JSON until the files are durable: `validating`, `committing`, `result` or `error`."""
    found = await examined(receive, token, actor)
    told = _Told(send)
    await told.begin()
    try:
        await prove(found, told.progress)
        await told.line({"type": "committing", "stage": "syncing"})
        await threads.run(admit, token, found)
        await told.line({"type": "result"})
    except HutchError as error:
        retryable = error.status >= 500
        await told.line({"type": "error", "message": error.message, "retryable": retryable})
    except Exception:  # the answer has begun: the door cannot tell of it any more
        log.exception("a shard could not be taken in")
        await told.line({"type": "error", "message": "The server failed", "retryable": True})
    await told.end()


class _Told:
    """An answer that goes on line by line."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._told_at = time.monotonic()

    async def begin(self) -> None:
        headers = [(b"content-type", b"application/x-ndjson"), (b"cache-control", b"no-store")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})

    async def progress(self, verified: int, total: int) -> None:
        """Now and then, not for every piece."""
        if verified == total or time.monotonic() - self._told_at >= _TELL_EVERY_S:
            await self.line({"type": "validating", "verified": verified, "total": total})

    async def line(self, value: dict[str, object]) -> None:
        self._told_at = time.monotonic()
        text = json.dumps(value).encode() + b"\n"
        await self._send({"type": "http.response.body", "body": text, "more_body": True})

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b""})
