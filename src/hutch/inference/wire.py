"""`/v1`, as OpenAI's clients call it: raw ASGI, since tokens are sent as they come and a client may leave at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from hutch.accounts import actors
from hutch.core import threads, wires
from hutch.core.errors import HutchError, PayloadTooLarge
from hutch.core.wires import Receive, Scope, Send, route
from hutch.inference import openai
from hutch.inference.admission import Runnable, admit
from hutch.inference.engines import ENGINES, Loaded
from hutch.inference.openai import Asked, Teller
from hutch.lm.errors import NotSupported

Shape = dict[str, Any]
_MOST_BODY_BYTES = 8 << 20
_HEARTBEAT_S = 5.0
_STREAM = [
    (b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]  # fmt: skip


async def chat_completions(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer to messages."""
    await _complete(scope, receive, send, is_chat=True)


async def completions(scope: Scope, receive: Receive, send: Send) -> None:
    """A text that goes on."""
    await _complete(scope, receive, send, is_chat=False)


async def _complete(scope: Scope, receive: Receive, send: Send, *, is_chat: bool) -> None:
    asked = openai.parse(await _body(receive), is_chat=is_chat)
    runnable = await threads.run(_admitted, dict(scope["request_headers"]), asked.model)
    teller = Teller(asked.model, is_chat)
    gone = asyncio.create_task(_left(receive))
    events = _events(runnable, asked)
    answering = asyncio.create_task((_stream if asked.streams else _whole)(send, teller, asked, events))
    try:
        await asyncio.wait({gone, answering}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done():
            await answering
    finally:
        for task in (gone, answering):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError, HutchError):
            await answering
        await events.aclose()


def _admitted(headers: dict[str, str], model: str) -> Runnable:
    return admit(actors.identify(headers), model)


async def _events(runnable: Runnable, asked: Asked) -> AsyncIterator[Shape]:
    """The runner's events. Whoever stops reading ends the generation."""
    loaded = await ENGINES.hold(runnable)
    try:
        prompt = await _prompt(loaded, asked) if asked.messages else asked.prompt
        running = loaded.process.generate(prompt, asked.sampling)
        async with contextlib.aclosing(running):
            async for event in running:
                if "error" in event:
                    raise _as_error(event["error"])
                yield event
    finally:
        ENGINES.release(loaded)


async def _prompt(loaded: Loaded, asked: Asked) -> str:
    model = loaded.process.ready
    if not model["template"]:
        raise NotSupported("This model has no chat template: ask for a completion", field="model", value=asked.model)
    return await loaded.renderer.render(
        model["template"], asked.messages, asked.tools, bos=model["bos"], eos=model["eos"], **asked.template_words
    )


async def _whole(send: Send, teller: Teller, asked: Asked, events: AsyncIterator[Shape]) -> None:
    texts: list[str] = []
    async for event in events:
        texts.append(event.get("text", ""))
        if "finish" in event:
            await wires.answer_json(send, 200, teller.whole(texts, event["finish"], event["usage"]))


async def _stream(send: Send, teller: Teller, asked: Asked, events: AsyncIterator[Shape]) -> None:
    """Server-sent events, with a comment now and then while the model is loaded: proxies end what is silent."""
    first = asyncio.ensure_future(anext(events))
    done, _ = await asyncio.wait({first}, timeout=_HEARTBEAT_S)
    if done:
        first.result()  # what is refused at once is refused by its status
    await send({"type": "http.response.start", "status": 200, "headers": _STREAM})
    try:
        while not first.done():
            await _send(send, b": the model is being loaded\n\n")
            await asyncio.wait({first}, timeout=_HEARTBEAT_S)
        first.result()
        await _event(send, teller.piece(is_first=True))
        async for event in events:
            if event.get("text"):
                await _event(send, teller.piece(event["text"]))
            if "finish" in event:
                await _event(send, teller.piece(finish=event["finish"]))
                if asked.tells_usage:
                    await _event(send, teller.usage(event["usage"]))
    except HutchError as error:
        await _event(send, {"error": {"message": error.message, "type": error.code, "param": error.field, "code": error.status}})
    await _send(send, b"data: [DONE]\n\n", more=False)


async def _event(send: Send, shape: Shape) -> None:
    await _send(send, b"data: " + json.dumps(shape, separators=(",", ":")).encode() + b"\n\n")


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _as_error(shape: Shape) -> HutchError:
    """An error of the runner's process, as it was there."""
    kind = type(shape["code"], (HutchError,), {"status": shape["status"], "code": shape["code"]})
    return kind(shape["error"], field=shape.get("field"), value=shape.get("value"), limit=shape.get("limit"))


async def _body(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_BODY_BYTES:
            raise PayloadTooLarge(
                f"The body may have {_MOST_BODY_BYTES} bytes", field="body", value=size, limit=_MOST_BODY_BYTES
            )
        if not message.get("more_body"):
            return b"".join(parts)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def models(scope: Scope, receive: Receive, send: Send) -> None:
    """The models that are loaded now and that the caller may read."""
    names = [loaded.runnable.full_name for loaded in ENGINES.all()]
    seen = await threads.run(_seen, dict(scope["request_headers"]), names)
    data = [{"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in seen]
    await wires.answer_json(send, 200, {"object": "list", "data": data})


def _seen(headers: dict[str, str], names: list[str]) -> list[str]:
    actor, found = actors.identify(headers), []
    for name in dict.fromkeys(names):
        with contextlib.suppress(HutchError):
            found.append(admit(actor, name).full_name)
    return found


ROUTES = [
    route("chat_completions", "POST", r"/v1/chat/completions", chat_completions, "An answer to messages, in OpenAI's shape"),
    route("completions", "POST", r"/v1/completions", completions, "A text that goes on, in OpenAI's shape"),
    route("models_loaded", "GET", r"/v1/models", models, "The models that are loaded, in OpenAI's shape"),
]
