from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hutch.core import clock, job_queue
from hutch.core.jobs import enqueue
from hutch.core.models import Job
from tests.core.conftest import job_of

pytestmark = pytest.mark.django_db
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]


def claim() -> job_queue.Claim:
    found = job_queue.claim("test")
    assert found is not None
    return found


def expire(job_id: int) -> None:
    Job.objects.filter(pk=job_id).update(leased_until=clock.now() - timedelta(seconds=1))


def test_expired_lease_is_taken_again_and_counts_as_an_attempt(declare: Declare) -> None:
    declare("tea.brew", retries=1)(lambda run: None)
    job_id = enqueue("tea.brew")
    dead = claim()
    assert job_queue.claim("test") is None
    expire(job_id)
    again = claim()
    assert (again.job_id, again.attempt) == (dead.job_id, 2)
    expire(job_id)
    assert job_queue.claim("test") is None
    row = job_of(job_id)
    assert (row.state, row.error) == ("failed", f"The worker died 2 times; the last was {again.token}")


def test_worker_that_lost_its_lease_can_record_nothing(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    job_id = enqueue("tea.brew")
    slow = claim()
    expire(job_id)
    fast = claim()
    assert not job_queue.heartbeat(slow, fraction=0.9)
    for late in (
        lambda: job_queue.finish(slow, "late"),
        lambda: job_queue.fail(slow, "late"),
        lambda: job_queue.cancelled(slow),
        lambda: job_queue.give_back(slow),
    ):
        late()
        row = job_of(job_id)
        assert (row.state, row.leased_by, row.fraction, row.error) == ("running", fast.token, 0.0, "")
    assert job_queue.heartbeat(fast)


def test_heartbeat_extends_the_lease(declare: Declare) -> None:
    declare("tea.brew", lease_s=60)(lambda run: None)
    job_id = enqueue("tea.brew")
    held = claim()
    expire(job_id)
    assert job_queue.heartbeat(held, fraction=0.5, log="x\n")
    row = job_of(job_id)
    assert row.leased_until is not None
    assert row.leased_until > clock.now() + timedelta(seconds=50)
    assert job_queue.claim("test") is None


def test_given_back_lease_does_not_count_as_an_attempt(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    enqueue("tea.brew")
    job_queue.give_back(claim())
    assert claim().attempt == 1


def test_retry_gives_way_to_a_later_job_of_its_key(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    first = enqueue("tea.brew", key="pot")
    running = claim()
    second = enqueue("tea.brew", key="pot")
    job_queue.fail(running, "spilled")
    assert job_of(first).state == "cancelled"
    assert "replaces this" in job_of(first).error
    assert claim().job_id == second


def test_expired_job_gives_way_to_a_later_job_of_its_key(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    first = enqueue("tea.brew", key="pot")
    claim()
    second = enqueue("tea.brew", key="pot")
    expire(first)
    assert claim().job_id == second
    assert job_of(first).state == "cancelled"


def test_ending_every_lease_lets_all_running_jobs_be_taken_again(declare: Declare) -> None:
    declare("tea.brew", lease_s=3600)(lambda run: None)
    first, second = enqueue("tea.brew"), enqueue("tea.brew")
    held = {claim().job_id, claim().job_id}
    assert held == {first, second}
    assert job_queue.expire_all() == 2
    assert {claim().job_id, claim().job_id} == held
