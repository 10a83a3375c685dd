"""Jobs in real threads, over the real database of the run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from hutch.core import clock, job_queue, job_records, jobs
from hutch.core.events import emit
from hutch.core.job_run import WRITER_PAUSE_S, Run
from hutch.core.jobs import JobCancelled, JobRun, enqueue
from hutch.core.models import Job, Schedule
from hutch.core.permissions import Actor
from hutch.core.worker import Pace, Workers, keep
from tests.core.conftest import job_of

pytestmark = pytest.mark.django_db(transaction=True)
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]
ADMIN = Actor(user_id=1, is_admin=True)


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited for 30 s"
        time.sleep(0.02)
    return found


def state_of(job_id: int) -> str:
    return Job.objects.values_list("state", flat=True).get(pk=job_id)


@pytest.fixture
def start() -> Iterator[Callable[[int], Workers]]:
    """`start(2)` starts two worker threads, which are stopped after the test."""
    started: list[Workers] = []

    def begin(threads: int) -> Workers:
        workers = Workers(threads)
        workers.start()
        started.append(workers)
        return workers

    yield begin
    for workers in started:
        workers.stop()
    assert jobs._wakers == []


class Kettle:
    """A job that runs until it is let go, and says whether it is at it."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.over = threading.Event(), threading.Event(), threading.Event()

    def __call__(self, run: JobRun) -> str:
        self.begun.set()
        try:
            while not self.let_go.wait(0.02):
                run.checkpoint()
        finally:
            self.over.set()
        return "hot"


@pytest.fixture
def kettle(declare: Declare) -> Kettle:
    found = Kettle()
    declare("tea.boil", retries=3)(found)
    return found


def test_enqueued_job_is_run_after_the_commit(declare: Declare, start: Callable[[int], Workers]) -> None:
    seen: list[bool] = []
    declare("tea.brew")(lambda run: seen.append(Schedule.objects.filter(name="written last").exists()))
    start(2)
    with transaction.atomic():
        job_id = enqueue("tea.brew")
        time.sleep(0.1)
        Schedule.objects.create(name="written last", next_at=clock.now())
    until(lambda: state_of(job_id) == "done")
    assert seen == [True]


def test_many_jobs_in_several_threads_run_once_each(
    declare: Declare, start: Callable[[int], Workers]
) -> None:
    ran: list[int] = []
    declare("tea.brew")(lambda run, *, cup: ran.append(cup))
    start(4)
    for cup in range(60):
        enqueue("tea.brew", cup=cup)
    until(lambda: not Job.objects.exclude(state="done").exists())
    assert sorted(ran) == list(range(60))


def test_listener_hears_events_in_order_whatever_the_number_of_threads(
    boiled: type[Any], hear: Declare, start: Callable[[int], Workers]
) -> None:
    heard: list[int] = []
    inside = threading.Lock()

    def listener(event_id: int, event: Any) -> None:
        assert inside.acquire(blocking=False), "called twice at a time"
        heard.append(event_id)
        time.sleep(0.002)
        inside.release()

    hear(boiled)(listener)
    start(4)
    ids = []
    for _ in range(25):
        with transaction.atomic():
            ids.append(emit(boiled(kettle="big")))
    until(lambda: not Job.objects.exists())
    assert heard == ids


def test_long_jobs_leave_a_thread_to_quick_ones(
    declare: Declare, kettle: Kettle, start: Callable[[int], Workers]
) -> None:
    declare("tea.sip", quick=True)(lambda run: None)
    start(2)
    enqueue("tea.boil")
    second = enqueue("tea.boil")
    kettle.begun.wait(20)
    sip = enqueue("tea.sip")
    until(lambda: state_of(sip) == "done")
    assert state_of(second) == "queued"
    kettle.let_go.set()
    until(lambda: state_of(second) == "done")


def test_single_thread_runs_long_and_quick_jobs(declare: Declare, start: Callable[[int], Workers]) -> None:
    declare("tea.brew")(lambda run: None)
    declare("tea.sip", quick=True)(lambda run: None)
    start(1)
    both = [enqueue("tea.brew"), enqueue("tea.sip")]
    until(lambda: [state_of(job_id) for job_id in both] == ["done", "done"])


def test_progress_and_log_can_be_read_while_the_job_runs(
    declare: Declare, start: Callable[[int], Workers]
) -> None:
    let_go = threading.Event()

    @declare("tea.brew")
    def brew(run: JobRun) -> None:
        run.progress(0.5, "half")
        run.log("still warm")
        let_go.wait(30)

    start(1)
    job_id = enqueue("tea.brew")
    until(lambda: job_of(job_id).log == "still warm\n")
    row = job_of(job_id)
    let_go.set()
    assert (row.state, row.fraction, row.progress_text) == ("running", 0.5, "half")
    until(lambda: state_of(job_id) == "done")
    assert job_of(job_id).log == "still warm\n"


