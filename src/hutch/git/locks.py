"""One writer of refs at a time for each repository, across threads and processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hutch.git.errors import RepositoryBusy

LOCK_NAME = "hutch.lock"
DEFAULT_WAIT_S = 20.0
_FIRST_PAUSE_S = 0.002
_LONGEST_PAUSE_S = 0.05


@contextmanager
def held(path: Path, wait_s: float = DEFAULT_WAIT_S) -> Iterator[None]:
    """Hold the repository's write lock; raises RepositoryBusy after `wait_s`.

    The kernel drops it when the holder dies, so a killed server leaves nothing behind. Not re-entrant.
    """
    handle = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _take(handle, wait_s)
        yield
    finally:
        os.close(handle)


def _take(handle: int, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                busy = f"This repository is busy: tried for {wait_s:g} s"
                raise RepositoryBusy(busy, limit=wait_s) from None
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
        else:
            return
