"""Conversations of the chat page: each is its user's alone, whoever else may use the model."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from hutch.core import clock
from hutch.core.errors import BadRequest, NotFound, Unauthorized
from hutch.core.permissions import Actor
from hutch.core.text import storable_json
from hutch.inference.models import Conversation, Turn

MAX_TEXT_CHARACTERS = 200_000
_TITLE_CHARACTERS = 80
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Said:
    """What a person sends. `parent` is the turn that it follows, None at the start; no `text` asks for another answer.

    `conversation` is its public id; "" begins one.
    """

    model: str
    text: str
    conversation: str = ""
    parent: int | None = None
    system: str = ""
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    """A turn as the page shows it: the keys of what stands beside it, itself included."""

    turn: Turn
    beside: list[int]

    @property
    def place(self) -> int:
        """Which of those it is, from 1."""
        return self.beside.index(self.turn.pk) + 1

    @property
    def before(self) -> int | None:
        """The one before it."""
        return self.beside[self.place - 2] if self.place > 1 else None

    @property
    def after(self) -> int | None:
        """The one after it."""
        return self.beside[self.place] if self.place < len(self.beside) else None


def say(actor: Actor, said: Said) -> tuple[Conversation, Turn]:
    """Keeps what a person said, and returns the turn that is to be answered.

    Raises Unauthorized to nobody, NotFound for a conversation or turn that is not theirs, BadRequest for a text that is
    too long, or where none of theirs is there to be answered.
    """
    _require_short("text", said.text)
    _require_short("system", said.system)
    with transaction.atomic():
        if said.conversation:
            talk = find(actor, said.conversation, for_change=True)
        else:
            talk = Conversation(
                public_id=secrets.token_hex(12), user_id=_user_id(actor), title=_title(said.text)
            )
        talk.model, talk.system, talk.sampling = said.model, said.system, storable_json(said.sampling)
        talk.updated_at = clock.now()
        parent = _turn(talk, said.parent) if said.parent is not None else None
        if not said.text:
            if parent is None or parent.role != "user":
                raise BadRequest("Say something", field="text", value="")
            talk.save()
            return talk, parent
        if parent is not None and parent.role != "assistant":
            raise BadRequest("What you say follows an answer", field="parent", value=parent.pk)
        talk.save()
        return talk, Turn.objects.create(conversation=talk, parent=parent, role="user", text=said.text)


def answered(talk: Conversation, asked: Turn, text: str, told: dict[str, Any]) -> Turn | None:
    """Keeps an answer, whole or broken off; None if the conversation was deleted meanwhile."""
    with transaction.atomic():
        if not Conversation.objects.select_for_update().filter(pk=talk.pk).exists():
            return None
        Conversation.objects.filter(pk=talk.pk).update(updated_at=clock.now())
        return Turn.objects.create(
            conversation=talk,
            parent=asked,
            role="assistant",
            text=text.replace("\0", ""),
            model=talk.model,
            usage=told,
        )


def messages(talk: Conversation, last: Turn) -> list[dict[str, str]]:
    """What the model is to read: the system prompt, then all that leads to the turn."""
    found = [{"role": turn.role, "content": turn.text} for turn in _way_to(_turns(talk), last)]
    return [{"role": "system", "content": talk.system}, *found] if talk.system.strip() else found


def shown(talk: Conversation, at: int | None = None) -> list[Shown]:
    """One line through the tree: that which `at` lies on, or the newest. Below `at` it follows the newest."""
    turns = _turns(talk)
    children: dict[int | None, list[int]] = {}
    for turn in turns.values():
        children.setdefault(turn.parent_id, []).append(turn.pk)
    last = turns.get(at or 0) or (turns[max(turns)] if turns else None)
    if last is None:
        return []
    line = _way_to(turns, last)
    while below := children.get(line[-1].pk):
        line.append(turns[below[-1]])
    return [Shown(turn, children[turn.parent_id]) for turn in line]


def find(actor: Actor, public_id: str, *, for_change: bool = False) -> Conversation:
    """One of the actor's own. Raises NotFound, Unauthorized to nobody."""
    rows = Conversation.objects.select_for_update() if for_change else Conversation.objects
    talk = rows.filter(public_id=public_id[:32], user_id=_user_id(actor)).first()
    if talk is None:
        raise NotFound("There is no such conversation")
    return talk


def newest(actor: Actor, search: str = "") -> list[Conversation]:
    """The actor's last sixty, newest first; of those, with `search`, in whose title or turns the words stand."""
    rows = Conversation.objects.filter(user_id=_user_id(actor))
    if words := search.strip():
        said = Turn.objects.filter(conversation=OuterRef("pk"), text__icontains=words)
        rows = rows.filter(Q(title__icontains=words) | Q(Exists(said)))
    return list(rows.order_by("-updated_at")[:_SHOWN])


def delete(actor: Actor, public_id: str) -> None:
    """Deletes one with all that was said. Raises NotFound."""
    with transaction.atomic():
        find(actor, public_id, for_change=True).delete()


def _user_id(actor: Actor) -> int:
    if actor.user_id is None:
        raise Unauthorized("Sign in to talk to a model")
    return actor.user_id


def _turn(talk: Conversation, key: int) -> Turn:
    turn = Turn.objects.filter(conversation=talk, pk=key).first()
    if turn is None:
        raise NotFound("There is no such turn in this conversation", field="parent", value=key)
    return turn


def _turns(talk: Conversation) -> dict[int, Turn]:
    return {turn.pk: turn for turn in Turn.objects.filter(conversation=talk).order_by("pk")}


def _way_to(turns: dict[int, Turn], last: Turn) -> list[Turn]:
    line = [last]
    while (parent := line[-1].parent_id) is not None:
        line.append(turns[parent])
    return line[::-1]


def _title(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _TITLE_CHARACTERS else words[: _TITLE_CHARACTERS - 1].rstrip() + "…"


def _require_short(field: str, text: str) -> None:
    if len(text) > MAX_TEXT_CHARACTERS:
        raise BadRequest(
            f"{field} may have {MAX_TEXT_CHARACTERS} characters",
            field=field,
            value=len(text),
            limit=MAX_TEXT_CHARACTERS,
        )
