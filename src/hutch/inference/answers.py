"""Answers as people see them: markdown as safe HTML, and how fast they came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from hutch.inference.models import Turn
from hutch.repos.pages import markdown
from hutch.repos.pages.links import TextLinks

_FINISHES = {"length": "ended at the limit of tokens", "abort": "stopped"}


@dataclass(frozen=True, slots=True)
class _Model:
    """The repository of a model, as far as links in its answers need it."""

    full_name: str
    type: str = "model"


def html(text: str, model: str) -> SafeString:
    """Sanitised HTML, code highlighted; relative links lead into the model's repository."""
    return markdown.render(text, TextLinks(_Model(model.partition("@")[0].partition(":")[0]), "main")).html


def figures(usage: dict[str, Any]) -> str:
    """`42 tokens, 31.0 a second, the first after 0.21 s`; "" where nothing was measured."""
    tokens, total, first = (usage.get(name) for name in ("completion_tokens", "total_s", "first_token_s"))
    said = [_FINISHES[usage["finish"]]] if usage.get("finish") in _FINISHES else []
    if tokens and total is not None and first is not None:
        rate = (tokens - 1) / (total - first) if total > first and tokens > 1 else 0
        speed = [f"{rate:.1f} a second"] if rate else []
        said = [f"{tokens} token{'s' if tokens > 1 else ''}", *speed, f"the first after {first:.2f} s", *said]
    return ", ".join(said)


def shape(turn: Turn, model: str) -> dict[str, Any]:
    """What the page is told of an answer that is whole."""
    return {"turn": turn.pk, "html": html(turn.text, model), "figures": figures(turn.usage), **turn.usage}
