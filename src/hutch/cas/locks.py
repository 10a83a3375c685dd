"""git-lfs locks: who works on which file. They hold for a path on every branch (docs/api/locking.md of git-lfs).

Who may lock in a repository is decided by the caller; these verbs know repositories by their key alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from hutch.cas.errors import LockExists
from hutch.cas.models import FileLock
from hutch.core import clock
from hutch.core.errors import BadRequest, Forbidden, NotFound
from hutch.core.permissions import Actor

_MAX_PATH_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Lock:
    """One lock as others see it."""

    id: int
    path: str
    owner_id: int
    owner_name: str
    locked_at: datetime

    def shape(self) -> dict[str, object]:
        """As git-lfs reads it."""
        locked_at = clock.iso(self.locked_at)
        return {
            "id": str(self.id),
            "path": self.path,
            "locked_at": locked_at,
            "owner": {"name": self.owner_name},
        }


def create(actor: Actor, repo_id: int, path: str, ref: str = "") -> Lock:
    """Locks a path for the actor. Raises LockExists with the lock that is there, BadRequest for no path."""
    digest = hashlib.sha256(_sound_path(path)).hexdigest()
    assert actor.user_id is not None, "the caller asked for a permission that nobody has"
    with transaction.atomic():
        row, is_new = FileLock.objects.select_related("owner").get_or_create(
            repo_id=repo_id,
            path_sha256=digest,
            defaults={"path": path, "ref": ref[:500], "owner_id": actor.user_id},
        )
    if not is_new:
        raise LockExists(_lock(row))
    return _lock(row)


def listed(
    repo_id: int, *, path: str | None = None, lock_id: str | None = None, after: int = 0, limit: int = 100
) -> tuple[Sequence[Lock], int | None]:
    """Locks of a repository by age, and where the next page begins (None: there is none)."""
    rows = FileLock.objects.filter(repo_id=repo_id, pk__gt=after).select_related("owner").order_by("pk")
    if path is not None:
        rows = rows.filter(path_sha256=hashlib.sha256(_sound_path(path)).hexdigest())
    if lock_id is not None:
        rows = rows.filter(pk=_key(lock_id))
    found = [_lock(row) for row in rows[: limit + 1]]
    return found[:limit], found[limit - 1].id if len(found) > limit else None


def remove(actor: Actor, repo_id: int, lock_id: str, *, by_force: bool = False) -> Lock:
    """Takes a lock away: one's own, or with `by_force` (which the caller has permitted) anybody's.

    Raises NotFound, Forbidden for somebody else's lock.
    """
    with transaction.atomic():
        row = FileLock.objects.select_related("owner").filter(repo_id=repo_id, pk=_key(lock_id)).first()
        if row is None:
            raise NotFound("There is no such lock", field="id", value=lock_id)
        if row.owner_id != actor.user_id and not by_force:
            raise Forbidden(f"{row.owner.username} holds this lock; an administrator may take it by force")
        lock = _lock(row)
        row.delete()
    return lock


def _sound_path(path: str) -> bytes:
    raw = path.encode("utf-8", "surrogatepass")
    try:
        raw.decode()
    except UnicodeDecodeError:
        raw = b""
    if not 1 <= len(raw) <= _MAX_PATH_BYTES or b"\0" in raw:
        raise BadRequest(
            f"path must be text of 1 to {_MAX_PATH_BYTES} bytes without NUL",
            field="path",
            value=path,
            limit=_MAX_PATH_BYTES,
        )
    return raw


def _key(lock_id: str) -> int:
    return int(lock_id) if lock_id.isascii() and lock_id.isdigit() and len(lock_id) < 19 else 0


def _lock(row: FileLock) -> Lock:
    return Lock(row.pk, row.path, row.owner_id, row.owner.username, row.locked_at)
