"""Digests of uploads whose parts come in order: hashed as they come, they need not be read again at the end."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash

_KEPT = 1000


def _sha256() -> _Hash:
    return hashlib.sha256()


@dataclass(slots=True)
class Running:
    """The digest of an upload's first `end` bytes, and the tags of the parts that brought them."""

    end: int = 0
    digest: _Hash = field(default_factory=_sha256)
    tags: list[str] = field(default_factory=list)

    def copy(self) -> Running:
        """One that goes on without the other."""
        return Running(self.end, self.digest.copy(), list(self.tags))


class RunningDigests:
    """Those of this process, the most recent thousand. Losing one costs a reading of the file, nothing else."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_upload: OrderedDict[str, Running] = OrderedDict()

    def follow(self, upload_id: str, start: int) -> Running | None:
        """The digest of all that lies before `start`, to go on with; None if it is not known."""
        if start == 0:
            return Running()
        with self._lock:
            found = self._by_upload.get(upload_id)
            return found.copy() if found is not None and found.end == start else None

    def went_on(self, upload_id: str, running: Running, end: int, tag: str) -> None:
        """Keeps a digest that a part has brought forward to `end`."""
        running.end = end
        running.tags.append(tag)
        with self._lock:
            self._by_upload[upload_id] = running
            self._by_upload.move_to_end(upload_id)
            while len(self._by_upload) > _KEPT:
                self._by_upload.popitem(last=False)

    def take(self, upload_id: str, tags: Sequence[str]) -> Running | None:
        """The digest, if the parts (all, in order, by tag) are still those that it was made of."""
        with self._lock:
            found = self._by_upload.get(upload_id)
            if found is None or found.tags != list(tags[: len(found.tags)]):
                return None
            return found.copy()

    def forget(self, upload_id: str) -> None:
        """Drops the digest of an upload that is over."""
        with self._lock:
            self._by_upload.pop(upload_id, None)
