"""A full disk by its own name, whatever met it where no room had named it: a client is told 507, not 500."""

from __future__ import annotations

import errno

from hutch.core.errors import InsufficientStorage

_FULL = (errno.ENOSPC, errno.EDQUOT)
# As the C library, git, SQLite and PostgreSQL say it.
_WORDS = ("No space left on device", "Disk quota exceeded", "database or disk is full")


def named(error: BaseException) -> InsufficientStorage | None:
    """What a caller is told of this failure, if it or what caused it was a full disk; else None."""
    seen: BaseException | None = error
    while seen is not None:
        number = seen.errno if isinstance(seen, OSError) else None
        if number in _FULL or any(words in str(seen) for words in _WORDS):
            return InsufficientStorage("No space is left on the server's disk for this")
        seen = seen.__cause__
    return None
