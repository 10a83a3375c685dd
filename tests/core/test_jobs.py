from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from hutch.core import clock, job_queue, jobs, sweep
from hutch.core.job_run import last_lines
from hutch.core.jobs import GiveUp, JobCancelled, JobRun, enqueue
from hutch.core.models import Job
from hutch.core.worker import run_pending
from tests.core.conftest import job_of, make_due

pytestmark = pytest.mark.django_db
Declare = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]


def claim() -> job_queue.Claim:
    found = job_queue.claim("test")
    assert found is not None
    return found


def test_job_runs_with_its_arguments_and_keeps_its_result(declare: Declare) -> None:
    @declare("tea.brew")
    def brew(run: JobRun, *, leaves: int, kind: str = "green") -> dict[str, Any]:
        return {"cups": leaves // 2, "kind": kind}

    job_id = enqueue("tea.brew", leaves=8)
    assert run_pending() == 1
    row = job_of(job_id)
    assert (row.state, row.result, row.fraction) == ("done", {"cups": 4, "kind": "green"}, 1.0)
    assert row.finished_at is not None


def test_unknown_job_is_refused() -> None:
    with pytest.raises(KeyError):
        enqueue("tea.unknown")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"cups": 1}, TypeError),
        ({}, TypeError),
        ({"leaves": object()}, TypeError),
        ({"leaves": float("nan")}, ValueError),
        ({"leaves": "a\x00b"}, ValueError),
        ({"leaves": {"x": ["\udc80"]}}, ValueError),
    ],
)
def test_arguments_that_cannot_be_kept_are_refused_at_once(
    declare: Declare, arguments: dict[str, Any], error: type[Exception]
) -> None:
    declare("tea.brew")(lambda run, *, leaves: None)
    with pytest.raises(error):
        enqueue("tea.brew", **arguments)
    assert not Job.objects.exists()


