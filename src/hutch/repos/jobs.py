"""Keeping repositories quick (loose objects and small packs are merged after some pushes) and whole after a crash."""

from __future__ import annotations

from hutch.core.jobs import JobRun, enqueue, job
from hutch.git import maintenance, repository
from hutch.repos.lookup import repo_by_id
from hutch.repos.models import Repo
from hutch.repos.settings import point_head as point_head_now

# Each commit leaves some loose objects or one pack; look-ups slow down with their number.
PUSHES_BETWEEN = 50


def plan_maintenance(row: Repo) -> None:
    """Asks for a repack, in the caller's transaction, when a repository has had enough pushes since the last."""
    if row.pushes_since_repack >= PUSHES_BETWEEN:
        enqueue("repos.maintain", key=str(row.pk), repo_id=row.pk)


@job("repos.maintain", lease_s=600)
def maintain(run: JobRun, *, repo_id: int) -> None:
    """Merges loose objects and small packs of one repository, packs its refs, and measures it anew."""
    if not Repo.objects.filter(pk=repo_id).exists():
        return
    repo = repo_by_id(repo_id)
    maintenance.repack(repo.path)
    maintenance.remove_abandoned(repo.path)
    run.checkpoint()
    Repo.objects.filter(pk=repo_id).update(pushes_since_repack=0, git_bytes=repository.size_bytes(repo.path))


@job("repos.point_head", quick=True, keep=False)
def point_head(run: JobRun, *, repo_id: int) -> None:
    """Lets git's HEAD name the default branch, should the process have died between row and HEAD."""
    point_head_now(repo_id)
