"""The parent's side of a runner: a child process whose crash is nobody else's."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections import deque
from collections.abc import AsyncGenerator
from typing import Any

from hutch.core.errors import HutchError
from hutch.lm.errors import RunnerFailed
from hutch.settings import child_environment

Shape = dict[str, Any]
_LINE_BYTES = 1 << 22
_KEPT_LINES = 20
_END_S = 5.0


class RunnerProcess:
    """A model in a process of its own. `ready` is what it told of the model, `stats` what it told last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._answers: dict[int, asyncio.Queue[Shape]] = {}
        self._next_key = 1
        self._last_words: deque[str] = deque(maxlen=_KEPT_LINES)
        self._tasks: set[asyncio.Task[None]] = set()  # held, or they could be collected while they run
        self.ready: Shape = {}
        self.stats: Shape = {}
        self.failure: RunnerFailed | None = None

    @classmethod
    async def start(cls, settings: Shape) -> RunnerProcess:
        """Starts the child and waits until the model is loaded. Raises RunnerFailed, or why it cannot be loaded."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hutch.lm.runners.child", json.dumps(settings),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES, env=child_environment(),
        )  # fmt: skip
        self = cls(process)
        self._tasks.add(asyncio.create_task(self._listen_to_errors()))
        try:
            first = await self._line()
        except BaseException:
            await self.close()
            raise
        if "failed" in first:
            await self.close()
            raise as_error(first["failed"])
        self.ready = first["ready"]
        self._tasks.add(asyncio.create_task(self._read()))
        return self

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    async def generate(self, prompt: str | list[int], sampling: Shape) -> AsyncGenerator[Shape, None]:
        """The events of one request (`lm.engine`). Whoever stops reading ends it within a step. Raises RunnerFailed."""
        if self.failure is not None:
            raise self.failure
        key, self._next_key = self._next_key, self._next_key + 1
        events = self._answers[key] = asyncio.Queue()
        try:
            await self._tell({"add": key, "prompt": prompt, "sampling": sampling})
            while True:
                event = await events.get()
                if "lost" in event:
                    raise self.failure or RunnerFailed()
                yield event
                if "finish" in event or "error" in event:
                    return
        finally:
            if self._answers.pop(key, None) is not None and self.failure is None:
                with contextlib.suppress(RunnerFailed):
                    await self._tell({"abort": key})

    async def close(self) -> None:
        """Ends the child; requests that run get RunnerFailed."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _END_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def _tell(self, command: Shape) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command, separators=(",", ":")).encode() + b"\n")
            await self._process.stdin.drain()
        except (ConnectionError, RuntimeError) as error:
            raise self._died() from error

    async def _line(self) -> Shape:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            await self._process.wait()
            raise self._died()
        told: Shape = json.loads(line)
        return told

    async def _read(self) -> None:
        try:
            while True:
                event = await self._line()
                if "stats" in event:
                    self.stats = event["stats"]
                elif (answer := self._answers.get(event["key"])) is not None:
                    answer.put_nowait(event)
        except (RunnerFailed, ValueError) as error:
            self.failure = error if isinstance(error, RunnerFailed) else RunnerFailed(str(error))
            for answer in self._answers.values():
                answer.put_nowait({"lost": True})

    async def _listen_to_errors(self) -> None:
        assert self._process.stderr is not None
        with contextlib.suppress(ValueError):
            async for line in self._process.stderr:
                self._last_words.append(line.decode("utf-8", "replace").rstrip())

    def _died(self) -> RunnerFailed:
        words = next((line for line in reversed(self._last_words) if line), "it said nothing")
        return RunnerFailed(f"The process of the model has ended ({self._process.returncode}): {words}")


def as_error(shape: Shape) -> HutchError:
    """An error of the child, as it was there."""
    kind = type(shape["code"], (HutchError,), {"status": shape["status"], "code": shape["code"]})
    return kind(shape["error"], field=shape.get("field"), value=shape.get("value"), limit=shape.get("limit"))
