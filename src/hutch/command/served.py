"""Whether a server works on a data folder: it holds a lock there for as long as it lives."""

from __future__ import annotations

import fcntl
from pathlib import Path


def is_served(data: Path) -> bool:
    """Asks for the server's lock and lets it go at once."""
    try:
        with (data / "server.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
