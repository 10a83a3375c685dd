"""What the room's queries share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import ParamSpec, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.db import transaction
from django.db.models import Exists, Model, OuterRef, QuerySet

from hutch.cas.models import FileXorb

Key = TypeVar("Key", str, int)
Row = TypeVar("Row", bound=Model)
P = ParamSpec("P")
R = TypeVar("R")
_TRIES = 5
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


def kept(rows: QuerySet[Row], *order: str) -> QuerySet[Row]:
    """Those rows, and no collector takes them before the caller's transaction ends.

    PostgreSQL: in one order everywhere, so that two never wait for each other: xorbs before files before objects, and
    among themselves by `hash`, `sha256` and key.
    """
    return rows.select_for_update(no_key=True, of=("self",)).order_by(*order, "pk")


def on_damage(file: str = "pk") -> Exists:
    """Whether a Xet file rests on a damaged xorb; `file` names its key in the query."""
    return Exists(FileXorb.objects.filter(file=OuterRef(file), xorb__damaged=True))


def in_one_go(verb: Callable[P, R]) -> Callable[P, R]:
    """Runs a verb in a transaction; again if a row that it saw was collected before it could keep it."""

    @wraps(verb)
    def tried(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES):
            try:
                with transaction.atomic():
                    return verb(*args, **kwargs)
            except ObjectDoesNotExist:
                continue
        with transaction.atomic():
            return verb(*args, **kwargs)

    return tried
