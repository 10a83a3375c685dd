"""What the repositories of a namespace take up."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.cas import usage as usage_of
from hutch.cas.usage import Measured
from hutch.core.errors import Unauthorized
from hutch.core.permissions import Actor, require
from hutch.repos import accounting
from hutch.repos.models import Repo
from hutch.repos.names import require_namespace
from hutch.repos.storage_overview import stored_bytes
from hutch.repos.visibility import visible_to
from hutch.settings import current


@dataclass(frozen=True, slots=True)
class Usage:
    """Repositories by their keys, and the bytes that a share is counted against."""

    rows: list[Repo]
    whole_bytes: int
    measured: dict[int, Measured]

    def stored_bytes(self, row: Repo) -> int:
        """What is stored for a repository after dedupe."""
        return stored_bytes(row, self.measured.get(row.pk))

    def percent(self, row: Repo) -> float:
        """The share of a repository."""
        return round(100 * (row.git_bytes + row.lfs_bytes) / self.whole_bytes, 2) if self.whole_bytes else 0.0


def usage(actor: Actor, namespace: str | None, *, after: int, limit: int) -> Usage:
    """The repositories of a namespace (None: the actor's own) from the key `after` on, with their sizes.

    For those who may create repositories there. A share is that of the quota, or of all that is stored where there is
    none. Raises Unauthorized, Forbidden, NotFound.
    """
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
    thing = require_namespace(namespace if namespace is not None else actor.username)
    require(actor, "repo.create", thing, see="namespace.view")
    found = list(
        visible_to(actor).filter(namespace_id=thing.namespace_id, pk__gt=after).order_by("pk")[:limit]
    )
    whole = current().namespace_quota_bytes or accounting.used_bytes(thing.namespace_id)
    return Usage(found, whole, usage_of.of_many(row.pk for row in found))
