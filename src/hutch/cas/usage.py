"""What large files take up: as everybody sees them, and what is stored for them.

For a repository or bucket it is measured by a job after its files changed, and kept in a row: pages ask one row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, QuerySet, Sum

from hutch.cas.models import FileLink, FileXorb, LargeObject, ObjectLink, Usage, XetFile, Xorb
from hutch.cas.queries import in_pages
from hutch.cas.xet import spans, xorbs
from hutch.cas.xet.spans import Spans
from hutch.core import clock
from hutch.core.jobs import enqueue
from hutch.xet.errors import UnknownXorb

SETTLE_S = 3.0
"""One measurement for a burst of changes."""
_FILES_A_SECOND = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """Bytes of the large files of a repository or bucket, each counted once, and of what is stored for them."""

    logical_bytes: int
    stored_bytes: int


@dataclass(frozen=True, slots=True)
class Totals:
    """The hub: bytes of the large files of all repositories and buckets, of those that differ, and as stored."""

    linked_bytes: int
    distinct_bytes: int
    blob_bytes: int
    xorb_bytes: int
    damaged_xorbs: int

    @property
    def stored_bytes(self) -> int:
        """Blobs and xorbs, those that wait for a collector among them."""
        return self.blob_bytes + self.xorb_bytes

    @property
    def saved_bytes(self) -> int:
        """What is linked and did not have to be stored; compression counts, too."""
        return max(0, self.linked_bytes - self.stored_bytes)


def remeasure(repo_ids: Iterable[int]) -> None:
    """Has repositories measured soon; in the caller's transaction, if there is one."""
    for repo_id in sorted(set(repo_ids)):
        enqueue("cas.measure", key=str(repo_id), delay_s=SETTLE_S, repo_id=repo_id)


def remeasure_users(object_ids: Iterable[int]) -> None:
    """Has the repositories measured that link these objects."""
    for some in in_pages(object_ids):
        links = ObjectLink.objects.filter(object_id__in=some)
        remeasure(links.values_list("repo_id", flat=True).distinct())


def of(repo_id: int) -> Measured | None:
    """What was measured last; None if nothing was yet."""
    row = Usage.objects.filter(repo_id=repo_id).values_list("logical_bytes", "stored_bytes").first()
    return Measured(*row) if row else None


def of_many(repo_ids: Iterable[int]) -> dict[int, Measured]:
    """The same of many, by key; those that were not measured are left out."""
    found: dict[int, Measured] = {}
    for some in in_pages(repo_ids):
        rows = Usage.objects.filter(repo_id__in=some).values_list("repo_id", "logical_bytes", "stored_bytes")
        found.update({key: Measured(logical, stored) for key, logical, stored in rows})
    return found


def measure(repo_id: int) -> Measured:
    """Measures a repository or bucket and keeps the result: some milliseconds, and one for each partly used xorb."""
    linked = ObjectLink.objects.filter(repo_id=repo_id)
    # One that it does not have as chunks counts whole, wherever it lies: who else has it is nobody's to read here.
    plain = _sum(linked.filter(xet_file=None), "object__size_bytes")
    logical = _sum(linked, "object__size_bytes")
    logical += _sum(FileLink.objects.filter(repo_id=repo_id), "file__size_bytes")
    measured = Measured(logical, plain + _chunk_bytes(repo_id))
    if not measured.logical_bytes:
        Usage.objects.filter(repo_id=repo_id).delete()
        return measured
    values = {"logical_bytes": measured.logical_bytes, "stored_bytes": measured.stored_bytes}
    Usage.objects.update_or_create(repo_id=repo_id, defaults={**values, "measured_at": clock.now()})
    return measured


def wait_s(repo_id: int) -> float:
    """How long a repository is left alone now: the more files it has, the longer from one measurement to the next."""
    row = Usage.objects.filter(repo_id=repo_id).first()
    if row is None:
        return 0.0
    files = (
        ObjectLink.objects.filter(repo_id=repo_id).count() + FileLink.objects.filter(repo_id=repo_id).count()
    )
    return files / _FILES_A_SECOND - (clock.now() - row.measured_at).total_seconds()


def unmeasured(limit: int) -> list[int]:
    """Repositories and buckets with large files that were never measured."""
    known = Usage.objects.filter(repo_id=OuterRef("repo_id"))
    found: list[int] = []
    for links in (ObjectLink.objects.all(), FileLink.objects.all()):
        rows = links.filter(~Exists(known)).order_by("repo_id").values_list("repo_id", flat=True)
        found += rows.distinct()[:limit]
    return found[:limit]


def totals() -> Totals:
    """The hub's totals, summed now: fractions of a second for a million objects."""
    linked = _sum(ObjectLink.objects.all(), "object__size_bytes") + _sum(
        FileLink.objects.all(), "file__size_bytes"
    )
    alone = XetFile.objects.filter(~Exists(LargeObject.objects.filter(xet_file__hash=OuterRef("hash"))))
    return Totals(
        linked_bytes=linked,
        distinct_bytes=_sum(LargeObject.objects.all(), "size_bytes")
        + _sum(alone.values("hash", "size_bytes").distinct(), "size_bytes"),
        blob_bytes=_sum(LargeObject.objects.exclude(storage_key=""), "size_bytes"),
        xorb_bytes=_sum(Xorb.objects.all(), "size_bytes"),
        damaged_xorbs=Xorb.objects.filter(damaged=True).count(),
    )


def _sum(rows: QuerySet, column: str) -> int:
    return int(rows.aggregate(total=Sum(column))["total"] or 0)


def _chunk_bytes(repo_id: int) -> int:
    """Stored bytes of all chunks that the files there use, each chunk of a xorb counted once."""
    # Two queries that begin at the repository: one with an "or" would walk all that the hub has.
    behind = ObjectLink.objects.filter(repo_id=repo_id).values("xet_file_id")
    direct = FileLink.objects.filter(repo_id=repo_id).values("file_id")
    runs: dict[int, Spans] = {}
    for files in (behind, direct):
        uses = FileXorb.objects.filter(file_id__in=files).values_list("xorb_id", "ranges")
        for key, text in uses.iterator():
            runs[key] = spans.merged([*runs.get(key, []), *spans.from_text(text)])
    return sum(_bytes_of(runs, some) for some in in_pages(runs))


def _bytes_of(runs: dict[int, Spans], keys: list[int]) -> int:
    total = 0
    for key, size, chunks in Xorb.objects.filter(pk__in=keys).values_list("pk", "size_bytes", "chunks"):
        total += size if spans.covers(runs[key], 0, chunks) else _part_bytes(key, runs[key])
    return total


def _part_bytes(key: int, live: Spans) -> int:
    try:
        index = xorbs.index_of(key)
    except UnknownXorb:  # moved while we looked: what moved it has this measured anew
        return 0
    places = (index.frame_range(start, end) for start, end in live)
    return sum(end - start for start, end in places)