def test_lease_is_extended_as_long_as_the_job_runs(declare: Declare, start: Callable[[int], Workers]) -> None:
    let_go = threading.Event()
    runs: list[int] = []

    @declare("tea.brew", lease_s=3)
    def brew(run: JobRun) -> None:
        runs.append(run.attempt)
        let_go.wait(60)

    start(2)
    job_id = enqueue("tea.brew")
    first = until(lambda: job_of(job_id).leased_until)
    until(lambda: job_of(job_id).leased_until > first + timedelta(seconds=4))
    let_go.set()
    until(lambda: state_of(job_id) == "done")
    assert runs == [1]


def test_running_job_that_is_cancelled_ends_at_its_next_checkpoint(
    kettle: Kettle, start: Callable[[int], Workers]
) -> None:
    start(1)
    job_id = enqueue("tea.boil")
    kettle.begun.wait(20)
    job_records.cancel(ADMIN, job_id)
    until(lambda: state_of(job_id) == "cancelled")
    assert kettle.over.is_set()


def test_job_that_ends_well_before_it_sees_its_cancellation_is_done(
    declare: Declare, start: Callable[[int], Workers]
) -> None:
    begun, let_go, seen = threading.Event(), threading.Event(), []

    @declare("tea.brew")
    def brew(run: JobRun) -> None:
        begun.set()
        let_go.wait(30)
        seen.append(run.cancelled)

    start(1)
    job_id = enqueue("tea.brew")
    begun.wait(20)
    job_records.cancel(ADMIN, job_id)
    time.sleep(1.5)
    let_go.set()
    until(lambda: state_of(job_id) == "done")
    assert seen == [True]


def test_job_that_lost_its_lease_is_told_to_end(declare: Declare, kettle: Kettle) -> None:
    job_id = enqueue("tea.boil")
    claim = job_queue.claim("slow")
    assert claim is not None
    run = Run(claim)
    Job.objects.filter(pk=job_id).update(leased_until=clock.now() - timedelta(seconds=1))
    assert job_queue.claim("fast") is not None
    run.log("still here")
    keep([run], Pace())
    with pytest.raises(JobCancelled, match="lost"):
        run.checkpoint()
    assert job_of(job_id).log == ""


def test_stopping_gives_running_jobs_back_without_counting_the_attempt(
    kettle: Kettle, start: Callable[[int], Workers]
) -> None:
    workers = start(1)
    job_id, waiting = enqueue("tea.boil"), enqueue("tea.boil")
    kettle.begun.wait(20)
    workers.stop()
    assert kettle.over.is_set()
    row = job_of(job_id)
    assert (row.state, row.attempts, row.leased_by) == ("queued", 0, "")
    assert state_of(waiting) == "queued"


def test_stopping_takes_the_lease_of_a_job_that_does_not_end(
    declare: Declare, start: Callable[[int], Workers]
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    @declare("tea.brew")
    def brew(run: JobRun) -> str:
        begun.set()
        let_go.wait(60)
        return "too late"

    workers = start(1)
    job_id = enqueue("tea.brew")
    begun.wait(20)
    workers.stop()
    row = job_of(job_id)
    assert (row.state, row.attempts, row.leased_by) == ("queued", 0, "")
    assert row.run_at > clock.now()
    let_go.set()
    for thread in workers._threads:
        thread.join(20)
    assert (state_of(job_id), job_of(job_id).result) == ("queued", None)


def test_due_schedule_is_run_by_the_workers(declare: Declare, start: Callable[[int], Workers]) -> None:
    declare("tea.clean", every_s=600)(lambda run: None)
    Schedule.objects.create(name="tea.clean", next_at=clock.now() - timedelta(seconds=1))
    start(1)
    until(lambda: Job.objects.filter(name="tea.clean", state="done").exists())


def test_second_process_waits_on_sqlite_and_works_beside_the_first_on_postgresql(
    start: Callable[[int], Workers], kettle: Kettle
) -> None:
    first = start(1)
    job_id = enqueue("tea.boil")
    kettle.begun.wait(20)
    second = Workers(1)
    assert second.claim_database() is (connection.vendor == "postgresql")
    first.stop()
    assert second.claim_database()
    second._lock.release()
    assert state_of(job_id) == "queued"


def test_workers_go_on_after_the_database_dropped_their_connections(
    declare: Declare, start: Callable[[int], Workers]
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections to lose")
    declare("tea.brew")(lambda run: None)
    start(2)
    until(lambda: state_of(enqueue("tea.brew")) in ("queued", "running", "done"))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    later = enqueue("tea.brew")
    until(lambda: state_of(later) == "done")


def test_write_transactions_of_workers_leave_others_a_turn_on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's locks are fair")
    pace, begun, ended = Pace(), [], []

    def write() -> None:
        begun.append(time.monotonic())
        Schedule.objects.update_or_create(name="pace", defaults={"next_at": clock.now()})
        ended.append(time.monotonic())

    for _ in range(5):
        pace.write(write)
    gaps = [after - before for before, after in zip(ended, begun[1:], strict=False)]
    assert len(gaps) == 4
    assert all(gap >= WRITER_PAUSE_S for gap in gaps)
