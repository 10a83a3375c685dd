"""What nobody uses any more, and whether what is used is whole (`hashing`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef

from hutch.cas import stores
from hutch.cas.hashing import fsck
from hutch.cas.models import LargeObject, ObjectLink, Receipt, Upload
from hutch.cas.problems import Problem
from hutch.cas.queries import by_key
from hutch.cas.service import StoredObject
from hutch.core import clock
from hutch.settings import current

__all__ = ["Problem", "Swept", "fsck", "sweep", "unreferenced"]

_ROWS = 500


def unreferenced(grace_s: float) -> Iterator[StoredObject]:
    """Objects that no repository links and that nobody may still be about to commit.

    An object that came, or for which somebody got a receipt, within `grace_s` is left out. A collector removes the row
    first (which fails if a link came meanwhile) and then the blob, unless that is younger than its look.
    """
    limit = clock.now() - timedelta(seconds=grace_s)
    linked = Exists(ObjectLink.objects.filter(object=OuterRef("pk")))
    awaited = Exists(Receipt.objects.filter(object=OuterRef("pk"), renewed_at__gte=limit))
    for row in by_key(LargeObject.objects.filter(~linked, ~awaited, created_at__lt=limit)):
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
