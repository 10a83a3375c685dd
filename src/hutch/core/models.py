"""The outbox, the jobs and their schedules. No other room reads or writes these tables."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class StoredEvent(models.Model):
    """One thing that happened, kept until every listener had it (and a while longer)."""

    name = models.CharField(max_length=100)
    payload = models.JSONField()
    actor_id = models.BigIntegerField(null=True)
    request_id = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_index=True)


class Job(models.Model):
    """One piece of work, and how far it is.

    `key`: at most one queued row of a name has it. `lane`: at most one running row has it, and a lane's rows start in
    the order of their ids. `leased_by` names one claim of one thread: whoever holds another name may not write.
    """

    name = models.CharField(max_length=100)
    arguments = models.JSONField()
    key = models.CharField(max_length=200, null=True)
    lane = models.CharField(max_length=300, null=True)
    is_quick = models.BooleanField(default=False)
    priority = models.SmallIntegerField(default=0)
    event = models.ForeignKey(StoredEvent, null=True, on_delete=models.CASCADE, related_name="jobs")

    state = models.CharField(max_length=10, default="queued")
    run_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    leased_by = models.CharField(max_length=100, blank=True)
    leased_until = models.DateTimeField(null=True)
    cancel_asked = models.BooleanField(default=False)

    fraction = models.FloatField(default=0.0)
    progress_text = models.CharField(max_length=300, blank=True)
    log = models.TextField(blank=True)
    error = models.TextField(blank=True)
    result = models.JSONField(null=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["name", "key"],
                condition=Q(state="queued", key__isnull=False),
                name="core_job_one_queued",
            ),
            models.UniqueConstraint(
                fields=["lane"], condition=Q(state="running", lane__isnull=False), name="core_job_one_running"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "done", "failed", "cancelled"]),
                name="core_job_state",
            ),
        )
        # none of these is partial: SQLite cannot use a partial index for a state that comes as a parameter
        indexes = (
            models.Index(fields=["state", "-priority", "id"], name="core_job_queue"),
            models.Index(fields=["state", "leased_until"], name="core_job_leases"),
            models.Index(fields=["state", "finished_at"], name="core_job_finished"),
            models.Index(fields=["lane", "state", "id"], name="core_job_lanes"),
            models.Index(fields=["key"], name="core_job_key"),
        )


class Schedule(models.Model):
    """When a job that repeats is due next, for all nodes together."""

    name = models.CharField(max_length=100, primary_key=True)
    next_at = models.DateTimeField()
