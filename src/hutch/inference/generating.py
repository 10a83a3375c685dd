"""One answer of a model as it comes: the part of this room's wires that they share."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass, field
from typing import Any

from hutch.core.errors import HutchError, PayloadTooLarge
from hutch.core.wires import Receive, Send
from hutch.inference.admission import Runnable
from hutch.inference.engines import ENGINES, Loaded
from hutch.lm.errors import NotSupported
from hutch.lm.runners.process import as_error

Shape = dict[str, Any]
Events = AsyncGenerator[Shape, None]
MAX_BODY_BYTES = 8 << 20
_HEARTBEAT_S = 5.0
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a model is to do: answer `messages`, or go on with `prompt` where there are none."""

    messages: list[Shape]
    sampling: Shape
    prompt: str = ""
    tools: list[Shape] = field(default_factory=list)
    template_words: Shape = field(default_factory=dict)


async def events(runnable: Runnable, wanted: Wanted) -> Events:
    """The runner's events (`lm.engine`). Whoever stops reading ends the generation within a step.

    Raises what loading, the chat template and the runner raise.
    """
    loaded = await ENGINES.hold(runnable)
    try:
        prompt = await _prompt(loaded, wanted) if wanted.messages else wanted.prompt
        async with contextlib.aclosing(loaded.process.generate(prompt, wanted.sampling)) as running:
            async for event in running:
                if "error" in event:
                    raise as_error(event["error"])
                yield event
    finally:
        ENGINES.release(loaded)


async def _prompt(loaded: Loaded, wanted: Wanted) -> str:
    model = loaded.process.ready
    if not model["template"]:
        raise NotSupported(
            "This model has no chat template: ask for a completion",
            field="model",
            value=loaded.runnable.full_name,
        )
    return await loaded.renderer.render(
        model["template"],
        wanted.messages,
        wanted.tools,
        bos=model["bos"],
        eos=model["eos"],
        **wanted.template_words,
    )


async def until_gone(receive: Receive, answering: Coroutine[Any, Any, None]) -> None:
    """Runs `answering` to its end, or until the client leaves: then it is cancelled, and waited for."""
    gone = asyncio.create_task(_left(receive))
    task = asyncio.create_task(answering)
    try:
        await asyncio.wait({gone, task}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, HutchError):
                await task


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


@dataclass(slots=True)
class Stream:
    """An answer of server-sent events. Until `has_begun` an error may still have a status of its own."""

    send: Send
    has_begun: bool = False

    async def begin(self, found: Events) -> Shape:
        """Starts it and returns the first event, which says that the model is at work.

        What is refused at once is raised before the answer starts. While a model is loaded a comment is sent now and
        then: proxies end what is silent.
        """
        first = asyncio.ensure_future(anext(found))
        try:
            done, _ = await asyncio.wait({first}, timeout=_HEARTBEAT_S)
            if done:
                first.result()
            await self.send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            self.has_begun = True
            while not first.done():
                await self.bytes(b": the model is being loaded\n\n")
                await asyncio.wait({first}, timeout=_HEARTBEAT_S)
            return first.result()
        finally:
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, HutchError):
                await first

    async def event(self, shape: Shape) -> None:
        """One event."""
        await self.bytes(b"data: " + json.dumps(shape, separators=(",", ":")).encode() + b"\n\n")

    async def bytes(self, body: bytes, *, more: bool = True) -> None:
        """A piece of the answer."""
        await self.send({"type": "http.response.body", "body": body, "more_body": more})


async def body_of(receive: Receive) -> bytes:
    """The request's body. Raises PayloadTooLarge beyond 8 MiB."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            raise PayloadTooLarge(
                f"The body may have {MAX_BODY_BYTES} bytes", field="body", value=size, limit=MAX_BODY_BYTES
            )
        if not message.get("more_body"):
            return b"".join(parts)
