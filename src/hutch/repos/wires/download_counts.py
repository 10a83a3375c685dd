"""Counts downloads: in memory first, then by one small write every few seconds for all of them."""

from __future__ import annotations

import threading
import time
from collections import Counter

from django.db import connection, transaction

# All files that one reader takes from a repository within this time are one download of it.
WINDOW_S = 300.0
_MOST_READERS = 100_000

_lock = threading.Lock()
_pending: Counter[int] = Counter()
_seen: dict[tuple[int, int | None, str], float] = {}


def count(repo_id: int, user_id: int | None, client_ip: str) -> None:
    """Notes that a reader, known by key or by address, downloads from a repository."""
    key = (repo_id, user_id, "" if user_id else client_ip)
    now = time.monotonic()
    with _lock:
        last = _seen.get(key)
        if last is not None and now - last < WINDOW_S:
            return
        if len(_seen) >= _MOST_READERS:
            _forget_old(now)
        _seen[key] = now
        _pending[repo_id] += 1


def _forget_old(now: float) -> None:
    for key in [key for key, seen in _seen.items() if now - seen >= WINDOW_S]:
        del _seen[key]
    if len(_seen) >= _MOST_READERS:
        _seen.clear()


def flush() -> int:
    """Writes what was counted into the repositories' rows; how many downloads that were."""
    with _lock:
        counted = dict(_pending)
        _pending.clear()
    if not counted:
        return 0
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE repos_repo SET downloads = downloads + %s WHERE id = %s",
                [(number, repo_id) for repo_id, number in counted.items()],
            )
    except Exception:
        with _lock:
            _pending.update(counted)
        raise
    return sum(counted.values())


def forget() -> None:
    """Drops what was not written; for tests."""
    with _lock:
        _pending.clear()
        _seen.clear()
