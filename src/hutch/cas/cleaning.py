"""What nobody uses any more, and whether what is used is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db.models import Exists, OuterRef, QuerySet

from hutch.cas import stores
from hutch.cas.models import LargeObject, ObjectLink, Receipt, Upload
from hutch.cas.service import StoredObject
from hutch.core import clock
from hutch.settings import current
from hutch.storage.errors import BlobNotFound

_READ_BYTES = 1 << 20
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as its row says."""

    kind: Literal["missing", "damaged"]
    oid: str
    key: str
    detail: str


def fsck(progress: Callable[[int], None] | None = None) -> Iterator[Problem]:
    """Reads and hashes every object and yields what is missing or damaged; `progress` gets the size of each."""
    for row in _by_key(LargeObject.objects.all()):
        problem = _check(StoredObject(row.sha256, row.size_bytes, row.storage_key))
        if problem is not None:
            yield problem
        if progress is not None:
            progress(row.size_bytes)


def unreferenced(grace_s: float) -> Iterator[StoredObject]:
    """Objects that no repository links and that nobody may still be about to commit.

    An object that came, or for which somebody got a receipt, within `grace_s` is left out. A collector removes the row
    first (which fails if a link came meanwhile) and then the blob, unless that is younger than its look.
    """
    limit = clock.now() - timedelta(seconds=grace_s)
    linked = Exists(ObjectLink.objects.filter(object=OuterRef("pk")))
    awaited = Exists(Receipt.objects.filter(object=OuterRef("pk"), renewed_at__gte=limit))
    for row in _by_key(LargeObject.objects.filter(~linked, ~awaited, created_at__lt=limit)):
        yield StoredObject(row.sha256, row.size_bytes, row.storage_key)


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    staging_bytes: int
    uploads: int
    receipts: int


def sweep(keep_s: float | None = None) -> Swept:
    """Removes unfinished uploads and receipts that nobody has touched for `keep_s` (the setting `staging_keep_s`)."""
    keep = current().staging_keep_s if keep_s is None else keep_s
    limit = clock.now() - timedelta(seconds=keep)
    staging = stores.staging()
    freed = staging.sweep(keep)
    gone = [
        pk
        for pk, name in Upload.objects.filter(touched_at__lt=limit).values_list("pk", "staging_id")
        if not staging.upload_folder(name).exists()
    ]
    receipts = 0
    for at in range(0, len(gone), _ROWS):
        Upload.objects.filter(pk__in=gone[at : at + _ROWS], touched_at__lt=limit).delete()
    while some := list(Receipt.objects.filter(renewed_at__lt=limit).values_list("pk", flat=True)[:_ROWS]):
        receipts += Receipt.objects.filter(pk__in=some, renewed_at__lt=limit).delete()[0]
    return Swept(freed, len(gone), receipts)


def _by_key(rows: QuerySet[LargeObject]) -> Iterator[LargeObject]:
    """In pages: one long query would keep SQLite's log from being written back while a terabyte is hashed."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:_ROWS]):
        yield from page
        last = page[-1].pk


def _check(stored: StoredObject) -> Problem | None:
    digest = hashlib.sha256()
    size = 0
    try:
        with stores.blobs().open(stored.key) as file:
            while piece := file.read(_READ_BYTES):
                digest.update(piece)
                size += len(piece)
    except BlobNotFound:
        return Problem("missing", stored.oid, stored.key, "storage has no such blob")
    except OSError as error:
        return Problem(
            "damaged", stored.oid, stored.key, f"it cannot be read at byte {size}: {error.strerror}"
        )
    if size != stored.size:
        return Problem("damaged", stored.oid, stored.key, f"it has {size} bytes instead of {stored.size}")
    if digest.hexdigest() != stored.oid:
        return Problem("damaged", stored.oid, stored.key, f"its SHA-256 is {digest.hexdigest()}")
    return None