def test_two_jobs_of_one_name_are_refused(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    with pytest.raises(ValueError, match="declared twice"):
        declare("tea.brew")(lambda run: None)


@pytest.mark.django_db(transaction=True)
def test_job_of_a_rolled_back_transaction_is_not_queued(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        enqueue("tea.brew")
        raise ZeroDivisionError
    assert not Job.objects.exists()


def test_delayed_job_waits(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    enqueue("tea.brew", delay_s=3600)
    assert run_pending() == 0
    make_due()
    assert run_pending() == 1


def test_higher_priority_goes_first_and_equals_go_by_age(declare: Declare) -> None:
    order: list[str] = []
    declare("tea.brew")(lambda run, *, cup: order.append(cup))
    enqueue("tea.brew", cup="first")
    enqueue("tea.brew", cup="second")
    enqueue("tea.brew", cup="urgent", priority=5)
    enqueue("tea.brew", cup="some day", priority=-5)
    run_pending()
    assert order == ["urgent", "first", "second", "some day"]


def test_key_that_is_queued_already_is_not_queued_twice(declare: Declare) -> None:
    declare("tea.brew")(lambda run, *, leaves: None)
    first = enqueue("tea.brew", key="pot", leaves=1)
    assert enqueue("tea.brew", key="pot", leaves=2) == first
    assert enqueue("tea.brew", key="cup", leaves=3) != first
    assert Job.objects.count() == 2


def test_key_can_be_queued_again_while_it_runs_but_not_run_beside_itself(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    first = enqueue("tea.brew", key="pot")
    running = claim()
    second = enqueue("tea.brew", key="pot")
    assert second != first
    assert job_queue.claim("test") is None
    assert not job_queue.is_due()
    job_queue.finish(running, None)
    assert claim().job_id == second


def test_lane_runs_one_at_a_time_in_order(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    first, second = enqueue("tea.brew", lane="stove"), enqueue("tea.brew", lane="stove", priority=9)
    other = enqueue("tea.brew", lane="sink")
    one = claim()
    assert {one.job_id, claim().job_id} == {first, other}
    assert job_queue.claim("test") is None
    job_queue.finish(one, None)
    job_queue.requeue_expired()
    assert claim().job_id == second


def test_failure_is_kept_and_tried_again_after_a_growing_delay(declare: Declare) -> None:
    @declare("tea.brew", retries=2)
    def brew(run: JobRun) -> None:
        raise ValueError(f"spilled at attempt {run.attempt}")

    job_id = enqueue("tea.brew")
    for attempt in (1, 2, 3):
        begun = clock.now()
        assert run_pending() == 1
        row = job_of(job_id)
        assert row.attempts == attempt
        assert f"ValueError: spilled at attempt {attempt}" in row.error
        if attempt <= 2:
            assert row.state == "queued"
            assert row.run_at >= begun + timedelta(seconds=2**attempt * 0.5)
            make_due()
    assert job_of(job_id).state == "failed"
    make_due()
    assert run_pending() == 0


def test_delay_doubles_up_to_an_hour_and_is_spread() -> None:
    assert all(1 <= job_queue.delay_s(1) <= 3 for _ in range(50))
    assert all(16 <= job_queue.delay_s(5) <= 48 for _ in range(50))
    assert all(1800 <= job_queue.delay_s(n) <= 5400 for n in (12, 40, 10_000))
    assert len({job_queue.delay_s(3) for _ in range(20)}) > 1


def test_giving_up_fails_without_another_try(declare: Declare) -> None:
    @declare("tea.brew")
    def brew(run: JobRun) -> None:
        raise GiveUp("no leaves in the house")

    job_id = enqueue("tea.brew")
    run_pending()
    row = job_of(job_id)
    assert (row.state, row.attempts) == ("failed", 1)
    assert "no leaves in the house" in row.error


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), RecursionError("deep")])
def test_job_that_tries_to_end_the_process_only_fails(declare: Declare, error: BaseException) -> None:
    @declare("tea.brew", retries=0)
    def brew(run: JobRun) -> None:
        raise error

    job_id = enqueue("tea.brew")
    run_pending()
    assert job_of(job_id).state == "failed"


def test_result_that_is_no_json_fails_the_job(declare: Declare) -> None:
    declare("tea.brew", retries=0)(lambda run: object())
    job_id = enqueue("tea.brew")
    run_pending()
    assert (job_of(job_id).state, "not JSON serializable" in job_of(job_id).error) == ("failed", True)


def test_error_with_bytes_that_no_database_takes_is_kept_escaped(declare: Declare) -> None:
    @declare("tea.brew", retries=0)
    def brew(run: JobRun) -> None:
        run.log("path \udc80\x00")
        raise ValueError("bad path \udcff\x00")

    job_id = enqueue("tea.brew")
    run_pending()
    assert r"bad path \udcff\x00" in job_of(job_id).error
    assert job_of(job_id).log == "path \\udc80\\x00\n"


def test_progress_and_log_are_kept(declare: Declare) -> None:
    @declare("tea.brew", retries=0)
    def brew(run: JobRun) -> None:
        run.log("water on")
        run.progress(0.25, "heating")
        run.log("water hot\n")
        raise ValueError

    job_id = enqueue("tea.brew")
    run_pending()
    row = job_of(job_id)
    assert (row.fraction, row.progress_text, row.log) == (0.25, "heating", "water on\nwater hot\n")


def test_progress_outside_of_0_to_1_is_brought_inside(declare: Declare) -> None:
    @declare("tea.brew", retries=0)
    def brew(run: JobRun) -> None:
        run.progress(7.0, "x" * 1000)
        raise ValueError

    job_id = enqueue("tea.brew")
    run_pending()
    assert (job_of(job_id).fraction, len(job_of(job_id).progress_text)) == (1.0, 300)


def test_log_is_bounded_and_keeps_its_end(declare: Declare) -> None:
    @declare("tea.brew")
    def brew(run: JobRun) -> None:
        for number in range(20_000):
            run.log(f"line {number}")

    job_id = enqueue("tea.brew")
    run_pending()
    log = job_of(job_id).log
    assert len(log) <= job_queue.LOG_CHARACTERS
    assert log.endswith("line 19999\n")
    assert log.startswith("line ")


def test_log_of_one_endless_line_is_cut() -> None:
    assert last_lines("x" * 50, 10) == "x" * 10
    assert last_lines("aaaa\nbbbb\ncc\n", 9) == "bbbb\ncc\n"[-9:]


def test_log_goes_on_over_attempts(declare: Declare) -> None:
    @declare("tea.brew")
    def brew(run: JobRun) -> None:
        run.log(f"attempt {run.attempt}")
        if run.attempt == 1:
            raise ValueError

    job_id = enqueue("tea.brew")
    run_pending()
    make_due()
    run_pending()
    assert job_of(job_id).log == "attempt 1\nattempt 2\n"
    assert job_of(job_id).error == ""


def test_job_that_is_not_to_be_kept_is_gone_when_done_and_stays_when_failed(declare: Declare) -> None:
    @declare("tea.sip", keep=False, retries=0)
    def sip(run: JobRun, *, hot: bool) -> None:
        if hot:
            raise ValueError

    fine, burnt = enqueue("tea.sip", hot=False), enqueue("tea.sip", hot=True)
    run_pending()
    assert not Job.objects.filter(pk=fine).exists()
    assert job_of(burnt).state == "failed"


def test_job_unknown_to_this_process_is_left_to_others(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    job_id = enqueue("tea.brew")
    del jobs.JOBS["tea.brew"]
    assert not job_queue.is_due()
    assert run_pending() == 0
    assert job_of(job_id).state == "queued"


def test_quick_thread_takes_quick_jobs_only(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    declare("tea.sip", quick=True)(lambda run: None)
    enqueue("tea.brew")
    assert not job_queue.is_due(quick_only=True)
    sip = enqueue("tea.sip")
    assert job_queue.is_due(quick_only=True)
    found = job_queue.claim("test", quick_only=True)
    assert found is not None
    assert found.job_id == sip
    assert job_queue.claim("test", quick_only=True) is None


def test_cancelled_error_of_a_job_that_nobody_cancelled_is_a_failure(declare: Declare) -> None:
    @declare("tea.brew", retries=0)
    def brew(run: JobRun) -> None:
        raise JobCancelled

    job_id = enqueue("tea.brew")
    run_pending()
    assert job_of(job_id).state == "failed"


def test_sweep_removes_old_ended_jobs_and_no_others(declare: Declare) -> None:
    declare("tea.brew")(lambda run: None)
    moment = clock.now()
    kept, gone = [], []
    for state, age, stays in [
        ("done", sweep.KEEP * 2, False),
        ("done", sweep.KEEP / 2, True),
        ("cancelled", sweep.KEEP * 2, False),
        ("failed", sweep.KEEP * 2, True),
        ("failed", sweep.KEEP_FAILED * 2, False),
        ("queued", sweep.KEEP_FAILED * 2, True),
        ("running", sweep.KEEP_FAILED * 2, True),
    ]:
        job_id = enqueue("tea.brew", delay_s=3600)
        ended = None if state in ("queued", "running") else moment - age
        Job.objects.filter(pk=job_id).update(
            state=state, created_at=moment - age, finished_at=ended, leased_until=moment + timedelta(hours=1)
        )
        (kept if stays else gone).append(job_id)
    swept = enqueue("core.sweep")
    run_pending()
    assert job_of(swept).result == {"jobs": len(gone), "events": 0}
    assert set(Job.objects.values_list("id", flat=True)) == {*kept, swept}
