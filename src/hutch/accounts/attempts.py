"""How often something may be tried: a count for each key, kept in the process's memory."""

from __future__ import annotations

from django.core.cache import cache

from hutch.core.errors import RateLimited


def spend(key: str, *, limit: int, within_s: int) -> None:
    """Counts one attempt. Raises RateLimited from the one after `limit` in `within_s` seconds."""
    name = f"attempts:{key}"
    cache.add(name, 0, within_s)
    try:
        used = cache.incr(name)
    except ValueError:  # it ran out between the two
        cache.set(name, 1, within_s)
        return
    if used > limit:
        raise RateLimited(retry_after_s=within_s)
