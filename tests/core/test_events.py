from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction

from hutch.core import clock, context, events, jobs, sweep
from hutch.core.events import Event, doc, emit
from hutch.core.models import Job, StoredEvent
from hutch.core.permissions import Actor
from hutch.core.worker import run_pending
from tests.core.conftest import make_due

pytestmark = pytest.mark.django_db
Hear = Callable[..., Callable[[Callable[..., Any]], Callable[..., Any]]]


def test_listener_gets_the_event_with_its_id_and_types(boiled: type[Any], hear: Hear) -> None:
    heard: list[Any] = []
    hear(boiled)(lambda event_id, event: heard.append((event_id, event)))
    event_id = emit(boiled(kettle="big", litres=(1, 2)))
    run_pending()
    assert heard == [(event_id, boiled(kettle="big", litres=(1, 2)))]


def test_nothing_is_heard_before_a_worker_delivers_it(boiled: type[Any], hear: Hear) -> None:
    heard: list[Any] = []
    hear(boiled)(lambda event_id, event: heard.append(event))
    emit(boiled(kettle="big"))
    assert heard == []


@pytest.mark.django_db(transaction=True)
def test_emit_outside_a_transaction_is_refused(boiled: type[Any]) -> None:
    with pytest.raises(RuntimeError, match="KettleBoiled must be emitted inside the transaction"):
        emit(boiled(kettle="big"))
    assert not StoredEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_event_of_a_rolled_back_transaction_never_happened(boiled: type[Any], hear: Hear) -> None:
    hear(boiled)(lambda event_id, event: None)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        emit(boiled(kettle="big"))
        raise ZeroDivisionError
    assert not StoredEvent.objects.exists()
    assert not Job.objects.exists()


def test_each_listener_of_several_gets_the_event_once(boiled: type[Any], hear: Hear) -> None:
    first: list[int] = []
    second: list[int] = []

    def one(event_id: int, event: Any) -> None:
        first.append(event_id)

    def two(event_id: int, event: Any) -> None:
        second.append(event_id)

    hear(boiled)(one)
    hear(boiled)(two)
    ids = [emit(boiled(kettle="big")) for _ in range(3)]
    run_pending()
    assert first == second == ids


def test_listener_of_all_events_hears_every_kind(boiled: type[Any], declared: Any, hear: Hear) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class KettleCooled(Event):
        """A kettle cooled."""

        kettle: str = doc("its name")

    heard: list[str] = []
    hear(Event)(lambda event_id, event: heard.append(type(event).__name__))
    emit(boiled(kettle="big"))
    emit(KettleCooled(kettle="big"))
    run_pending()
    assert heard == ["KettleBoiled", "KettleCooled"]


def test_listener_registered_later_does_not_hear_what_was_before(boiled: type[Any], hear: Hear) -> None:
    emit(boiled(kettle="early"))
    heard: list[str] = []
    hear(boiled)(lambda event_id, event: heard.append(event.kettle))
    emit(boiled(kettle="late"))
    run_pending()
    assert heard == ["late"]


def test_failing_listener_is_called_again_later_and_the_failure_can_be_seen(
    boiled: type[Any], hear: Hear
) -> None:
    calls: list[int] = []

    def clumsy(event_id: int, event: Any) -> None:
        calls.append(event_id)
        if len(calls) == 1:
            raise ValueError("spilled")

    hear(boiled)(clumsy)
    event_id = emit(boiled(kettle="big"))
    run_pending()
    waiting = Job.objects.get()
    assert (waiting.state, waiting.attempts) == ("queued", 1)
    assert "ValueError: spilled" in waiting.error
    assert waiting.run_at > clock.now()
    make_due()
    run_pending()
    assert calls == [event_id, event_id]
    assert not Job.objects.exists()


def test_one_listeners_failure_does_not_keep_the_event_from_others(boiled: type[Any], hear: Hear) -> None:
    heard: list[int] = []

    def broken(event_id: int, event: Any) -> None:
        raise ValueError("never works")

    hear(boiled)(broken)
    hear(boiled)(lambda event_id, event: heard.append(event_id))
    event_id = emit(boiled(kettle="big"))
    run_pending()
    assert heard == [event_id]


