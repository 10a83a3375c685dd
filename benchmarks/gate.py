"""Lets the torture's writers at the hub, and brings them to rest while it is down or examined."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """Closed at first. `deaths` counts the ends of the hub, `may_die` says that one is due: such failures are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_open = False
        self._is_over = False
        self._at_work = 0
        self._sending = 0
        self.deaths = 0
        self.may_die = False

    def enter(self) -> bool:
        """Waits until writing is allowed; False when the run is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_open or self._is_over)
            self._at_work += not self._is_over
            return not self._is_over

    def leave(self) -> None:
        """The writer rests."""
        with self._changed:
            self._at_work -= 1
            self._changed.notify_all()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """While bytes of an upload are under way: the best moment to kill."""
        with self._changed:
            self._sending += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._sending -= 1

    def open(self) -> None:
        """Lets the writers write."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()

    def close(self) -> int:
        """Lets nobody begin any more; returns how many are at work."""
        with self._changed:
            self._is_open = False
            return self._at_work

    def end(self) -> None:
        """Sends everybody home."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def wait_for_bytes(self, timeout_s: float) -> None:
        """Waits until bytes are in flight."""
        with self._changed:
            self._changed.wait_for(lambda: self._sending > 0, timeout_s)

    def wait_for_rest(self, timeout_s: float) -> bool:
        """Waits until nobody is at work; False if somebody still is."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            return self._changed.wait_for(lambda: self._at_work == 0, deadline - time.monotonic())
