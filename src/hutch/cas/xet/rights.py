"""Which chunks of which xorbs an actor may use. Everything that tells of xorbs asks here.

A user may use every chunk of a xorb that they sent, and of any other the chunks of files that they may read. The rest
looks as if it were not there, so that nobody can find out whether bytes that they have are in somebody's private data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from hutch.cas.models import FileReceipt, FileXorb, Xorb, XorbReceipt
from hutch.cas.queries import in_pages
from hutch.cas.xet import spans
from hutch.cas.xet.links import in_readable
from hutch.cas.xet.spans import Spans
from hutch.core.permissions import Actor

# The room that knows repositories puts its list filter here: those whose files an actor may read.
readable: list[Callable[[Actor], QuerySet[Any]]] = []


def readable_by(actor: Actor) -> QuerySet[Any]:
    """All repositories and buckets whose files `actor` may read."""
    return readable[0](actor)


def usable(actor: Actor, xorb_keys: Iterable[int]) -> dict[int, Spans]:
    """The chunks that the actor may use, by the xorb's key; xorbs of which they may use none are left out."""
    found: dict[int, Spans] = {}
    for some in in_pages(xorb_keys):
        found.update(_sent(actor, some))
        others = [key for key in some if key not in found]
        uses = FileXorb.objects.filter(readable_files(actor), xorb_id__in=others)
        runs: dict[int, list[tuple[int, int]]] = {}
        for key, ranges in uses.values_list("xorb_id", "ranges").distinct().iterator():
            runs.setdefault(key, []).extend(spans.from_text(ranges))
        found.update({key: spans.merged(parts) for key, parts in runs.items()})
    return found


def readable_files(actor: Actor, file: str = "file_id") -> Q:
    """The rule that a file is one that the actor may read or sent; `file` names its key in the query."""
    rule = in_readable(readable_by(actor), file)
    if actor.user_id is None:
        return rule
    return rule | Q(Exists(FileReceipt.objects.filter(file=OuterRef(file), user_id=actor.user_id)))


def _sent(actor: Actor, xorb_keys: list[int]) -> dict[int, Spans]:
    if actor.user_id is None:
        return {}
    mine = XorbReceipt.objects.filter(user_id=actor.user_id, xorb=OuterRef("pk"))
    rows = Xorb.objects.filter(Exists(mine), pk__in=xorb_keys)
    return {key: [(0, count)] for key, count in rows.values_list("pk", "chunks")}
