"""Sets Django up once, and runs what a server process needs beside answering requests."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable

import django
from django.apps import apps

from hutch.settings import current

# Rooms append here (in their apps.py) what a server does when it starts and stops.
on_start: list[Callable[[], Awaitable[None]]] = []
on_stop: list[Callable[[], Awaitable[None]]] = []
# Called in the event loop as soon as the server is told to stop. It waits for its streams before `on_stop`: those that
# have no end of their own must be sent away here.
on_stopping: list[Callable[[], None]] = []


def setup() -> None:
    """Makes the data folder and sets Django up; safe to call twice."""
    current().data.mkdir(mode=0o750, parents=True, exist_ok=True)  # private repositories lie there in clear
    logging.basicConfig(
        level=current().log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("django.request").setLevel(logging.ERROR)  # a refusal is news for the client alone
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hutch.djangoconf")
    if (
        not apps.loading
    ):  # a room's `ready` may import this module while Django is being set up by another hand
        django.setup()


async def started() -> None:
    """Ties this worker to its parent's life and runs the rooms' start hooks, in order."""
    from hutch.server import die_with_parent

    die_with_parent()
    _hear_the_end()
    for hook in on_start:
        await hook()


def _hear_the_end() -> None:
    """Has `on_stopping` called by the signals that end the server, beside what the server itself does then."""
    loop = asyncio.get_running_loop()

    def stopping(*_: object) -> None:
        for hook in on_stopping:
            loop.call_soon_threadsafe(hook)

    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler, None):
            continue  # nobody listens: the process ends, or does not
        # asyncio hears of signals by a descriptor that is written before this; its handler in Python does nothing
        signal.signal(number, stopping)
        signal.siginterrupt(number, False)


async def stopped() -> None:
    """Runs the rooms' stop hooks, in reverse order."""
    for hook in reversed(on_stop):
        await hook()


setup()
