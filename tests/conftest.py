"""What every test stands on: a data folder and a database of the run's own, and no network beyond this machine.

`HUTCH_TEST_DATABASE=postgres` runs everything on a real PostgreSQL server; without it, on SQLite.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Generator, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.ground import DATABASE, FOLDER, POSTGRES
from tests.postgres import Postgres

# A loaded machine is no failure: nothing in the tests is timed.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def postgres() -> Postgres | None:
    """The run's PostgreSQL server, or None when the run is on SQLite."""
    return POSTGRES


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Puts SQLite's test database in a file: in memory it would not know WAL, nor more than one thread."""
    if DATABASE == "sqlite":
        from django.db import connections

        connections["default"].settings_dict["TEST"]["NAME"] = FOLDER / "hutch-test.sqlite3"


@pytest.fixture
def data_folder() -> Iterator[Path]:
    """The data folder (`settings.current().data`), emptied afterwards of all but the database and the secret."""
    yield FOLDER
    for entry in FOLDER.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif not entry.name.startswith(("hutch-test.sqlite3", "secret")):
            entry.unlink()


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """`configure(public_url="https://hub")` changes settings for one test, as their environment variables would."""
    from hutch.settings import current

    def change(**values: Any) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"HUTCH_{name.upper()}", str(value))
        current.cache_clear()

    yield change
    monkeypatch.undo()
    current.cache_clear()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for a file of tests; each test opens a context of its own (`browser.new_context(...)`).

    Not for the run: Playwright keeps an event loop in the tests' thread, and others call `asyncio.run`.
    """
    with chromium() as launched:
        yield launched


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of the test process stay on this machine; servers and clients get loopback addresses."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise AssertionError(f"a test tried to reach {address[0]}: tests stay on this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was logged reaches the process that prints it, even where a test logs what is no Unicode."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report
