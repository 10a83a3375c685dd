"""A repository's large objects: listed, and deleted for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import transaction
from pygit2.enums import ObjectType

from hutch.cas import service as cas
from hutch.core.permissions import Actor, require
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.commits import ObjectBatch
from hutch.git.objects import hash_object
from hutch.git.pointers import Pointer, render
from hutch.git.refs import HEADS
from hutch.git.trees import walk
from hutch.repos import gating
from hutch.repos.changes import ref_policy, refs, rewriting
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from hutch.repos.texts import checked_oids

MAX_DELETED = 1000
# The name of a large object is looked for among so many entries of the default branch.
_NAMED_AMONG = 50_000


@dataclass(frozen=True, slots=True)
class LargeFile:
    """One large object. `filename` is a path of the default branch that names it, empty if there is none."""

    link_id: int
    oid: str
    size: int
    pushed_at: datetime
    filename: str
    ref: str | None


def list_large_files(actor: Actor, repo: RepoRow, *, before: int | None, limit: int) -> list[LargeFile]:
    """The repository's large objects, newest first, from the link before `before` on."""
    require(actor, "repo.read", repo)
    gating.require_access(actor, repo)
    links = cas.links_of(repo.id, before=before, limit=limit)
    names = _names(repo, {link.oid for link in links})
    main = HEADS + repo.default_branch
    return [
        LargeFile(
            link.id,
            link.oid,
            link.size,
            link.created_at,
            names.get(link.oid, ""),
            main if link.oid in names else None,
        )
        for link in links
    ]


def delete_large_files(actor: Actor, repo: RepoRow, oids: list[str], *, rewrite_history: bool) -> int:
    """Takes large objects from the repository for good and returns how many went.

    `rewrite_history`: first every commit that names one is made anew without it, on all refs; otherwise their pointers
    stay and lead nowhere. Raises BadRequest, ProtectedBranch, Forbidden.
    """
    require(actor, "repo.admin", repo)
    checked_oids("sha", oids, MAX_DELETED)
    stored = cas.objects_of(repo.id, oids)
    if rewrite_history and stored:
        _rewrite(actor, repo, [Pointer(each.oid, each.size) for each in stored.values()])
    with transaction.atomic():
        gone = cas.unlink(repo.id, oids)
        Repo.objects.filter(pk=repo.id).update(lfs_bytes=cas.stored_bytes(repo.id))
    return gone


def _rewrite(actor: Actor, repo: RepoRow, pointers: list[Pointer]) -> None:
    blobs = {hash_object(ObjectType.BLOB, render(pointer)) for pointer in pointers}
    git = repository.open(repo.path)
    with ObjectBatch(git) as batch:
        moves = rewriting.without_blobs(git, git_refs.list_refs(git), blobs, batch)
        ref_policy.check(actor, repo, moves)
        batch.store()
    refs.advance(actor, repo, moves, how="api")


def _names(repo: RepoRow, oids: set[str]) -> dict[str, str]:
    if not oids or not repo.head_oid:
        return {}
    git = repository.open(repo.path)
    entries = islice(walk(git, repo.head_oid), _NAMED_AMONG)
    return {e.pointer.oid: e.path for e in entries if e.pointer is not None and e.pointer.oid in oids}
