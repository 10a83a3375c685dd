"""Sets Django up once, and runs what a server process needs beside answering requests."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable

import django
from django.apps import apps

from hutch.settings import current

# Rooms append here (in their apps.py) what a server does when it starts and stops.
on_start: list[Callable[[], Awaitable[None]]] = []
on_stop: list[Callable[[], Awaitable[None]]] = []


def setup() -> None:
    """Makes the data folder and sets Django up; safe to call twice."""
    current().data.mkdir(mode=0o750, parents=True, exist_ok=True)  # private repositories lie there in clear
    logging.basicConfig(
        level=current().log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hutch.djangoconf")
    if (
        not apps.loading
    ):  # a room's `ready` may import this module while Django is being set up by another hand
        django.setup()


async def started() -> None:
    """Ties this worker to its parent's life and runs the rooms' start hooks, in order."""
    from hutch.server import die_with_parent

    die_with_parent()
    for hook in on_start:
        await hook()


async def stopped() -> None:
    """Runs the rooms' stop hooks, in reverse order."""
    for hook in reversed(on_stop):
        await hook()


setup()
