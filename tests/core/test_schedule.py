from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hutch.core import clock, jobs, schedule
from hutch.core.models import Job, Schedule
from hutch.core.worker import run_pending

pytestmark = pytest.mark.django_db
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]


@pytest.fixture(autouse=True)
def tea(declare: Declare) -> None:
    jobs.JOBS.clear()
    declare("tea.clean", every_s=600)(lambda run: None)


def let_be_due() -> None:
    Schedule.objects.update(next_at=clock.now() - timedelta(hours=5))


def test_new_schedule_is_first_due_a_period_from_now() -> None:
    assert schedule.tick() == 0
    assert Schedule.objects.get().next_at > clock.now() + timedelta(seconds=590)


def test_due_schedule_is_started_once_and_moves_on() -> None:
    schedule.tick()
    let_be_due()
    assert schedule.tick() == 1
    assert schedule.tick() == 0
    assert Job.objects.get().name == "tea.clean"
    assert Schedule.objects.get().next_at > clock.now()
    assert run_pending() == 1


def test_schedule_whose_last_job_still_waits_is_not_queued_twice() -> None:
    schedule.tick()
    for _ in range(3):
        let_be_due()
        schedule.tick()
    assert Job.objects.count() == 1


def test_second_node_does_not_start_what_the_first_has_started() -> None:
    schedule.tick()
    let_be_due()
    definition = jobs.JOBS["tea.clean"]
    # both nodes saw it due before either wrote
    assert [schedule._start(definition), schedule._start(definition)] == [True, False]
    assert Job.objects.count() == 1


def test_scheduled_job_that_wants_arguments_is_refused(declare: Declare) -> None:
    with pytest.raises(TypeError):
        declare("tea.pour", every_s=60)(lambda run, *, cups: None)
