"""What a namespace stores, how much it may, and what is stored that no row tells of."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Sum

from hutch.core.errors import RepoNotFound
from hutch.repos.errors import QuotaExceeded
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from hutch.settings import current


def used_bytes(namespace_id: int | None) -> int:
    """Bytes of git data and large objects of all repositories of a namespace (None: of one-segment names)."""
    found = Repo.objects.filter(namespace_id=namespace_id).aggregate(
        git=Sum("git_bytes"), lfs=Sum("lfs_bytes")
    )
    return (found["git"] or 0) + (found["lfs"] or 0)


def room_bytes(namespace_id: int | None) -> int | None:
    """Bytes that a namespace may still store, below 0 where it holds too much; None: no limit is set."""
    limit = current().namespace_quota_bytes
    return limit - used_bytes(namespace_id) if limit else None


def hold(repo: RepoRow) -> None:
    """Keeps others from storing in this bucket until the caller's transaction ends. Raises RepoNotFound if it is gone.

    Where there is a quota, all repositories of the namespace are held, in one order everywhere.
    """
    limited = {"namespace_id": repo.namespace_id} if current().namespace_quota_bytes else {"pk": repo.id}
    held = Repo.objects.select_for_update().filter(**limited).order_by("pk").values_list("pk", flat=True)
    if repo.id not in set(held):
        raise RepoNotFound()


def note_stored(repo: RepoRow, stored_bytes: int, moment: datetime) -> None:
    """Writes to a bucket's row what it stores since `moment`, in the caller's transaction, which holds it.

    Raises QuotaExceeded if it is more than before and more than the namespace may.
    """
    before = Repo.objects.values_list("lfs_bytes", flat=True).get(pk=repo.id)
    Repo.objects.filter(pk=repo.id).update(lfs_bytes=stored_bytes, updated_at=moment)
    if stored_bytes > before:
        check_quota(repo.namespace_id)


def check_quota(namespace_id: int | None, incoming_bytes: int = 0) -> None:
    """Raises QuotaExceeded if the namespace holds more than it may, counting what is about to come."""
    limit = current().namespace_quota_bytes
    if not limit:
        return
    # PostgreSQL: two pushes to one namespace count one after the other
    rows = (
        Repo.objects.select_for_update()
        .filter(namespace_id=namespace_id)
        .order_by("pk")
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
