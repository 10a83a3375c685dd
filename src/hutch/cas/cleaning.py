"""What is swept each hour: uploads and receipts that nobody came back for. Large objects go by `collecting`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hutch.cas import stores
from hutch.cas.hashing import fsck
from hutch.cas.models import FileReceipt, Receipt, Upload, XorbReceipt
from hutch.cas.problems import Problem
from hutch.cas.xet import epochs
from hutch.cas.xet.dedupe import ANSWER_S
from hutch.core import clock
from hutch.settings import current

__all__ = ["Problem", "Swept", "fsck", "sweep"]

SENT_S = 28 * 86_400
"""A client remembers for three weeks which xorbs it sent (hf_xet 1.8.0), and builds on them without asking."""
_ROWS = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep removed."""

    staging_bytes: int
    uploads: int
    receipts: int
    file_receipts: int
    xorb_receipts: int
    told: int


def sweep(keep_s: float | None = None) -> Swept:
    """Removes unfinished uploads and receipts that nobody has touched for `keep_s` (the setting `staging_keep_s`).

    And what clients were told or sent of Xet, once they have forgotten it.
    """
    keep = current().staging_keep_s if keep_s is None else keep_s
    moment = clock.now()
    limit = moment - timedelta(seconds=keep)
    return Swept(
        staging_bytes=stores.staging().sweep(keep),
        uploads=_sweep_uploads(limit),
        receipts=_sweep_receipts(Receipt, limit),
        file_receipts=_sweep_receipts(FileReceipt, limit),
        xorb_receipts=_sweep_receipts(XorbReceipt, moment - timedelta(seconds=max(keep, SENT_S))),
        told=epochs.forget(moment - timedelta(seconds=ANSWER_S)),
    )


def _sweep_uploads(limit: datetime) -> int:
    staging = stores.staging()
    gone = [
        pk
        for pk, name in Upload.objects.filter(touched_at__lt=limit).values_list("pk", "staging_id")
        if not staging.upload_folder(name).exists()
    ]
    for at in range(0, len(gone), _ROWS):
        Upload.objects.filter(pk__in=gone[at : at + _ROWS], touched_at__lt=limit).delete()
    return len(gone)


def _sweep_receipts(model: type[Receipt | FileReceipt | XorbReceipt], limit: datetime) -> int:
    gone, old = 0, model._default_manager.filter(renewed_at__lt=limit)
    while some := list(old.values_list("pk", flat=True)[:_ROWS]):
        gone += model._default_manager.filter(pk__in=some, renewed_at__lt=limit).delete()[0]
    return gone
