"""Jobs as administrators see and steer them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from hutch.core import clock, jobs
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.models import Job
from hutch.core.permissions import Actor

STATES = ("queued", "running", "done", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job, as plain data. Times are ISO 8601 or None; `fraction` is 0 to 1."""

    id: int
    name: str
    arguments: dict[str, Any]
    state: str
    attempts: int
    fraction: float
    text: str
    error: str
    log: str
    result: Any
    cancel_asked: bool
    worker: str
    created_at: str
    run_at: str
    started_at: str | None
    finished_at: str | None


def listing(
    actor: Actor,
    *,
    state: str | None = None,
    name: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[JobRecord]:
    """Jobs, the newest first, at most `limit` of them; `before_id` goes on after an earlier answer's last one.

    Raises Unauthorized or Forbidden to all but administrators, BadRequest for an unknown state.
    """
    _require_admin(actor, writes=False)
    if state is not None and state not in STATES:
        raise BadRequest(f"state must be one of {', '.join(STATES)}", field="state", value=state)
    rows = Job.objects.order_by("-id")
    rows = rows.filter(state=state) if state is not None else rows
    rows = rows.filter(name=name) if name is not None else rows
    rows = rows.filter(id__lt=before_id) if before_id is not None else rows
    return [_record(row) for row in rows[:limit]]


def show(actor: Actor, job_id: int) -> JobRecord:
    """One job. Raises as `listing`, and NotFound."""
    _require_admin(actor, writes=False)
    return _record(_find(job_id))


def cancel(actor: Actor, job_id: int) -> JobRecord:
    """Cancels a queued job at once and a running one at its next checkpoint. Raises Conflict if it has ended."""
    _require_admin(actor)
    with transaction.atomic():
        row = _find(job_id, lock=True)
        if row.state == "queued":
            row.state, row.finished_at = "cancelled", clock.now()
        elif row.state != "running":
            raise Conflict(f"Job {job_id} is {row.state} already", field="id", value=job_id)
        row.cancel_asked = True
        row.save(update_fields=["state", "finished_at", "cancel_asked"])
        return _record(row)


def retry(actor: Actor, job_id: int) -> JobRecord:
    """Queues a failed or cancelled job again, with all its retries, and one that waits for its next try at once.

    Raises Conflict if it runs or is done, or if another of its key is queued already.
    """
    _require_admin(actor)
    with transaction.atomic():
        row = _find(job_id, lock=True)
        if row.state in ("running", "done"):
            raise Conflict(f"Job {job_id} is {row.state}", field="id", value=job_id)
        row.state, row.run_at, row.attempts, row.cancel_asked, row.finished_at = (
            "queued",
            clock.now(),
            0,
            False,
            None,
        )
        try:
            with transaction.atomic():
                row.save(update_fields=["state", "run_at", "attempts", "cancel_asked", "finished_at"])
        except IntegrityError as error:
            raise Conflict(
                f"Another {row.name} of key {row.key!r} is queued already", field="id", value=job_id
            ) from error
        transaction.on_commit(jobs.wake, robust=True)
        return _record(row)


def _require_admin(actor: Actor, *, writes: bool = True) -> None:
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
    if not actor.is_admin or actor.token_role not in (
        ("session", "write") if writes else ("session", "write", "read")
    ):
        raise Forbidden("Only an administrator may do this")


def _find(job_id: int, *, lock: bool = False) -> Job:
    rows = Job.objects.select_for_update() if lock else Job.objects
    row = rows.filter(pk=job_id).first()
    if row is None:
        raise NotFound(f"There is no job {job_id}", field="id", value=job_id)
    return row


def _record(row: Job) -> JobRecord:
    return JobRecord(
        id=row.pk, name=row.name, arguments=row.arguments, state=row.state, attempts=row.attempts,
        fraction=row.fraction, text=row.progress_text, error=row.error, log=row.log, result=row.result,
        cancel_asked=row.cancel_asked, worker=row.leased_by, created_at=clock.iso(row.created_at),
        run_at=clock.iso(row.run_at), started_at=clock.iso(row.started_at) if row.started_at else None,
        finished_at=clock.iso(row.finished_at) if row.finished_at else None,
    )  # fmt: skip
