"""Bytes on their way to a file: written, hashed and received at the same time.

`os.pwritev` and `hashlib` release the interpreter's lock for large buffers, so one pool thread writes a batch
and another hashes it while the caller receives the next one. The batch before must be down before the next
starts: at most two batches are in memory, and a slow disk slows the sender.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from typing import TYPE_CHECKING
from weakref import WeakSet

from hutch.storage import faults

if TYPE_CHECKING:
    from hashlib import _Hash

# Measured at 1 GB: batches of 4 MiB cost 0.95 s, of 1 MiB 1.2 to 1.8 (hand-overs between threads). So a few uploads
# have large batches, and many share the memory.
_LARGEST_BATCH_BYTES = 4 << 20
_SMALLEST_BATCH_BYTES = 1 << 20
_ALL_BATCHES_BYTES = 64 << 20
# pwritev takes at most IOV_MAX (1024) buffers.
_MAX_BUFFERS = 512
_READ_BYTES = 1 << 20


_live: WeakSet[Writer] = WeakSet()


class Writer:
    """Writes to a file descriptor from `offset` on; `position` counts the bytes that were handed in."""

    def __init__(
        self, fd: int, pool: Executor, *, offset: int = 0, hashing: bool = True, digest: _Hash | None = None
    ) -> None:
        self._fd = fd
        self._pool = pool
        self._written = offset
        self._digest = hashlib.sha256() if hashing else digest
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._under_way: list[Future[None]] = []
        self._failure: BaseException | None = None
        # A cancelled request stops the writer while its last `drain` may still run in a thread.
        self._lock = threading.Lock()
        self.position = offset
        _live.add(self)
        share = _ALL_BATCHES_BYTES // max(1, len(_live))
        self.batch_bytes = min(_LARGEST_BATCH_BYTES, max(_SMALLEST_BATCH_BYTES, share))

    def add(self, data: bytes | bytearray | memoryview) -> bool:
        """Keep the bytes in memory, never blocking; True when a batch waits and `drain` is due."""
        # A caller may refill its bytearray; the threads read later.
        chunk = data if isinstance(data, bytes) else bytes(data)
        if chunk:
            self._batch.append(chunk)
            self._batch_bytes += len(chunk)
            self.position += len(chunk)
        return self._batch_bytes >= self.batch_bytes

    def drain(self) -> None:
        """Wait for the batch before and start this one; raises what writing the one before raised."""
        with self._lock:
            self._settle_batch()
            if self._batch:
                self._start_batch()

    def settle(self) -> None:
        """All that was handed in is in the file (not yet synced) on return."""
        self.drain()
        with self._lock:
            self._settle_batch()

    def stop(self, reason: BaseException | None = None) -> None:
        """Forget what waits; no thread touches the file descriptor afterwards. A `drain` to come raises the reason."""
        with self._lock:
            self._failure = reason or RuntimeError("the upload was aborted")
            self._batch, self._batch_bytes = [], 0
            wait(self._under_way)

    def sha256(self) -> str:
        """The digest of what was settled."""
        assert self._digest is not None, "this writer does not hash"
        return self._digest.hexdigest()

    def _start_batch(self) -> None:
        batch, offset = self._batch, self._written
        self._written += self._batch_bytes
        self._batch, self._batch_bytes = [], 0
        self._under_way = [self._pool.submit(_write_all, self._fd, batch, offset)]
        if self._digest is not None:
            self._under_way.append(self._pool.submit(_hash_all, self._digest.update, batch))

    def _settle_batch(self) -> None:
        # Both must be over before one's error closes the file.
        wait(self._under_way)
        under_way, self._under_way = self._under_way, []
        failures = (future.exception() for future in under_way)
        self._failure = self._failure or next((failure for failure in failures if failure), None)
        if self._failure is not None:
            # A later batch behind a lost one would leave a hole.
            raise self._failure


def hash_range(fd: int, update: Callable[[memoryview], None], start: int, end: int) -> None:
    """Feed bytes `start` to `end` of an open file to a digest's `update`."""
    buffer = memoryview(bytearray(_READ_BYTES))
    while start < end:
        got = os.preadv(fd, [buffer[: min(_READ_BYTES, end - start)]], start)
        if got == 0:
            raise EOFError(f"the file ends at byte {start}, {end} were expected")
        update(buffer[:got])
        start += got


def _hash_all(update: Callable[[bytes], None], batch: list[bytes]) -> None:
    for chunk in batch:
        update(chunk)


def _write_all(fd: int, batch: list[bytes], offset: int) -> None:
    faults.point("storage.before_write")
    buffers: list[bytes | memoryview] = list(batch) if len(batch) <= _MAX_BUFFERS else [b"".join(batch)]
    while buffers:
        written = os.pwritev(fd, buffers, offset)
        offset += written
        buffers = _rest(buffers, written)


def _rest(buffers: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    for index, buffer in enumerate(buffers):
        if written < len(buffer):
            return [memoryview(buffer)[written:], *buffers[index + 1 :]]
        written -= len(buffer)
    return []
