"""Jobs: functions with JSON arguments that run later, elsewhere, and again if they fail.

    @job("repos.repack", retries=5, lease_s=60)
    def repack(run: JobRun, *, repo_id: int) -> None: ...

    enqueue("repos.repack", key=str(repo.id), repo_id=repo.id)

A job is a row (`core.models.Job`) written in the caller's transaction, if there is one. `core.worker` runs it outside
any transaction, at least once: a job must bear being run again from its start. Jobs live in a room's `jobs.py`, which
every process imports. Arguments named key, lane, delay_s and priority are `enqueue`'s own.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from django.db import IntegrityError, transaction

from hutch.core import clock
from hutch.core.models import Job, StoredEvent
from hutch.core.text import storable_json

_wakers: list[Callable[[], None]] = []


class GiveUp(Exception):
    """Raised by a job to fail at once: trying again would not help."""


class JobCancelled(Exception):
    """Raised at a job's checkpoints when it has been cancelled, has lost its lease, or its worker stops."""


class JobRun(Protocol):
    """What a running job's function gets as first argument. All may be called from any thread."""

    job_id: int
    attempt: int

    @property
    def cancelled(self) -> bool:
        """Whether the job should end; `checkpoint` raises then."""

    def checkpoint(self) -> None:
        """Raises JobCancelled if the job has been cancelled, has lost its lease, or its worker stops."""

    def progress(self, fraction: float, text: str = "") -> None:
        """Says how far the job is, from 0 to 1, and what it does now; a checkpoint. Saved within about a second."""

    def log(self, line: str) -> None:
        """Adds a line to the job's log, of which the last 64 KB are kept."""

    def pause(self) -> None:
        """A checkpoint to call between two write transactions: SQLite's lock is not fair, so others get a turn."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One declared job. See `job`."""

    name: str
    function: Callable[..., Any]
    retries: int
    lease_s: float
    quick: bool
    keep: bool
    every_s: float | None

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]


JOBS: dict[str, Definition] = {}


def job(
    name: str, *, retries: int = 5, lease_s: float = 60, quick: bool = False, keep: bool = True,
    every_s: float | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # fmt: skip
    """Declares `function(run, **arguments)` as the job `name`, of the form `room.verb`.

    `retries`: how often it is tried again after a failure, with exponential back-off. `lease_s`: how long after its
    process has died another takes it; while it runs the lease is extended by itself, so it need not last as long.
    `quick`: it takes a few seconds at most, so it may run in the thread that is kept for such. `keep`: whether its row
    stays (for a week) after it is done. `every_s`: it is enqueued by itself (without arguments) each so many seconds,
    by one node of all. What the function returns (JSON) is kept as the result.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        if name in JOBS:
            raise ValueError(f"job {name} is declared twice")
        if every_s is not None:
            inspect.signature(function).bind(None)
        JOBS[name] = Definition(name, function, retries, lease_s, quick, keep, every_s)
        return function

    return register


def enqueue(
    name: str, /, *, key: str | None = None, lane: str | None = None, delay_s: float = 0, priority: int = 0,
    **arguments: Any,
) -> int:  # fmt: skip
    """Adds a job to the queue, in the caller's transaction if there is one, and returns its id.

    `key`: if a job of that name and key is queued already, its id is returned and nothing is added; and two of them
    never run at the same time. `lane`: of all jobs in a lane one runs at a time, in order. `priority`: higher first.
    Raises KeyError for an unknown job, TypeError for arguments that its function does not take or that are not JSON,
    ValueError for text with NUL or lone surrogates.
    """
    row = new_row(name, arguments, key=key, lane=lane, delay_s=delay_s, priority=priority)
    if key is None:
        return insert([row])[0]
    while True:
        try:
            with transaction.atomic():
                queued = Job.objects.filter(name=name, key=key, state="queued")
                # locked, so that it does not start before the caller's changes can be seen
                found = queued.select_for_update().values_list("id", flat=True).first()
                return found if found is not None else insert([row])[0]
        except IntegrityError:
            continue  # another process enqueued the same key meanwhile


def new_row(
    name: str, arguments: dict[str, Any], *, key: str | None = None, lane: str | None = None, delay_s: float = 0,
    priority: int = 0, event: StoredEvent | None = None,
) -> Job:  # fmt: skip
    """A row that `insert` can add. Raises as `enqueue` does."""
    definition = JOBS[name]
    inspect.signature(definition.function).bind(None, **arguments)
    plain = json.loads(json.dumps(arguments, allow_nan=False))
    if storable_json(plain) != plain:
        raise ValueError(f"arguments of {name} hold text that no database takes: {arguments!r}")
    moment = clock.now()
    return Job(
        name=name, arguments=arguments, key=key, lane=lane or (f"{name}:{key}" if key is not None else None),
        is_quick=definition.quick, priority=priority, event=event,
        run_at=moment + timedelta(seconds=delay_s), created_at=moment,
    )  # fmt: skip


def insert(rows: Sequence[Job]) -> list[int]:
    """Adds rows to the queue in the caller's transaction and wakes this process's workers after the commit."""
    if not rows:
        return []
    added = Job.objects.bulk_create(rows)
    transaction.on_commit(wake, robust=True)
    return [row.pk for row in added]


def wake() -> None:
    """Tells this process's workers that there may be something to do."""
    for waker in tuple(_wakers):
        waker()


def on_wake(waker: Callable[[], None]) -> None:
    """Has `waker` called after each commit that enqueued something in this process."""
    _wakers.append(waker)


def forget_waker(waker: Callable[[], None]) -> None:
    """Ends what `on_wake` began, if it did."""
    if waker in _wakers:
        _wakers.remove(waker)
