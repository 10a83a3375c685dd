"""Jobs, events and listeners of one test, forgotten after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from hutch.core import events, jobs
from hutch.core.events import Event, doc
from hutch.core.models import Job

Function = Callable[..., Any]


@pytest.fixture
def declare() -> Iterator[Callable[..., Callable[[Function], Function]]]:
    """`@declare("tea.brew", retries=1)` declares a job for this test."""
    before = dict(jobs.JOBS)
    yield jobs.job
    jobs.JOBS.clear()
    jobs.JOBS.update(before)


@pytest.fixture
def hear() -> Iterator[Callable[..., Callable[[Function], Function]]]:
    """`@hear(event_class)` registers a listener for this test, in which the rooms' own hear nothing."""
    before = dict(events._LISTENERS)
    events._LISTENERS.clear()
    yield events.listen
    events._LISTENERS.clear()
    events._LISTENERS.update(before)


@pytest.fixture
def declared() -> Iterator[dict[str, type[Event]]]:
    """The declared events; those that the test adds go afterwards."""
    before = dict(events._EVENTS)
    yield events._EVENTS
    events._EVENTS.clear()
    events._EVENTS.update(before)


@pytest.fixture
def boiled(declared: dict[str, type[Event]]) -> type[Any]:
    """An event."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class KettleBoiled(Event):
        """A kettle boiled."""

        kettle: str = doc("its name")
        litres: tuple[int, ...] = doc("what was in it", default=())

    return KettleBoiled


def job_of(job_id: int) -> Job:
    return Job.objects.get(pk=job_id)


def make_due() -> None:
    """Lets every queued job be due now."""
    from hutch.core import clock

    Job.objects.filter(state="queued").update(run_at=clock.now())
