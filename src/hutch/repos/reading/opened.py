"""Git repositories kept open, a few in each thread: opening one costs more than reading an entry of it."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from pathlib import Path

import pygit2

from hutch.git import repository

_KEPT = 24
# A deleted repository's packs hold their disk space for as long as they are mapped.
_KEEP_S = 60.0
_local = threading.local()


def opened(path: Path) -> pygit2.Repository:
    """The repository at `path`, for use by this thread alone and not across calls. Raises NotFound.

    A kept one sees what others write: refs are read from disk each time, and an unknown object makes libgit2 look
    for new packs.
    """
    kept: OrderedDict[Path, tuple[float, pygit2.Repository]] | None = getattr(_local, "kept", None)
    if kept is None:
        kept = _local.kept = OrderedDict()
    now = time.monotonic()
    found = kept.get(path)
    if found is not None and now - found[0] < _KEEP_S:
        kept.move_to_end(path)
        return found[1]
    repo = repository.open(path)
    kept[path] = (now, repo)
    kept.move_to_end(path)
    if len(kept) > _KEPT:
        kept.popitem(last=False)
    return repo
