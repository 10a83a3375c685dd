"""What a card's metadata says, as pages show it beside the card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hutch.core.permissions import Actor
from hutch.repos.cards.tags import texts
from hutch.repos.models import Repo
from hutch.repos.pages import links
from hutch.repos.visibility import visible_to

_MOST_NAMES = 12
_MOST_RESULTS = 40


@dataclass(frozen=True, slots=True)
class Named:
    """A word of a card, and where it leads; '' leads nowhere."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line: what it is, and its words."""

    title: str
    names: list[Named]


@dataclass(frozen=True, slots=True)
class Result:
    """One measured value of a model's card."""

    task: str
    dataset: str
    metric: str
    value: str


def facts(actor: Actor, row: Repo) -> list[Fact]:
    """The lines that a card's metadata gives; repositories of this hub, if the actor may see them, are links."""
    card, plural = row.card, f"{row.type}s"
    found = [
        Fact(
            "Licence",
            [Named(name, f"/{plural}?filter=license:{name}") for name in texts(card.get("license"))],
        ),
        Fact(
            "Library",
            [Named(row.library_name, f"/models?filter={row.library_name}")] if row.library_name else [],
        ),
        Fact("Languages", _listed(plural, card.get("language"), "" if row.type == "model" else "language:")),
        Fact("Base model", _repos(actor, "model", card.get("base_model"))),
        Fact("Trained on", _repos(actor, "dataset", card.get("datasets"))),
        Fact("Uses models", _repos(actor, "model", card.get("models")) if row.type == "space" else []),
        Fact("Metrics", [Named(name) for name in texts(card.get("metrics"))[:_MOST_NAMES]]),
        Fact("Size", _listed(plural, card.get("size_categories"), "size_categories:")),
        Fact("Tasks", _listed(plural, card.get("task_categories"), "task_categories:")),
    ]
    return [fact for fact in found if fact.names]


def _listed(plural: str, value: Any, prefix: str) -> list[Named]:
    return [Named(word, f"/{plural}?filter={prefix}{word}") for word in texts(value)[:_MOST_NAMES]]


def _repos(actor: Actor, type_: str, value: Any) -> list[Named]:
    names = texts(value)[:_MOST_NAMES]
    if not names:
        return []
    rows = visible_to(actor).filter(type=type_, lower_full_name__in=[name.lower() for name in names])
    here = {row.lower_full_name: row for row in rows.only("type", "full_name", "lower_full_name")}
    return [Named(name, links.page(here[name.lower()]) if name.lower() in here else "") for name in names]


def results(card: dict[str, Any]) -> list[Result]:
    """The measured values of a card's `model-index`; what is malformed is left out."""
    found = []
    for result in _dicts(card.get("model-index"), "results"):
        task, dataset = _name(result.get("task"), "type"), _name(result.get("dataset"), "type")
        for metric in _dicts([result], "metrics"):
            value = metric.get("value")
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                shown = f"{value:.4g}" if isinstance(value, float) else str(value)[:40]
                found.append(Result(task, dataset, _name(metric, "type"), shown))
    return found[:_MOST_RESULTS]


def _dicts(rows: Any, key: str) -> Iterator[dict[str, Any]]:
    for row in rows if isinstance(rows, list) else []:
        inner = row.get(key) if isinstance(row, dict) else None
        yield from (each for each in inner if isinstance(each, dict)) if isinstance(inner, list) else ()


def _name(value: Any, other: str) -> str:
    if not isinstance(value, dict):
        return ""
    return str(value.get("name") or value.get(other) or "")[:100]
