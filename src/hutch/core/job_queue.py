"""The life of a job's row: queued, running under a lease, then done, failed or cancelled.

Each function is one short transaction (or part of the caller's). Whoever runs a job holds a `Claim`; what it writes is
lost on purpose once somebody else has claimed the row. Nodes compare leases by their own clocks, so those must agree
to within a few seconds.
"""

from __future__ import annotations

import random
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from hutch.core import clock
from hutch.core.jobs import JOBS, Definition
from hutch.core.models import Job

_FIRST_DELAY_S = 2.0
_LONGEST_DELAY_S = 3600.0
_ERROR_CHARACTERS = 8000
LOG_CHARACTERS = 64_000


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that the holder may run now. `token` is the name of its lease."""

    job_id: int
    token: str
    definition: Definition
    arguments: dict[str, Any]
    attempt: int
    log: str

    @property
    def row(self) -> QuerySet[Job]:
        """The job's row, empty once the lease is lost."""
        return Job.objects.filter(pk=self.job_id, leased_by=self.token, state="running")


def is_due(*, quick_only: bool = False) -> bool:
    """Whether a claim may find something; a plain read, since asking for SQLite's write lock disturbs others."""
    return _due(quick_only).exists() or _expired().exists()


def claim(worker: str, *, quick_only: bool = False) -> Claim | None:
    """Takes the next job that is due: highest priority first, then the oldest. None if there is none."""
    while True:
        try:
            with transaction.atomic():
                requeue_expired()
                row = _due(quick_only).select_for_update(skip_locked=True, of=("self",)).first()
                return _take(row, worker) if row is not None else None
        except IntegrityError:
            continue  # another worker has just started a job of the same lane


def finish(claim: Claim, result: object) -> None:
    """Records that a job is done; rows that nobody would look at again go at once."""
    if not claim.definition.keep:
        claim.row.delete()
        return
    claim.row.update(**_ended("done"), fraction=1.0, result=result, error="")


def fail(claim: Claim, error: str, *, again: bool = True) -> None:
    """Records a failure: queued again after a growing delay while retries are left, else failed for good."""
    values = {"error": error[-_ERROR_CHARACTERS:]}
    if again and claim.attempt <= claim.definition.retries:
        _requeue(claim.row, delay_s=delay_s(claim.attempt), **values)
    else:
        claim.row.update(**_ended("failed"), **values)


def cancelled(claim: Claim) -> None:
    """Records that a job has ended because somebody cancelled it."""
    claim.row.update(**_ended("cancelled"))


def give_back(claim: Claim, *, after_s: float = 0) -> None:
    """Gives a lease up because the worker stops; the attempt does not count."""
    if claim.row.filter(cancel_asked=True).update(**_ended("cancelled")):
        return
    _requeue(claim.row, delay_s=after_s, attempts=F("attempts") - 1)


def heartbeat(claim: Claim, **saved: object) -> bool:
    """Extends a lease and saves progress and log. False once the lease is lost."""
    return bool(claim.row.update(leased_until=_lease_end(claim.definition), **saved))


def asked_to_cancel(claims: list[Claim]) -> set[int]:
    """Ids of those claimed jobs whose cancellation somebody asked for."""
    ids = [claim.job_id for claim in claims]
    return set(Job.objects.filter(pk__in=ids, cancel_asked=True).values_list("id", flat=True))


def expire_all() -> int:
    """Ends every lease: for a process that is the only one to run jobs. Returns how many it ended."""
    return Job.objects.filter(state="running").update(leased_until=clock.now())


def requeue_expired() -> int:
    """Queues jobs again whose worker has died; fails those that have no retries left. Returns how many it found."""
    rows = list(_expired().select_for_update(skip_locked=True))
    for row in rows:
        one = Job.objects.filter(pk=row.pk, state="running")
        if row.cancel_asked:
            one.update(**_ended("cancelled"))
        elif row.attempts > JOBS[row.name].retries:
            one.update(
                **_ended("failed"),
                error=f"The worker died {row.attempts} times; the last was {row.leased_by}",
            )
        else:
            _requeue(one, delay_s=0)
    return len(rows)


def delay_s(attempt: int) -> float:
    """Seconds to wait after that attempt (the first is 1): doubling, at most an hour, spread by half to either side."""
    return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.5)  # noqa: S311


def _due(quick_only: bool) -> QuerySet[Job]:
    same_lane = Job.objects.filter(lane=OuterRef("lane"))
    ahead = same_lane.filter(state="queued", run_at__lte=clock.now(), id__lt=OuterRef("id"))
    free = Q(lane__isnull=True) | ~(Exists(same_lane.filter(state="running")) | Exists(ahead))
    due = Job.objects.filter(free, state="queued", run_at__lte=clock.now(), name__in=JOBS)
    return (due.filter(is_quick=True) if quick_only else due).order_by("-priority", "id")


def _expired() -> QuerySet[Job]:
    return Job.objects.filter(state="running", leased_until__lt=clock.now(), name__in=JOBS)


def _take(row: Job, worker: str) -> Claim:
    definition = JOBS[row.name]
    token = f"{worker}:{secrets.token_hex(4)}"
    Job.objects.filter(pk=row.pk).update(
        state="running", attempts=row.attempts + 1, leased_by=token, leased_until=_lease_end(definition),
        started_at=clock.now(), fraction=0.0, progress_text="",
    )  # fmt: skip
    return Claim(row.pk, token, definition, row.arguments, row.attempts + 1, row.log)


def _requeue(rows: QuerySet[Job], *, delay_s: float, **values: Any) -> None:
    """Puts running rows back, unless a row of the same name and key waits already: that one does the work."""
    waiting = Job.objects.filter(name=OuterRef("name"), key=OuterRef("key"), state="queued")
    run_at = clock.now() + timedelta(seconds=delay_s)
    try:
        with transaction.atomic():
            rows.filter(Exists(waiting)).update(
                **{**_ended("cancelled"), "error": "A later job of the same key replaces this"}
            )
            rows.update(
                **{"state": "queued", "leased_by": "", "leased_until": None, "run_at": run_at, **values}
            )
    except IntegrityError:
        _requeue(rows, delay_s=delay_s, **values)  # it was enqueued between the two statements


def _ended(state: str) -> dict[str, Any]:
    return {"state": state, "leased_by": "", "leased_until": None, "finished_at": clock.now()}


def _lease_end(definition: Definition) -> Any:
    return clock.now() + timedelta(seconds=definition.lease_s)
