"""`git upload-pack` for clones and fetches: an asynchronous child whose output is handed on as it comes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext, suppress
from pathlib import Path

from hutch.git import pktline, process
from hutch.git.errors import GitFailed, GitTimeout
from hutch.git.ls_refs import MAX_REQUEST_BYTES, answer, parse_request
from hutch.git.pktline import FLUSH

DEFAULT_TIMEOUT_S = 3600.0
READ_BYTES = 1 << 18
_PIPE_BYTES = 1 << 20
_capabilities: list[bytes] = []
_PROTOCOL = re.compile(r"version=[012](:[a-z0-9=-]{1,40})*")


def _environment(protocol: str | None) -> dict[str, str]:
    known = protocol is not None and _PROTOCOL.fullmatch(protocol) is not None
    return {"GIT_PROTOCOL": str(protocol)} if known else {}


def _is_second(protocol: str | None) -> bool:
    return "version=2" in _environment(protocol).get("GIT_PROTOCOL", "").split(":")


async def advertise(path: Path, protocol: str | None = None, *, timeout_s: float = 60.0) -> bytes:
    """The whole answer to `GET info/refs?service=git-upload-pack`; `protocol` is the Git-Protocol header.

    Raises GitFailed, GitTimeout.
    """
    if not _is_second(protocol):
        head = pktline.line(b"# service=git-upload-pack\n") + FLUSH
        return head + await _ask_git(path, protocol, timeout_s)
    # Protocol 2 tells what this git can do, not what is in the repository: the same for all that `create` made.
    if not (path / "HEAD").is_file():
        raise GitFailed("this repository has no git data")
    if not _capabilities:
        _capabilities.append(await _ask_git(path, "version=2", timeout_s))
    return _capabilities[0]


async def _ask_git(path: Path, protocol: str | None, timeout_s: float) -> bytes:
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
    return output


async def serve(
    path: Path,
    request: AsyncIterable[bytes],
    protocol: str | None = None,
    *,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    turn: AbstractAsyncContextManager[None] | None = None,
) -> AsyncGenerator[bytes, None]:
    """Answer one `POST git-upload-pack`: `request` is the body (gunzipped), what is yielded the answer.

    Reads and writes at the same time and only as fast as both sides go. Nothing is yielded before git's first
    output, so that GitFailed can still become a status. Closing the generator, or cancelling, kills git at once.
    `turn` is entered while a child of git's is needed, which the list of refs is not. Raises GitFailed, GitTimeout.
    """
    body = aiter(request)
    try:
        async with asyncio.timeout(timeout_s):
            first = await anext(body, b"")
    except TimeoutError:
        raise _too_late(timeout_s) from None
    asked = parse_request(first) if _is_second(protocol) and len(first) <= MAX_REQUEST_BYTES else None
    if asked is not None:
        yield await asyncio.to_thread(answer, path, asked)
        return
    async with (
        turn or nullcontext(),
        aclosing(_serve_by_git(path, _chain(first, body), protocol, timeout_s)) as pieces,
    ):
        async for piece in pieces:
            yield piece


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _serve_by_git(
    path: Path, request: AsyncIterator[bytes], protocol: str | None, timeout_s: float
) -> AsyncGenerator[bytes, None]:
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
            raise _too_late(self._timeout_s)


def _too_late(timeout_s: float) -> GitTimeout:
    return GitTimeout(f"git upload-pack took more than {timeout_s:g} s", limit=timeout_s)


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