def test_later_events_pass_one_that_waits_for_its_next_try(boiled: type[Any], hear: Hear) -> None:
    heard: list[str] = []

    def picky(event_id: int, event: Any) -> None:
        if event.kettle == "bad" and not heard:
            raise ValueError
        heard.append(event.kettle)

    hear(boiled)(picky)
    emit(boiled(kettle="bad"))
    emit(boiled(kettle="good"))
    run_pending()
    make_due()
    run_pending()
    assert heard == ["good", "bad"]


def test_delivery_to_a_listener_that_is_gone_fails_for_good(boiled: type[Any], hear: Hear) -> None:
    hear(boiled)(lambda event_id, event: None)
    emit(boiled(kettle="big"))
    events._LISTENERS.clear()
    run_pending()
    row = Job.objects.get()
    assert row.state == "failed"
    assert "there is no listener" in row.error


def test_event_keeps_its_actor_and_its_request(boiled: type[Any]) -> None:
    token = context.request_id.set("req-7")
    try:
        event_id = emit(boiled(kettle="big"), actor=Actor(user_id=7, username="ann"))
    finally:
        context.request_id.reset(token)
    row = StoredEvent.objects.get(pk=event_id)
    assert (row.name, row.actor_id, row.request_id) == ("KettleBoiled", 7, "req-7")


def test_text_that_no_database_takes_is_escaped(boiled: type[Any], hear: Hear) -> None:
    heard: list[str] = []
    hear(boiled)(lambda event_id, event: heard.append(event.kettle))
    emit(boiled(kettle="a\x00b\udc80c"))
    run_pending()
    assert heard == [r"a\x00b\udc80c"]


def test_row_written_before_a_field_was_added_gets_the_default(boiled: type[Any], hear: Hear) -> None:
    heard: list[Any] = []
    hear(boiled)(lambda event_id, event: heard.append(event))
    event_id = emit(boiled(kettle="big", litres=(3,)))
    StoredEvent.objects.filter(pk=event_id).update(payload={"kettle": "big", "gone": 1})
    run_pending()
    assert heard == [boiled(kettle="big")]


def test_event_with_an_undocumented_field_is_refused(declared: Any) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class KettleSang(Event):
        """A kettle sang."""

        tune: str

    with pytest.raises(TypeError, match="field tune of event KettleSang has no doc"):
        emit(KettleSang(tune="high"))


def test_event_without_a_sentence_is_refused(declared: Any) -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class KettleSang(Event):
        tune: str = doc("which")

    with pytest.raises(TypeError, match="KettleSang has no docstring"):
        emit(KettleSang(tune="high"))


def test_two_events_of_one_name_are_refused(boiled: type[Any]) -> None:
    with pytest.raises(TypeError, match="KettleBoiled is declared in"):

        class KettleBoiled(Event):
            """Another."""


def test_listener_registered_twice_is_refused(boiled: type[Any], hear: Hear) -> None:
    def twice(event_id: int, event: Any) -> None: ...

    hear(boiled)(twice)
    with pytest.raises(ValueError, match="registered twice"):
        hear(boiled)(twice)


def test_every_declared_event_is_documented() -> None:
    for event in events.known().values():
        assert all(text for _, _, text in events.documentation(event))


def test_sweep_removes_old_events_that_all_have_heard_and_no_others(boiled: type[Any], hear: Hear) -> None:
    old = clock.now() - sweep.KEEP - timedelta(days=1)
    heard = emit(boiled(kettle="heard"))
    hear(boiled)(lambda event_id, event: None)
    waiting, young = emit(boiled(kettle="waiting")), emit(boiled(kettle="young"))
    Job.objects.filter(event_id=young).delete()
    StoredEvent.objects.filter(pk__in=[heard, waiting]).update(created_at=old)
    jobs.enqueue("core.sweep")
    Job.objects.filter(event_id=waiting).update(run_at=clock.now() + timedelta(hours=1))
    run_pending()
    assert set(StoredEvent.objects.values_list("id", flat=True)) == {waiting, young}
