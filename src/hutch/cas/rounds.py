"""Reads the whole store over and over, a part each night, what was read longest ago first; mends what can be mended."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from django.db.models import F, Q, QuerySet, Sum

from hutch.cas import hashing
from hutch.cas.models import LargeObject, Xorb
from hutch.cas.problems import Problem
from hutch.cas.xet import mending, scrubbing
from hutch.core import clock
from hutch.core.jobs import JobRun
from hutch.settings import current

NIGHT_S = 86_400
_MOST_TOLD = 50
_LONGEST_REST_S = 2.0
log = logging.getLogger(__name__)

Part: TypeAlias = Xorb | LargeObject


@dataclass(slots=True)
class Scrubbed:
    """What a night's part came to: bytes and things read, what was wrong, and since when the oldest was not read."""

    xorbs: int = 0
    objects: int = 0
    read_bytes: int = 0
    total_bytes: int = 0
    problems: int = 0
    told: list[str] = field(default_factory=list)
    oldest: str | None = None


def scrub(run: JobRun, *, round_s: int | None = None) -> Scrubbed:
    """Reads a part of all xorbs and blobs, so that in `round_s` (the setting `scrub_round_s`) all are read once.

    Damaged xorbs come first, since a copy may have come. At most half the time is spent reading.
    """
    begun = clock.now()
    done = Scrubbed(total_bytes=_total_bytes())
    round_s = current().scrub_round_s if round_s is None else round_s
    if not round_s:
        return done
    budget = done.total_bytes * min(1.0, NIGHT_S / round_s)
    for row in _by_age(begun):
        is_ill = isinstance(row, Xorb) and row.damaged
        if done.read_bytes >= budget and not is_ill:
            break
        took = _read(row, done, run)
        run.progress(min(1.0, done.read_bytes / max(1.0, budget)), f"{done.read_bytes} bytes read")
        time.sleep(min(took, _LONGEST_REST_S))
    oldest = next(iter(_by_age(clock.now())), None)
    done.oldest = oldest.checked_at.isoformat() if oldest is not None and oldest.checked_at else None
    return done


def _total_bytes() -> int:
    rows = Xorb.objects.all(), LargeObject.objects.exclude(storage_key="")
    return sum(int(some.aggregate(total=Sum("size_bytes"))["total"] or 0) for some in rows)


def _by_age(begun: datetime) -> Iterator[Part]:
    """Damaged xorbs, then xorbs and blobs that were not read since `begun`, the oldest first."""
    ill = Xorb.objects.filter(damaged=True).order_by("pk").values_list("pk", flat=True)
    for key in list(ill):
        yield from Xorb.objects.filter(pk=key)
    unread = Q(checked_at__isnull=True) | Q(checked_at__lt=begun)
    xorbs = Xorb.objects.filter(unread, damaged=False)
    blobs = LargeObject.objects.filter(unread).exclude(storage_key="")
    while two := [row for row in (_oldest(xorbs), _oldest(blobs)) if row is not None]:
        yield min(two, key=_read_at)


def _oldest(rows: QuerySet[Xorb] | QuerySet[LargeObject]) -> Part | None:
    return rows.order_by(F("checked_at").asc(nulls_first=True), "pk").first()


def _read_at(row: Part) -> float:
    return row.checked_at.timestamp() if row.checked_at is not None else 0.0


def _read(row: Part, done: Scrubbed, run: JobRun) -> float:
    """Reads one of them and has what is wrong mended; the seconds it took."""
    began = time.monotonic()
    if isinstance(row, Xorb):
        done.xorbs += 1
        problem = scrubbing.look(row).problem
        Xorb.objects.filter(pk=row.pk).update(checked_at=clock.now())
    else:
        done.objects += 1
        problem = hashing.blob_problem(row)
        LargeObject.objects.filter(pk=row.pk).update(checked_at=clock.now())
    done.read_bytes += row.size_bytes
    took = time.monotonic() - began
    if problem is not None:
        _tell(problem, done, run)
    return took


def _tell(problem: Problem, done: Scrubbed, run: JobRun) -> None:
    line = f"{problem.what} {problem.oid} is {problem.kind}: {problem.detail}"
    remedy = mending.mend(problem)
    line = f"{line}; {remedy}" if remedy else line
    log.error("scrub: %s", line)
    run.log(line)
    done.problems += 1
    if len(done.told) < _MOST_TOLD:
        done.told.append(line)
