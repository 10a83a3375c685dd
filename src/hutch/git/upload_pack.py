"""`git upload-pack` for clones and fetches: an asynchronous child whose output is handed on as it comes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress
from pathlib import Path

from hutch.git import pktline, process
from hutch.git.errors import GitFailed, GitTimeout
from hutch.git.pktline import FLUSH

DEFAULT_TIMEOUT_S = 3600.0
READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_PROTOCOL = re.compile(r"version=[012](:[a-z0-9=-]{1,40})*")


def _environment(protocol: str | None) -> dict[str, str]:
    known = protocol is not None and _PROTOCOL.fullmatch(protocol) is not None
    return {"GIT_PROTOCOL": str(protocol)} if known else {}


async def advertise(path: Path, protocol: str | None = None, *, timeout_s: float = 60.0) -> bytes:
    """The whole answer to `GET info/refs?service=git-upload-pack`; `protocol` is the Git-Protocol header."""
    args = ["upload-pack", "--stateless-rpc", "--http-backend-info-refs", str(path)]
    child = await _start(path, args, protocol)
    alarm = _Alarm(child, timeout_s)
    try:
        output, _ = await child.communicate()
    finally:
        alarm.cancel()
        await _end(child)
    alarm.check()
    if child.returncode != 0:
        raise GitFailed(f"git upload-pack failed ({child.returncode})")
    head = pktline.line(b"# service=git-upload-pack\n") + FLUSH
    return output if _environment(protocol) == {"GIT_PROTOCOL": "version=2"} else head + output


async def serve(
    path: Path,
    request: AsyncIterable[bytes],
    protocol: str | None = None,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> AsyncIterator[bytes]:
    """Answer one `POST git-upload-pack`: `request` is the body (gunzipped), what is yielded the answer.

    Reads and writes at the same time and only as fast as both sides go. Nothing is yielded before git's first
    output, so that GitFailed can still become a status. Closing the generator, or cancelling, kills git at once.
    Raises GitFailed, GitTimeout.
    """
    child = await _start(path, ["upload-pack", "--stateless-rpc", str(path)], protocol)
    feeding = asyncio.create_task(_feed(child, request))
    # Not asyncio.timeout: it would cancel the consumer at whatever it awaits between two pieces.
    alarm = _Alarm(child, timeout_s)
    try:
        async for piece in _output(child):
            yield piece
        await child.wait()
        if feeding.done():
            feeding.result()
    finally:
        alarm.cancel()
        feeding.cancel()
        await _end(child)
        await asyncio.wait([feeding])
    alarm.check()
    if child.returncode != 0:
        raise GitFailed(f"git upload-pack failed ({child.returncode})")


class _Alarm:
    """Kills the child when its time is over, and remembers that it did."""

    def __init__(self, child: Process, timeout_s: float) -> None:
        self._child = child
        self._timeout_s = timeout_s
        self._rang = False
        self._handle = asyncio.get_running_loop().call_later(timeout_s, self._ring)

    def _ring(self) -> None:
        self._rang = True
        _kill(self._child)

    def cancel(self) -> None:
        self._handle.cancel()

    def check(self) -> None:
        if self._rang:
            raise GitTimeout(f"git upload-pack took more than {self._timeout_s:g} s", limit=self._timeout_s)


# A session of its own, so that `pack-objects` below it can be killed together with it.
async def _start(path: Path, args: list[str], protocol: str | None) -> Process:
    return await asyncio.create_subprocess_exec(
        *process.command(path, args, tied=True),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env=process.environment(_environment(protocol)),
        start_new_session=True,
        limit=_PIPE_BYTES,
        pipesize=_PIPE_BYTES,
    )


async def _feed(child: Process, request: AsyncIterable[bytes]) -> None:
    if child.stdin is None:
        return
    try:
        async for piece in request:
            child.stdin.write(piece)
            await child.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        # Git has heard enough: its exit status tells whether that was an error.
        return
    finally:
        child.stdin.close()


async def _output(child: Process) -> AsyncIterator[bytes]:
    if child.stdout is None:
        return
    while piece := await child.stdout.read(READ_BYTES):
        yield piece


async def _end(child: Process) -> None:
    _kill(child)
    await asyncio.shield(child.wait())


def _kill(child: Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
