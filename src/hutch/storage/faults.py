"""Named moments at which a torture run may stop the process or make the disk fail.

Nothing happens at a point unless code armed it; a server does so for the setting `fault`. Points of this room:

    storage.before_write    a batch of an upload is about to be written (in a writer's thread)
    storage.before_sync     all bytes are written, none is promised
    storage.before_rename   the bytes are on the disk under their staged name
    storage.after_rename    the blob has its name; the folder is not synced, no row knows it
    storage.after_put       the blob is durable; no row knows it
    storage.before_delete   a blob is about to go

Other rooms add theirs with `declare`, at import.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable

_declared: set[str] = {
    "storage.before_write",
    "storage.before_sync",
    "storage.before_rename",
    "storage.after_rename",
    "storage.after_put",
    "storage.before_delete",
}
_armed: dict[str, Callable[[], None]] = {}


def declare(*names: str) -> None:
    """Make points of another room known, so that arming a misspelt one fails."""
    _declared.update(names)


def arm(name: str, action: Callable[[], None]) -> None:
    """Call `action` whenever the point is passed; raises ValueError for a point that does not exist."""
    if name not in _declared:
        raise ValueError(f"no fault point {name!r}; there are {sorted(_declared)}")
    _armed[name] = action


def arm_to_kill(what: str) -> None:
    """`name` or `name:n`: the whole process tree dies by SIGKILL when the point is passed for the nth time.

    The parent goes too, lest it start another worker. Raises ValueError for a point that does not exist.
    """
    name, _, nth = what.partition(":")
    passes = itertools.count(1)
    deadly = int(nth or 1)

    def die() -> None:
        if next(passes) == deadly:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    arm(name, die)


def disarm(name: str | None = None) -> None:
    """Forget the action of one point, or of all."""
    if name is None:
        _armed.clear()
    else:
        _armed.pop(name, None)


def point(name: str) -> None:
    """Pass a point: does nothing unless it is armed."""
    action = _armed.get(name)
    if action is not None:
        action()
