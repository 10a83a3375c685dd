"""People, a running hub, and a visitor with a browser's cookies but no scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hutch.accounts import actors, users
from hutch.accounts.models import User
from hutch.core.permissions import Actor
from tests.acceptance.conftest import client, fresh_server, new_hub, server, unique, user
from tests.acceptance.hub import Hub
from tests.accounts.visitor import Visitor

__all__ = ["client", "fresh_server", "new_hub", "server", "unique", "user"]

Make = Callable[..., User]


@pytest.fixture
def make(db: None) -> Make:
    """`make("ann", is_admin=True)`: an account."""

    def create(name: str, **fields: object) -> User:
        return users.create_user(actors.operator(), name, **fields)  # type: ignore[arg-type]

    return create


@pytest.fixture
def acting(make: Make) -> Callable[..., Actor]:
    """`acting("ann")`: whoever is signed in to the account of that name, which is made if need be."""

    def act(name: str, **fields: object) -> Actor:
        row = User.objects.filter(username=name).first() or make(name, **fields)
        return actors.of_user(row)

    return act


@pytest.fixture
def visit() -> Iterator[Callable[[Hub], Visitor]]:
    """`visit(hub)`: somebody with a browser."""
    opened: list[Visitor] = []

    def open_(hub: Hub) -> Visitor:
        opened.append(Visitor(hub.url))
        return opened[-1]

    yield open_
    for visitor in opened:
        visitor.close()
