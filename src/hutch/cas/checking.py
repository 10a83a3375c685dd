"""What a check of the whole hub asks of this room, beside `cleaning.fsck`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from hutch.cas import stores
from hutch.cas.models import LargeObject, ObjectLink

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Totals:
    """How many there are, and their bytes."""

    count: int
    size_bytes: int


def totals() -> Totals:
    """All objects: what `cleaning.fsck` will read."""
    sums = LargeObject.objects.aggregate(count=Count("pk"), size=Sum("size_bytes"))
    return Totals(sums["count"], int(sums["size"] or 0))


def size_and_users(oid: str) -> tuple[int, list[int]] | None:
    """The size of an object and the keys of the repositories that link it; None if it was collected meanwhile."""
    row = LargeObject.objects.filter(sha256=oid).first()
    if row is None:
        return None
    return row.size_bytes, list(row.links.order_by("repo_id").values_list("repo_id", flat=True))


def homeless_links(repos: QuerySet[Any]) -> dict[int, int]:
    """Links of repositories that are not among `repos` (a query of all there are): how many, by repository key."""
    homeless = ObjectLink.objects.exclude(repo_id__in=repos.values("pk"))
    return dict(homeless.values_list("repo_id").annotate(count=Count("pk")).order_by())


def unknown_blobs() -> Totals:
    """Blobs in storage of which no row tells: of uploads that were cut off before they were acknowledged."""
    count = size = 0
    for page in _pages_of_blobs():
        known = set(LargeObject.objects.filter(storage_key__in=page).values_list("storage_key", flat=True))
        strays = page.keys() - known
        count += len(strays)
        size += sum(page[key] for key in strays)
    return Totals(count, size)


def _pages_of_blobs() -> Iterator[dict[str, int]]:
    page: dict[str, int] = {}
    for blob in stores.blobs().list("lfs/"):
        page[blob.key] = blob.size
        if len(page) == _PAGE:
            yield page
            page = {}
    yield page
