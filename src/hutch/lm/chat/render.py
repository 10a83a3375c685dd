"""Renders chat templates in a process that may take a second and 256 MB, and no more: a template may loop for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
from typing import Any

from hutch.core.errors import HutchError
from hutch.lm.chat.template import ChatTemplate
from hutch.lm.errors import BadTemplate
from hutch.settings import child_environment

Shape = dict[str, Any]
LIMIT_S = 2.0
_START_LIMIT_S = 60.0
MEMORY_BYTES = 256 << 20
MAX_PROMPT_CHARACTERS = 4 << 20
_LINE_BYTES = 64 << 20


class Renderer:
    """One child that renders for all; another takes its place when one had to be ended."""

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def render(
        self,
        template: str,
        messages: list[Shape],
        tools: list[Shape],
        *,
        bos: str = "",
        eos: str = "",
        **more: Any,
    ) -> str:
        """A prompt (`ChatTemplate.render`). Raises BadTemplate, also for what takes too long or too much."""
        asked = {
            "template": template,
            "messages": messages,
            "tools": tools,
            "bos": bos,
            "eos": eos,
            "more": more,
        }
        line = json.dumps(asked).encode() + b"\n"
        async with self._turn:
            answer = await self._within_limits(line)
        if "error" in answer:
            raise BadTemplate(answer["error"], field=answer["field"])
        return str(answer["prompt"])

    async def close(self) -> None:
        """Ends the child."""
        async with self._turn:
            await self._end()

    async def _within_limits(self, line: bytes) -> Shape:
        child = self._child or await self._begin()
        answer = None
        try:
            answer = await asyncio.wait_for(_ask(child, line), LIMIT_S)
        except TimeoutError:
            raise BadTemplate(
                f"The chat template runs for more than {LIMIT_S:g} seconds",
                field="chat_template",
                limit=LIMIT_S,
            ) from None
        finally:
            # too slow, too large, or whoever asked has left: what it may still answer is for nobody
            if answer is None:
                await self._end()
        if answer is None:
            raise BadTemplate(
                f"The chat template takes more than {MEMORY_BYTES >> 20} MB",
                field="chat_template",
                limit=MEMORY_BYTES,
            )
        return answer

    async def _begin(self) -> asyncio.subprocess.Process:
        child = self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hutch.lm.chat.render",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            limit=_LINE_BYTES, env=child_environment(),
        )  # fmt: skip
        assert child.stdout is not None
        try:
            # its start is not the template's time
            await asyncio.wait_for(child.stdout.readline(), _START_LIMIT_S)
        except BaseException:
            await self._end()
            raise
        return child

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await asyncio.shield(child.wait())


async def _ask(child: asyncio.subprocess.Process, line: bytes) -> Shape | None:
    """What the child answers; None if it has ended."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(line)
        await child.stdin.drain()
        told = await child.stdout.readline()
    except ConnectionError:
        return None
    answer: Shape | None = json.loads(told) if told else None
    return answer


def answer(asked: Shape, known: dict[tuple[str, str, str], ChatTemplate]) -> Shape:
    """What the child answers; `known` keeps the last template compiled."""
    key = (asked["template"], asked["bos"], asked["eos"])
    try:
        if key not in known:
            known.clear()
            known[key] = ChatTemplate(*key)
        prompt = known[key].render(asked["messages"], asked["tools"], **asked["more"])
    except HutchError as error:
        return {"error": error.message, "field": error.field}
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        return {"error": f"The prompt has more than {MAX_PROMPT_CHARACTERS} characters", "field": "messages"}
    return {"prompt": prompt}


def main() -> None:
    """Reads requests line by line until there are no more. A MemoryError ends it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    known: dict[tuple[str, str, str], ChatTemplate] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin.buffer:
        sys.stdout.write(json.dumps(answer(json.loads(line), known)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
