"""The one door from the asynchronous wires to the synchronous rooms."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import connection

P = ParamSpec("P")
R = TypeVar("R")

# More threads cost CPU for nothing under the interpreter lock (1: 1.97 ms a request, 4: 2.26, 16: 3.1).
_ROOM_THREADS = 4
_DISK_THREADS = 16

_rooms = ThreadPoolExecutor(_ROOM_THREADS, thread_name_prefix="room")
_disk = ThreadPoolExecutor(_DISK_THREADS, thread_name_prefix="disk")


async def run(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a verb in a room's thread (each keeps its own database connection) and waits for it."""
    return await _submit(_rooms, lambda: _mended(lambda: function(*args, **kwargs)))


async def run_disk(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls something that reads or writes the disk for long and never the database."""
    return await _submit(_disk, lambda: function(*args, **kwargs))


def _mended(function: Callable[[], R]) -> R:
    """Django looks after lost connections between its requests, which wires do not pass."""
    if connection.errors_occurred:
        connection.close_if_unusable_or_obsolete()
    return function()


async def _submit(pool: ThreadPoolExecutor, function: Callable[[], R]) -> R:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(pool, context.run, function)
