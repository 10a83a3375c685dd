"""Removes what nobody asks for any more: ended jobs, and events that every listener has had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet

from hutch.core import clock
from hutch.core.jobs import JobRun, job
from hutch.core.models import Job, StoredEvent

KEEP = timedelta(days=7)
KEEP_FAILED = timedelta(days=30)
_BATCH = 500


@job("core.sweep", every_s=3600)
def sweep(run: JobRun) -> dict[str, int]:
    """Deletes jobs a week after they are done (30 days after they failed) and events a week old that all have heard."""
    moment = clock.now()
    ended = Q(state__in=("done", "cancelled"), finished_at__lt=moment - KEEP)
    failed = Q(state="failed", finished_at__lt=moment - KEEP_FAILED)
    return {
        "jobs": _delete(run, Job.objects.filter(ended | failed)),
        # a delivery that waits or has failed still needs its event
        "events": _delete(run, StoredEvent.objects.filter(created_at__lt=moment - KEEP, jobs__isnull=True)),
    }


def _delete(run: JobRun, rows: QuerySet[Any]) -> int:
    deleted = 0
    while ids := list(rows.order_by("id").values_list("id", flat=True)[:_BATCH]):
        rows.model._default_manager.filter(id__in=ids).delete()
        deleted += len(ids)
        run.pause()
    return deleted
