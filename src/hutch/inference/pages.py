"""The chat page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from hutch.core.permissions import Actor
from hutch.inference import answers, conversations, snippets
from hutch.inference.conversations import Shown
from hutch.inference.models import Conversation
from hutch.repos.pages.shell import actor_of, base_url, to_sign_in
from hutch.repos.visibility import readable_by

_OFFERED = 200
# A small model that may take any token talks nonsense.
_AT_FIRST = {"temperature": 0.7, "top_p": 0.9}


@dataclass(frozen=True, slots=True)
class Line:
    """A turn on the page. `html` is an answer's, "" of what a person said."""

    shown: Shown
    html: SafeString | str
    figures: str


@require_safe
def start(request: HttpRequest) -> HttpResponseBase:
    """A new conversation, with `?model=` where one is wanted; `?q=` searches the earlier ones."""
    if actor_of(request).is_nobody:
        return to_sign_in(request)
    return _page(request, None, [])


@require_safe
def talk(request: HttpRequest, talk: str) -> HttpResponseBase:
    """A conversation; `?at=` is a turn on the line that is wanted."""
    if actor_of(request).is_nobody:
        return to_sign_in(request)
    found = conversations.find(actor_of(request), talk)
    at = request.GET.get("at", "")
    lines = conversations.shown(found, int(at) if at.isascii() and at.isdigit() and len(at) < 19 else None)
    return _page(request, found, [_line(found, shown) for shown in lines])


@require_POST
def delete(request: HttpRequest, talk: str) -> HttpResponseBase:
    """Deletes a conversation."""
    if actor_of(request).is_nobody:
        return to_sign_in(request)
    conversations.delete(actor_of(request), talk)
    return HttpResponseRedirect("/chat")


def _page(request: HttpRequest, found: Conversation | None, lines: list[Line]) -> HttpResponse:
    actor, query = actor_of(request), request.GET.get("q", "")[:200]
    offered = models(actor)
    model = found.model if found else request.GET.get("model", "")[:500] or (offered[0] if offered else "")
    context: dict[str, Any] = {
        "nav": "chat", "talk": found, "lines": lines, "model": model, "offered": offered, "search": query,
        "talks": conversations.newest(actor, query), "sampling": found.sampling if found else _AT_FIRST,
        "last": lines[-1].shown.turn if lines else None, "snippets": snippets.of(model, base_url(request)),
    }  # fmt: skip
    return render(request, "inference/chat.html", context)


def _line(found: Conversation, shown: Shown) -> Line:
    turn = shown.turn
    if turn.role == "user":
        return Line(shown, "", "")
    return Line(shown, answers.html(turn.text, turn.model or found.model), answers.figures(turn.usage))


def models(actor: Actor) -> list[str]:
    """Names of the models that the actor may talk to, the newest first."""
    rows = readable_by(actor).filter(type="model", tags__tag="gguf")
    return list(rows.order_by("-updated_at").values_list("full_name", flat=True)[:_OFFERED])
