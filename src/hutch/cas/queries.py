"""What the room's queries share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

Key = TypeVar("Key", str, int)
_MOST = 500  # SQLite and the planner want lists of bounded length


def in_pages(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """Distinct oids, hashes or row keys in lists of bounded length."""
    distinct = list(dict.fromkeys(keys))
    for at in range(0, len(distinct), _MOST):
        yield distinct[at : at + _MOST]
