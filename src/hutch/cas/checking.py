"""Whether storage holds what the tables say: every object read and hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.db.models import QuerySet, Sum

from hutch.cas import stores
from hutch.cas.models import LargeObject, ObjectLink
from hutch.storage.errors import BlobNotFound

_PAGE = 500
_READ_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class BadObject:
    """An object whose bytes are not there or not its own. `key` is where they should lie in storage."""

    oid: str
    size: int
    key: str
    what: str
    repo_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ObjectTotals:
    """How many objects there are, and their bytes."""

    objects: int
    size_bytes: int


def totals() -> ObjectTotals:
    """What `check_objects` will read."""
    sums = LargeObject.objects.aggregate(size=Sum("size_bytes"))
    return ObjectTotals(LargeObject.objects.count(), int(sums["size"] or 0))


def check_objects(tell: Callable[[int], None]) -> list[BadObject]:
    """Reads and hashes every object; `tell` hears the size of each that is done. Returns the damaged ones.

    An object that is collected meanwhile is none.
    """
    bad = []
    for row in _rows():
        what = _trouble(row)
        if what and LargeObject.objects.filter(pk=row.pk).exists():
            repo_ids = row.links.order_by("repo_id").values_list("repo_id", flat=True)
            bad.append(BadObject(row.sha256, row.size_bytes, row.storage_key, what, tuple(repo_ids)))
        tell(row.size_bytes)
    return bad


def homeless_links(repos: QuerySet[Any]) -> dict[int, int]:
    """Links of repositories that are not among `repos` (a query of all there are): how many, by repository key."""
    found: dict[int, int] = {}
    for repo_id in ObjectLink.objects.exclude(repo_id__in=repos.values("pk")).values_list(
        "repo_id", flat=True
    ):
        found[repo_id] = found.get(repo_id, 0) + 1
    return found


def unknown_blobs() -> ObjectTotals:
    """Blobs in storage of which no row tells: uploads that were cut off before they were acknowledged."""
    count = size = 0
    for page in _pages_of_blobs():
        known = set(LargeObject.objects.filter(storage_key__in=page).values_list("storage_key", flat=True))
        strays = page.keys() - known
        count += len(strays)
        size += sum(page[key] for key in strays)
    return ObjectTotals(count, size)


# By pages: a query that stays open for hours would keep SQLite from ever shortening its log.
def _rows() -> Iterator[LargeObject]:
    last = 0
    while page := list(LargeObject.objects.filter(pk__gt=last).order_by("pk")[:_PAGE]):
        yield from page
        last = page[-1].pk


def _pages_of_blobs() -> Iterator[dict[str, int]]:
    page: dict[str, int] = {}
    for blob in stores.blobs().list("lfs/"):
        page[blob.key] = blob.size
        if len(page) == _PAGE:
            yield page
            page = {}
    yield page


def _trouble(row: LargeObject) -> str:
    try:
        with stores.blobs().open(row.storage_key) as file:
            digest, size = _hashed(file)
    except BlobNotFound:
        return "is not in storage"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if size != row.size_bytes:
        return f"has {size} bytes in storage, not {row.size_bytes}"
    return "" if digest == row.sha256 else f"has other bytes in storage: their SHA-256 is {digest}"


def _hashed(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
