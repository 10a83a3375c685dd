"""The stream of the chat page: what a person says is kept, then the answer comes, and is kept whatever ends it.

A form without scripts is answered by the page itself, when the answer is whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hutch.accounts import actors, forgery
from hutch.core import threads, wires
from hutch.core.errors import BadRequest, HutchError
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Scope, Send
from hutch.inference import admission, answers, conversations, generating, usage
from hutch.inference.admission import Runnable
from hutch.inference.conversations import Said
from hutch.inference.generating import Stream, Wanted
from hutch.inference.models import Conversation, Turn

Shape = dict[str, Any]
_NUMBERS = {"temperature": float, "top_p": float, "max_tokens": int, "seed": int}


@dataclass(slots=True)
class _Answer:
    """One on its way: who asked what of which model, and what has come of it."""

    actor: Actor
    runnable: Runnable
    talk: Conversation
    asked: Turn
    wanted: Wanted
    texts: list[str] = field(default_factory=list)
    told: Shape = field(default_factory=dict)

    @property
    def address(self) -> str:
        """The page of the conversation."""
        return f"/chat/{self.talk.public_id}"

    async def run(self, stream: Stream | None) -> None:
        """Generates, tells, keeps."""
        turn: Turn | None = None
        try:
            async with contextlib.aclosing(generating.events(self.runnable, self.wanted)) as events:
                if stream is not None:
                    await stream.begin(events)
                    await stream.event(
                        {"asked": self.asked.pk, "conversation": self.talk.public_id, "url": self.address}
                    )
                async for event in events:
                    await self._take(event, stream)
        finally:
            turn = await asyncio.shield(threads.run(self._keep))
        if stream is not None:
            await stream.event({"done": answers.shape(turn, self.runnable.full_name) if turn else {}})

    async def _take(self, event: Shape, stream: Stream | None) -> None:
        if text := event.get("text"):
            self.texts.append(text)
            if stream is not None:
                await stream.event({"text": text})
        if "finish" in event:
            self.told = event

    def _keep(self) -> Turn | None:
        """Nothing at all is no answer, and is not kept."""
        told = self.told or {"finish": "abort"}
        if self.told:
            usage.note(self.actor, self.runnable, self.told)
        elif not self.texts:
            return None
        shape = {"finish": told["finish"], **told.get("usage", {})}
        return conversations.answered(self.talk, self.asked, "".join(self.texts), shape)


async def say(scope: Scope, receive: Receive, send: Send) -> None:
    """A person's message, or another answer to an earlier one."""
    headers = dict(scope["request_headers"])
    actor = await threads.run(actors.identify, headers)
    is_session = "authorization" not in headers and not actor.is_nobody
    body = await generating.body_of(receive)
    fields = await threads.run(forgery.form, dict(scope), body, is_session=is_session)
    answer = await threads.run(_begun, actor, fields)
    if "text/event-stream" in headers.get("accept", ""):
        await generating.until_gone(receive, _streamed(send, answer))
    else:
        await generating.until_gone(receive, answer.run(None))
        await wires.answer(send, 303, [("Location", answer.address), ("Cache-Control", "no-store")])


async def _streamed(send: Send, answer: _Answer) -> None:
    stream = Stream(send)
    try:
        await answer.run(stream)
    except HutchError as error:
        if not stream.has_begun:
            raise
        await stream.event({"error": error.message})
    await stream.bytes(b"", more=False)


def _begun(actor: Actor, fields: Mapping[str, str]) -> _Answer:
    said = _said(fields)
    runnable = admission.admit(actor, said.model)
    talk, asked = conversations.say(actor, said)
    return _Answer(actor, runnable, talk, asked, Wanted(conversations.messages(talk, asked), said.sampling))


def _said(fields: Mapping[str, str]) -> Said:
    return Said(
        model=fields.get("model", "").strip(),
        text=fields.get("text", "").replace("\r\n", "\n").strip(),
        conversation=fields.get("conversation", ""),
        parent=_number("parent", fields.get("parent", ""), int),
        system=fields.get("system", "").replace("\r\n", "\n"),
        sampling={
            name: value
            for name, kind in _NUMBERS.items()
            if (value := _number(name, fields.get(name, ""), kind)) is not None
        },
    )


def _number(name: str, text: str, kind: type[int] | type[float]) -> Any:
    if not text.strip():
        return None
    try:
        return kind(text)
    except ValueError:
        raise BadRequest(f"{name} must be a number", field=name, value=text) from None
