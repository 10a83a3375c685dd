"""`/v1`, as OpenAI's clients call it: raw ASGI, since tokens are sent as they come and a client may leave any time."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from hutch.accounts import actors
from hutch.core import threads, wires
from hutch.core.errors import HutchError, Unauthorized
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Scope, Send, route
from hutch.inference import admission, chat_wire, generating, openai, usage
from hutch.inference.admission import Runnable
from hutch.inference.engines import ENGINES
from hutch.inference.generating import Events, Stream
from hutch.inference.openai import Asked, Teller

Shape = dict[str, Any]


async def chat_completions(scope: Scope, receive: Receive, send: Send) -> None:
    """An answer to messages."""
    await _complete(scope, receive, send, is_chat=True)


async def completions(scope: Scope, receive: Receive, send: Send) -> None:
    """A text that goes on."""
    await _complete(scope, receive, send, is_chat=False)


async def _complete(scope: Scope, receive: Receive, send: Send, *, is_chat: bool) -> None:
    try:
        await _completed(scope, receive, send, is_chat=is_chat)
    except HutchError as error:  # nothing was sent yet
        status, more, _ = wires.error_answer(error, scope)
        await wires.answer(send, status, more.items(), json.dumps(openai.error(error)).encode())


async def _completed(scope: Scope, receive: Receive, send: Send, *, is_chat: bool) -> None:
    headers = dict(scope["request_headers"])
    # who it is, before what they want: whose credentials do not hold is told nothing else
    actor = await threads.run(actors.identify, headers)
    asked = openai.parse(await generating.body_of(receive), is_chat=is_chat)
    runnable = await threads.run(admission.admit, actor, asked.model)
    await generating.until_gone(receive, _answer(send, actor, runnable, asked, Teller(asked.model, is_chat)))


async def _answer(send: Send, actor: Actor, runnable: Runnable, asked: Asked, teller: Teller) -> None:
    async with contextlib.aclosing(generating.events(runnable, asked.wanted)) as events:
        told = await (_stream if asked.streams else _whole)(send, teller, asked, events)
    if told:
        await threads.run(usage.note, actor, runnable, told)


async def _whole(send: Send, teller: Teller, asked: Asked, events: Events) -> Shape:
    texts: list[str] = []
    async for event in events:
        texts.append(event.get("text", ""))
        if "finish" in event:
            await wires.answer_json(send, 200, teller.whole(texts, event["finish"], event["usage"]))
            return event
    return {}


async def _stream(send: Send, teller: Teller, asked: Asked, events: Events) -> Shape:
    stream, told = Stream(send), dict[str, Any]()
    try:
        await stream.begin(events)
        await stream.event(teller.piece(is_first=True))
        async for event in events:
            if event.get("text"):
                await stream.event(teller.piece(event["text"]))
            if "finish" in event:
                told = event
                await stream.event(teller.piece(finish=event["finish"]))
                if asked.tells_usage:
                    await stream.event(teller.usage(event["usage"]))
    except HutchError as error:
        if not stream.has_begun:
            raise
        await stream.event(openai.error(error))
    await stream.bytes(b"data: [DONE]\n\n", more=False)
    return told


async def models(scope: Scope, receive: Receive, send: Send) -> None:
    """The models that are loaded now and that the caller, who must be known, may read."""
    names = [loaded.runnable.full_name for loaded in ENGINES.all()]
    seen = await threads.run(_seen, dict(scope["request_headers"]), names)
    data = [
        {"id": name, "object": "model", "created": 0, "owned_by": name.partition("/")[0]} for name in seen
    ]
    await wires.answer_json(send, 200, {"object": "list", "data": data})


def _seen(headers: dict[str, str], names: list[str]) -> list[str]:
    actor = actors.identify(headers)
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to see the models at work")
    return admission.readable(actor, names)


ROUTES = [
    route(
        "chat_completions",
        "POST",
        r"/v1/chat/completions",
        chat_completions,
        "An answer to messages, in OpenAI's shape",
    ),
    route("completions", "POST", r"/v1/completions", completions, "A text that goes on, in OpenAI's shape"),
    route("models_loaded", "GET", r"/v1/models", models, "The models that are loaded, in OpenAI's shape"),
    route(
        "chat_say", "POST", r"/chat/say", chat_wire.say, "A message of the chat page, and the model's answer"
    ),
]
