"""What a check of the whole hub asks of this room, beside `cleaning.fsck`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from hutch.cas import service, stores
from hutch.cas.models import FileLink, LargeObject, ObjectLink, XetFile, Xorb
from hutch.cas.xet import xorbs
from hutch.storage.port import Blob

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


def xorb_totals() -> Totals:
    """All xorbs: what `scrubbing.check_xorbs` will read."""
    sums = Xorb.objects.aggregate(count=Count("pk"), size=Sum("size_bytes"))
    return Totals(sums["count"], int(sums["size"] or 0))


def file_count() -> int:
    """How many Xet files there are."""
    return XetFile.objects.count()


def users_of(name: str, what: str) -> set[int]:
    """The keys of the repositories and buckets that have a file which is this one ("file"), or uses this xorb."""
    uses = {"uses__xorb__hash": name} if what == "xorb" else {"hash": name}
    found = XetFile.objects.filter(**uses)
    told, behind = Q(xet_file__in=found), Q(object__xet_file__in=found)
    links = ObjectLink.objects.filter(told | behind), FileLink.objects.filter(file__in=found)
    return {key for rows in links for key in rows.values_list("repo_id", flat=True).distinct()}


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
    for stray in strays():
        count += 1
        size += stray.size
    return Totals(count, size)


def is_stray(key: str) -> bool:
    """Whether no row tells of a blob now."""
    return not (
        LargeObject.objects.filter(storage_key=key).exists() or Xorb.objects.filter(storage_key=key).exists()
    )


def strays() -> Iterator[Blob]:
    """Each blob of which no row tells; one whose row is still to come is among them."""
    for shelf, rows in ((service.SHELF, LargeObject.objects.all()), (xorbs.SHELF, Xorb.objects.all())):
        for page in _pages_of_blobs(f"{shelf}/"):
            known = set(rows.filter(storage_key__in=page).values_list("storage_key", flat=True))
            yield from (blob for key, blob in page.items() if key not in known)


def _pages_of_blobs(prefix: str) -> Iterator[dict[str, Blob]]:
    page: dict[str, Blob] = {}
    for blob in stores.blobs().list(prefix):
        page[blob.key] = blob
        if len(page) == _PAGE:
            yield page
            page = {}
    yield page
