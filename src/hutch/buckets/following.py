"""Who follows which bucket in this process, and one look at the database for all of them together."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hutch.buckets import changelog
from hutch.buckets.errors import TooManyFollowers
from hutch.core import threads

log = logging.getLogger(__name__)

# Each holds a connection, of which the server serves 512 at once (server.py).
MOST = 256
MOST_OF_ONE = 32
# Other processes write too, so news is asked for; an answer costs one query however many follow.
_LOOK_EVERY_S = 0.5


@dataclass(eq=False, slots=True)
class Follower:
    """One stream: where it is, and an alarm that rings when there is more, or when the server stops."""

    bucket_id: int
    position: int = 0
    alarm: asyncio.Event = field(default_factory=asyncio.Event)


_followers: set[Follower] = set()
_by_caller: Counter[str] = Counter()
_looking: set[asyncio.Task[None]] = set()
_ending: list[bool] = []


def is_ending() -> bool:
    """Whether the server stops, so that every stream should end."""
    return bool(_ending)


@contextmanager
def following(bucket_id: int, caller: str) -> Iterator[Follower]:
    """A place among the followers, given back at the block's end. Raises TooManyFollowers."""
    if len(_followers) >= MOST or _by_caller[caller] >= MOST_OF_ONE:
        raise TooManyFollowers()
    follower = Follower(bucket_id)
    _followers.add(follower)
    _by_caller[caller] += 1
    if not _looking:
        _looking.add(asyncio.get_running_loop().create_task(_look()))
    try:
        yield follower
    finally:
        _followers.discard(follower)
        _by_caller[caller] -= 1
        if not _by_caller[caller]:
            del _by_caller[caller]


async def _look() -> None:
    """Rings for those behind whose position something happened, as long as anybody follows."""
    try:
        while _followers and not _ending:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                newest = await threads.run(changelog.newest, {each.bucket_id for each in _followers})
            except Exception:  # a busy database: the next look will tell
                log.exception("the changes of buckets could not be looked at")
                continue
            for follower in _followers:
                # a bucket that is gone has no position any more: that rings, too
                if newest.get(follower.bucket_id, 0) != follower.position:
                    follower.alarm.set()
    finally:
        _looking.clear()


def end() -> None:
    """Sends all followers away, since the server stops. Called in the event loop."""
    _ending.append(True)
    for follower in _followers:
        follower.alarm.set()
