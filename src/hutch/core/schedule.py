"""Jobs that repeat: the next time of each is a row, so several nodes run each once, and a restart forgets none."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from hutch.core import clock
from hutch.core.jobs import JOBS, Definition, enqueue
from hutch.core.models import Schedule


def tick() -> int:
    """Enqueues what is due; returns how many. A job that is still queued from last time is not queued twice.

    What was missed while no node ran is made up for once. A job that is new here is first due a period from now.
    """
    repeating = {name: definition for name, definition in JOBS.items() if definition.every_s is not None}
    known = dict(Schedule.objects.values_list("name", "next_at"))
    moment = clock.now()
    for name in repeating.keys() - known.keys():
        Schedule.objects.bulk_create(
            [Schedule(name=name, next_at=_after(repeating[name]))], ignore_conflicts=True
        )
    due = [name for name, next_at in known.items() if name in repeating and next_at <= moment]
    return sum(_start(repeating[name]) for name in due)


def _start(definition: Definition) -> bool:
    with transaction.atomic():
        mine = Schedule.objects.filter(name=definition.name, next_at__lte=clock.now())
        if not mine.update(next_at=_after(definition)):
            return False  # another node was first
        enqueue(definition.name, key="schedule")
        return True


def _after(definition: Definition) -> datetime:
    assert definition.every_s is not None
    return clock.now() + timedelta(seconds=definition.every_s)
