"""On SQLite one process alone runs jobs: its lock is not fair, so a second one would starve the server's writes."""

from __future__ import annotations

import fcntl
from typing import IO

from django.db import connection

from hutch.settings import current


class WorkerLock:
    """A lock on a file in the data folder, gone with the process that holds it. On PostgreSQL it is always had."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Whether this process may run jobs now."""
        if connection.vendor != "sqlite" or self._file is not None:
            return True
        file = (current().data / "worker.lock").open("wb")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Lets another process run them."""
        if self._file is not None:
            self._file.close()
            self._file = None
