"""`hutch dedupe`: cuts objects that came by LFS into chunks: what they share is stored once. gc drops the blobs."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from django.db.models import Exists, OuterRef, QuerySet, Sum

from hutch.cas.models import LargeObject, ObjectLink
from hutch.cas.queries import by_key
from hutch.cas.xet import cutting

LEAST_BYTES = 1 << 20
"""Smaller ones have too few chunks to share any."""
_ROWS = 100
_MOST_TOLD = 50
log = logging.getLogger(__name__)

Tell = Callable[[float, str], None]
"""Told how far the work is, from 0 to 1, and what is done; may raise to end it."""


@dataclass(slots=True)
class Deduped:
    """What was cut up: objects, their bytes, the bytes that had to be stored for them; and what was left, and why."""

    objects: int = 0
    size_bytes: int = 0
    stored_bytes: int = 0
    left: list[str] = field(default_factory=list)

    def shape(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def waiting(repo_id: int | None = None) -> QuerySet[LargeObject]:
    """Objects of a repository (None: of all) that are a blob alone and large enough."""
    links = ObjectLink.objects.filter(object=OuterRef("pk"))
    links = links if repo_id is None else links.filter(repo_id=repo_id)
    rows = LargeObject.objects.filter(Exists(links), xet_file=None, size_bytes__gte=LEAST_BYTES)
    return rows.exclude(storage_key="")


def foresee(repo_id: int | None = None) -> Deduped:
    """How many objects wait, and their bytes."""
    rows = waiting(repo_id)
    return Deduped(rows.count(), int(rows.aggregate(total=Sum("size_bytes"))["total"] or 0))


def dedupe(tell: Tell, repo_id: int | None = None) -> Deduped:
    """Cuts up what waits, one object after the other. Safe to end at any moment, to repeat and to race."""
    total, done, read = max(1, foresee(repo_id).size_bytes), Deduped(), 0

    def turn(size: int) -> None:
        nonlocal read
        read += size
        tell(min(1.0, read / total), f"{done.objects} objects, {read} of {total} bytes read")

    for row in by_key(waiting(repo_id), _ROWS):
        if not waiting(repo_id).filter(pk=row.pk).exists():
            continue  # somebody else has been at it since
        found = cutting.cut(row, turn)
        if found.left:
            log.warning("the object %s stays as it is: %s", row.sha256, found.left)
            done.left += [f"{row.sha256}: {found.left}"][: _MOST_TOLD - len(done.left)]
            continue
        done.objects += 1
        done.size_bytes += found.size_bytes
        done.stored_bytes += found.stored_bytes
    return done
