"""Fixtures of the acceptance tests: a real server, real clients, a user with a token."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.acceptance.clients import NAMES, XET_NAMES, Client, Git, python_of
from tests.acceptance.counting import Counting, counting
from tests.acceptance.hub import Hub, User
from tests.acceptance.seeding import Filled, fill
from tests.postgres import Postgres

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def new_hub(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres | None) -> Callable[..., Hub]:
    """`new_hub(require_sign_in="1")`: a hub over an empty folder (and database), with these settings, not started."""

    def make(**settings: str) -> Hub:
        if postgres is not None:
            settings.setdefault("database_url", postgres.new_database())
        return Hub(tmp_path_factory.mktemp("hub") / "data", settings)

    return make


@pytest.fixture(scope="session")
def server(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """One running server for all tests that leave it running; use names of `unique`."""
    hub = new_hub().start()
    yield hub
    hub.stop()


@pytest.fixture
def fresh_server(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A running server of the test's own, to be stopped, killed or filled at will."""
    hub = new_hub().start()
    yield hub
    hub.stop()


@pytest.fixture(scope="session")
def filled(new_hub: Callable[..., Hub]) -> Iterator[Filled]:
    """A running server with people and repositories of every kind, for the tests of the pages."""
    hub = new_hub().start()
    yield fill(hub)
    hub.stop()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("alice")` is a name that no other test has."""
    return lambda stem: f"{stem}-{next(_numbers)}"


@pytest.fixture
def user(server: Hub, unique: Callable[[str], str]) -> User:
    """An account of the test's own on `server`, with a token that may write."""
    return server.user(unique("user"))


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest, server: Hub, user: User, tmp_path: Path) -> Client:
    """A client of each version of the run, signed in to `server` as `user`."""
    home = tmp_path / "client"
    home.mkdir()
    return Client(request.param, python_of(request.param), home, server.url, user.token)


@pytest.fixture(params=XET_NAMES)
def xet_client(request: pytest.FixtureRequest, front: Counting, xet_user: User, tmp_path: Path) -> Client:
    """A client of each version that the tests of Xet run with, signed in as `xet_user`, at an address that counts."""
    return _by_xet(request.param, front, xet_user, tmp_path)


@pytest.fixture
def newest(front: Counting, xet_user: User, tmp_path: Path) -> Client:
    """The same, of the current version alone."""
    return _by_xet("current", front, xet_user, tmp_path)


def _by_xet(name: str, front: Counting, user: User, tmp_path: Path) -> Client:
    client = Client(name, python_of(name), tmp_path, front.url, user.token)
    return client.at(front.url, tmp_path / "client")


@pytest.fixture(scope="session")
def xet_user(server: Hub) -> User:
    """One account on `server` for the tests of Xet, whose contents are new each time."""
    return server.user("xet-user")


@pytest.fixture
def front(server: Hub) -> Iterator[Counting]:
    """An address in front of `server` that counts what passes."""
    with counting(server.port) as counted:
        yield counted


@pytest.fixture
def heavy(server: Hub, user: User, tmp_path: Path) -> Client:
    """The environment with transformers, torch and datasets, signed in to `server` as `user` (mark the test heavy)."""
    home = tmp_path / "heavy"
    home.mkdir()
    return Client("heavy", python_of("heavy"), home, server.url, user.token)


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """git with a home of its own."""
    return Git(tmp_path / "git-home")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows the end of the servers' logs under a test that failed."""
    report = yield
    if report.failed:
        hubs = {
            id(value): value for value in getattr(item, "funcargs", {}).values() if isinstance(value, Hub)
        }
        for hub in (hub for hub in hubs.values() if hub.log.exists()):
            report.sections.append((f"log of {hub.url}", hub.log.read_text(errors="replace")[-8000:]))
    return report
