"""What the hub stores, for its administrators: how much, what dedupe saved, what is large, who looks after it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models import F, Sum

from hutch.accounts.permissions import HUB
from hutch.cas import deduping, usage
from hutch.cas.usage import Measured, Totals
from hutch.core import job_records
from hutch.core.job_records import JobRecord
from hutch.core.permissions import Actor, require
from hutch.repos.models import Repo
from hutch.repos.visibility import visible_to
from hutch.settings import current
from hutch.storage import disk

CARE = {
    "cas.scrub": "Scrub",
    "cas.gc": "Collection",
    "cas.dedupe_all": "Dedupe",
    "cas.dedupe": "Dedupe, by hand",
}
_LARGEST = 20


@dataclass(frozen=True, slots=True)
class Large:
    """A repository or bucket among the largest; `measured` is None until its files were measured."""

    row: Repo
    size_bytes: int
    measured: Measured | None

    @property
    def is_measured(self) -> bool:
        """Whether what is stored for it is known."""
        return self.measured is not None or not self.row.lfs_bytes

    @property
    def stored_bytes(self) -> int:
        """What is stored for it, git included."""
        return stored_bytes(self.row, self.measured)


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything in bytes. `waiting` are objects that came by LFS and could be cut into chunks."""

    totals: Totals
    git_bytes: int
    repositories: int
    waiting: int
    waiting_bytes: int
    free_bytes: int
    largest: list[Large]
    care: dict[str, JobRecord]

    @property
    def saved_percent(self) -> float:
        """Of what is linked, how much did not have to be stored."""
        linked = self.totals.linked_bytes
        return round(100 * self.totals.saved_bytes / linked, 1) if linked else 0.0

    def shape(self) -> dict[str, Any]:
        """Plain data."""
        totals = self.totals
        return {
            "repositories": self.repositories, "linkedBytes": totals.linked_bytes,
            "distinctBytes": totals.distinct_bytes, "storedBytes": totals.stored_bytes, "blobBytes": totals.blob_bytes,
            "xorbBytes": totals.xorb_bytes, "savedBytes": totals.saved_bytes, "savedPercent": self.saved_percent,
            "gitBytes": self.git_bytes, "freeBytes": self.free_bytes, "damagedXorbs": totals.damaged_xorbs,
            "waitingObjects": self.waiting, "waitingBytes": self.waiting_bytes,
            "largest": [
                {"id": each.row.full_name, "type": each.row.type, "usedStorage": each.size_bytes,
                 "dedupedStorage": each.stored_bytes} for each in self.largest
            ],
            "care": {name: asdict(record) for name, record in self.care.items()},
        }  # fmt: skip


def overview(actor: Actor) -> Overview:
    """The whole hub's storage. Raises Unauthorized, Forbidden to all but administrators."""
    require(actor, "hub.admin", HUB, see="hub.view")
    waiting = deduping.foresee()
    return Overview(
        totals=usage.totals(),
        git_bytes=int(Repo.objects.aggregate(total=Sum("git_bytes"))["total"] or 0),
        repositories=Repo.objects.count(),
        waiting=waiting.objects,
        waiting_bytes=waiting.size_bytes,
        free_bytes=disk.free_bytes(current().data),
        largest=_largest(actor),
        care=_care(actor),
    )


def stored_bytes(row: Repo, measured: Measured | None) -> int:
    """What is stored for a repository after dedupe, git included; what it has as long as it was not measured."""
    return row.git_bytes + (row.lfs_bytes if measured is None else measured.stored_bytes)


def _largest(actor: Actor) -> list[Large]:
    sized = visible_to(actor).annotate(size=F("git_bytes") + F("lfs_bytes"))
    rows = list(sized.select_related("namespace").order_by("-size", "pk")[:_LARGEST])
    measured = usage.of_many(row.pk for row in rows)
    return [Large(row, row.git_bytes + row.lfs_bytes, measured.get(row.pk)) for row in rows]


def _care(actor: Actor) -> dict[str, JobRecord]:
    """The last run of each job that looks after what is stored; those that never ran are left out."""
    found = {name: job_records.listing(actor, name=name, limit=1) for name in CARE}
    return {name: records[0] for name, records in found.items() if records}
