from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hutch.core import job_queue, job_records
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.jobs import enqueue
from hutch.core.models import Job
from hutch.core.permissions import NOBODY, Actor
from tests.core.conftest import job_of

pytestmark = pytest.mark.django_db
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
ADMIN = Actor(user_id=1, username="root", is_admin=True)


@pytest.fixture(autouse=True)
def tea(declare: Declare) -> None:
    declare("tea.brew", retries=0)(lambda run: None)
    declare("tea.sip")(lambda run: None)


def test_jobs_are_listed_newest_first_by_state_and_name_and_in_pages() -> None:
    ids = [enqueue("tea.brew") for _ in range(3)]
    sip = enqueue("tea.sip")
    claimed = job_queue.claim("test")
    assert claimed is not None
    job_queue.fail(claimed, "spilled")
    assert [record.id for record in job_records.listing(ADMIN)] == [sip, *reversed(ids)]
    assert [record.id for record in job_records.listing(ADMIN, state="failed")] == [claimed.job_id]
    assert [record.id for record in job_records.listing(ADMIN, name="tea.sip")] == [sip]
    assert [record.id for record in job_records.listing(ADMIN, limit=2)] == [sip, ids[2]]
    assert [record.id for record in job_records.listing(ADMIN, before_id=ids[2], limit=2)] == [ids[1], ids[0]]
    assert job_records.show(ADMIN, claimed.job_id).error == "spilled"


def test_unknown_state_is_refused_and_named() -> None:
    with pytest.raises(BadRequest, match="queued, running") as caught:
        job_records.listing(ADMIN, state="gone")
    assert (caught.value.field, caught.value.value) == ("state", "gone")


def test_job_that_is_not_there_is_not_found() -> None:
    for verb in (job_records.show, job_records.cancel, job_records.retry):
        with pytest.raises(NotFound):
            verb(ADMIN, 1 << 40)


@pytest.mark.parametrize(
    ("actor", "error"),
    [
        (NOBODY, Unauthorized),
        (Actor(user_id=2, username="ann"), Forbidden),
        (Actor(user_id=1, is_admin=True, token_role="fineGrained"), Forbidden),
    ],
)
def test_only_administrators_see_and_steer_jobs(actor: Actor, error: type[Exception]) -> None:
    job_id = enqueue("tea.brew")
    with pytest.raises(error):
        job_records.listing(actor)
    for verb in (job_records.show, job_records.cancel, job_records.retry):
        with pytest.raises(error):
            verb(actor, job_id)
    assert job_of(job_id).state == "queued"


def test_administrators_read_token_sees_jobs_and_steers_none() -> None:
    reader = Actor(user_id=1, is_admin=True, token_role="read")
    job_id = enqueue("tea.brew")
    assert [record.id for record in job_records.listing(reader)] == [job_id]
    for verb in (job_records.cancel, job_records.retry):
        with pytest.raises(Forbidden):
            verb(reader, job_id)


def test_queued_job_is_cancelled_at_once() -> None:
    job_id = enqueue("tea.brew")
    assert job_records.cancel(ADMIN, job_id).state == "cancelled"
    assert job_queue.claim("test") is None
    with pytest.raises(Conflict, match="cancelled already"):
        job_records.cancel(ADMIN, job_id)


def test_running_job_is_asked_to_cancel() -> None:
    job_id = enqueue("tea.brew")
    claim = job_queue.claim("test")
    assert claim is not None
    record = job_records.cancel(ADMIN, job_id)
    assert (record.state, record.cancel_asked) == ("running", True)
    assert job_queue.asked_to_cancel([claim]) == {job_id}


def test_cancelled_job_whose_worker_died_is_not_run_again() -> None:
    job_id = enqueue("tea.sip")
    claim = job_queue.claim("test")
    assert claim is not None
    job_records.cancel(ADMIN, job_id)
    job_queue.give_back(claim)
    assert job_of(job_id).state == "cancelled"


def test_failed_job_is_queued_again_with_all_its_retries() -> None:
    job_id = enqueue("tea.brew")
    claim = job_queue.claim("test")
    assert claim is not None
    job_queue.fail(claim, "spilled")
    assert job_of(job_id).state == "failed"
    record = job_records.retry(ADMIN, job_id)
    assert (record.state, record.attempts, record.finished_at) == ("queued", 0, None)
    again = job_queue.claim("test")
    assert again is not None
    assert again.job_id == job_id


def test_running_and_done_jobs_are_not_queued_again() -> None:
    job_id = enqueue("tea.brew")
    claim = job_queue.claim("test")
    assert claim is not None
    with pytest.raises(Conflict, match="running"):
        job_records.retry(ADMIN, job_id)
    job_queue.finish(claim, None)
    with pytest.raises(Conflict, match="done"):
        job_records.retry(ADMIN, job_id)


def test_retry_beside_a_queued_job_of_the_same_key_is_a_conflict() -> None:
    first = enqueue("tea.brew", key="pot")
    job_records.cancel(ADMIN, first)
    enqueue("tea.brew", key="pot")
    with pytest.raises(Conflict, match="'pot' is queued already"):
        job_records.retry(ADMIN, first)
    assert Job.objects.filter(state="queued").count() == 1
