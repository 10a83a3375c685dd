"""What the room's queries share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from django.db.models import Model, QuerySet

Key = TypeVar("Key", str, int)
Row = TypeVar("Row", bound=Model)
_MOST = 500  # SQLite and the planner want lists of bounded length


def in_pages(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Distinct oids, hashes or row keys in lists of bounded length."""
    distinct = list(dict.fromkeys(keys))
    for at in range(0, len(distinct), _MOST):
        yield distinct[at : at + _MOST]


def by_key(rows: QuerySet[Row], page: int = _MOST) -> Iterator[Row]:
    """All rows in the order of their keys, in pages: a long query would keep SQLite's log from being written back."""
    last = 0
    while some := list(rows.filter(pk__gt=last).order_by("pk")[:page]):
        yield from some
        last = some[-1].pk
