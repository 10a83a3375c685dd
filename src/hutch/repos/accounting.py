"""What a namespace stores, how much it may, and what is stored that no row tells of."""

from __future__ import annotations

from django.db.models import Sum

from hutch.repos.errors import QuotaExceeded
from hutch.repos.models import Repo
from hutch.settings import current


def used_bytes(namespace_id: int | None) -> int:
    """Bytes of git data and large objects of all repositories of a namespace (None: of one-segment names)."""
    found = Repo.objects.filter(namespace_id=namespace_id).aggregate(
        git=Sum("git_bytes"), lfs=Sum("lfs_bytes")
    )
    return (found["git"] or 0) + (found["lfs"] or 0)


def check_quota(namespace_id: int | None, incoming_bytes: int = 0) -> None:
    """Raises QuotaExceeded if the namespace holds more than it may, counting what is about to come."""
    limit = current().namespace_quota_bytes
    if not limit:
        return
    # PostgreSQL: two pushes to one namespace count one after the other
    rows = (
        Repo.objects.select_for_update()
        .filter(namespace_id=namespace_id)
        .values_list("git_bytes", "lfs_bytes")
    )
    used = sum(git + lfs for git, lfs in rows) + incoming_bytes
    if used > limit:
        raise QuotaExceeded(
            f"This namespace may store {limit} bytes; with this it would be {used}",
            field="size",
            value=used,
            limit=limit,
        )


def folders_without_row() -> set[str]:
    """The storage ids of the folders of which no row tells."""
    there = {path.name.removesuffix(".git") for path in (current().data / "git").glob("??/*.git")}
    return there - set(Repo.objects.values_list("storage_id", flat=True))
