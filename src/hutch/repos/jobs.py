"""Keeping repositories quick: loose objects and small packs are merged after some pushes."""

from __future__ import annotations

from hutch.core.jobs import JobRun, enqueue, job
from hutch.git import process, repository
from hutch.repos.lookup import repo_by_id
from hutch.repos.models import Repo

# Each commit leaves some loose objects or one pack; look-ups slow down with their number.
PUSHES_BETWEEN = 50


def plan_maintenance(row: Repo) -> None:
    """Asks for a repack, in the caller's transaction, when a repository has had enough pushes since the last."""
    if row.pushes_since_repack >= PUSHES_BETWEEN:
        enqueue("repos.maintain", key=str(row.pk), repo_id=row.pk)


@job("repos.maintain", lease_s=3600)
def maintain(run: JobRun, *, repo_id: int) -> None:
    """Merges loose objects and small packs of one repository, packs its refs, and measures it anew."""
    repo = repo_by_id(repo_id)
    # geometric: old packs are left alone, and nothing that is unreachable (a push under way) is thrown away
    process.run(repo.path, ["repack", "-d", "-l", "--geometric=2"], timeout_s=3000)
    run.checkpoint()
    Repo.objects.filter(pk=repo_id).update(pushes_since_repack=0, git_bytes=repository.size_bytes(repo.path))
