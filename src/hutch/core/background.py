"""The workers of a server process."""

from __future__ import annotations

from django.db import connections

from hutch.core.worker import Workers
from hutch.settings import current

_running: list[Workers] = []


def start() -> None:
    """Starts as many worker threads as the setting `job_workers` says."""
    if current().job_workers > 0:
        _running.append(Workers(current().job_workers))
        _running[-1].start()


def stop() -> None:
    """Stops them; takes at most a few seconds. To be called in a thread of its own: its connection is closed."""
    try:
        while _running:
            _running.pop().stop()
    finally:
        connections.close_all()
