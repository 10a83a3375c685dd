"""Events: what happened, told in the transaction in which it happened, heard after it.

A room's `events.py` declares frozen dataclasses in the past tense (see `Event`); its verbs `emit` them. Rooms
further up `listen`. The outbox is a row for the event and a job for each listener, in the caller's transaction:
when that commits, each listener is called at least once, in the order of the events' ids, and again with back-off when
it fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields, is_dataclass
from typing import Any, TypeVar

from django.db import connection
from pydantic import TypeAdapter

from hutch.core import clock, context, jobs
from hutch.core.models import StoredEvent
from hutch.core.permissions import Actor
from hutch.core.text import storable_json

_MISSING: Any = object()
_EVENTS: dict[str, type[Event]] = {}
_LISTENERS: dict[str, _Listener] = {}
_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}


class Event:
    """Base of every event. A subclass is a `@dataclass(frozen=True, slots=True, kw_only=True)`.

    Its name is stored: it is never given to another event. Its docstring's first line says what happened. Each field is
    `name: type = doc("what it is")`, of a JSON type, a tuple or dict of those, a datetime, or a frozen dataclass of
    those. A field that is added later needs a default, for rows that were written before.
    """

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        known = _EVENTS.get(cls.__name__)
        # `slots=True` makes the class a second time
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(f"event {cls.__name__} is declared in {known.__module__} and in {cls.__module__}")
        _EVENTS[cls.__name__] = cls


E = TypeVar("E", bound=Event)


class _Listener:
    def __init__(self, name: str, event: type[Event], function: Callable[[int, Any], None]) -> None:
        self.name, self.event, self.function = name, event, function


def doc(text: str, *, default: Any = _MISSING) -> Any:
    """A documented field of an event; docs/events.md shows `text`."""
    if default is _MISSING:
        return field(metadata={"doc": text})
    return field(default=default, metadata={"doc": text})


def known() -> dict[str, type[Event]]:
    """Every declared event by its name, in alphabetical order."""
    return dict(sorted(_EVENTS.items()))


def documentation(event: Any) -> list[tuple[str, str, str]]:
    """Name, type and sentence of each field. Raises TypeError if the event is no dataclass or a field says nothing."""
    name, sentence = event.__name__, (event.__doc__ or "").strip()
    if not issubclass(event, Event) or not is_dataclass(event):
        raise TypeError(f"{name} is no dataclass below Event")
    # where nothing is said, dataclass writes the signature
    if not sentence or sentence.startswith(f"{name}("):
        raise TypeError(f"event {name} has no docstring")
    found = []
    for part in fields(event):
        if not part.metadata.get("doc"):
            raise TypeError(f"field {part.name} of event {name} has no doc(...)")
        kind = part.type.__name__ if isinstance(part.type, type) else part.type
        found.append((part.name, kind, str(part.metadata["doc"])))
    return found


def emit(event: Event, *, actor: Actor | None = None) -> int:
    """Writes an event and its deliveries in the caller's transaction; returns the event's id.

    `actor` is who did it, if somebody did. Raises RuntimeError outside a transaction, TypeError for an event whose
    declaration is not documented.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(
            f"{type(event).__name__} must be emitted inside the transaction in which it happens"
        )
    row = StoredEvent.objects.create(
        name=type(event).__name__,
        payload=storable_json(_adapter(type(event)).dump_python(event, mode="json")),
        actor_id=actor.user_id if actor else None,
        request_id=context.request_id.get(),
        created_at=clock.now(),
    )
    deliveries = [
        jobs.new_row(DELIVER, {"event_id": row.pk, "listener": listener.name}, lane=listener.name, event=row)
        for listener in _LISTENERS.values()
        if isinstance(event, listener.event)
    ]
    jobs.insert(deliveries)
    return row.pk


def listen(event: type[E]) -> Callable[[Callable[[int, E], None]], Callable[[int, E], None]]:
    """Registers `function(event_id, event)` for events of that class, emitted from now on.

    It runs as a background job, outside any transaction, at least once for each event: it must do no harm when called
    again with the same id. It raises to be called again later. `listen(Event)` hears all. Listeners live in a room's
    `listeners.py`, which every process imports; the function's module and name are stored, so a renamed listener loses
    what it had not yet heard (the old deliveries fail and can be seen).
    """
    if event is not Event:
        _adapter(event)

    def register(function: Callable[[int, E], None]) -> Callable[[int, E], None]:
        name = f"{function.__module__}.{function.__qualname__}"
        if name in _LISTENERS:
            raise ValueError(f"listener {name} is registered twice")
        _LISTENERS[name] = _Listener(name, event, function)
        return function

    return register


DELIVER = "events.deliver"


@jobs.job(DELIVER, retries=12, lease_s=60, quick=True, keep=False)
def deliver(run: jobs.JobRun, *, event_id: int, listener: str) -> None:
    """Calls one listener with one event."""
    found = _LISTENERS.get(listener)
    if found is None:
        raise jobs.GiveUp(f"there is no listener {listener} any more")
    row = StoredEvent.objects.get(pk=event_id)
    event = _EVENTS.get(row.name)
    if event is None:
        raise jobs.GiveUp(f"there is no event {row.name} any more")
    found.function(event_id, _adapter(event).validate_python(row.payload))


def _adapter(event: Any) -> TypeAdapter[Any]:
    if event not in _ADAPTERS:
        documentation(event)
        _ADAPTERS[event] = TypeAdapter(event)
    return _ADAPTERS[event]
