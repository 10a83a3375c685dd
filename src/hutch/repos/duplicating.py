"""Copies of repositories, and of large objects from one to another, without sending bytes."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction

from hutch.cas import service as cas
from hutch.cas.errors import MissingObjects
from hutch.core.errors import Conflict, HutchError
from hutch.core.permissions import Actor, require
from hutch.git import process, repository
from hutch.git import refs as git_refs
from hutch.git.pointers import Pointer
from hutch.git.refs import CONVERTS, HEADS, TAGS
from hutch.repos import accounting, gating, names, service
from hutch.repos.lookup import RepoRow, git_path
from hutch.repos.models import Repo
from hutch.repos.visibility import readable_by

_COPY_TIMEOUT_S = 600.0
MAX_FILES = 1000


@dataclass(frozen=True, slots=True)
class Failure:
    """A large object that could not be made readable in the other repository."""

    sha256: str
    error: str


def duplicate_repo(actor: Actor, source: RepoRow, to_name: str, *, visibility: str | None = None) -> RepoRow:
    """Makes a repository with the branches, tags, history and large objects of another; no pull requests.

    Without `visibility` it is as visible as its source. Raises what `create_repo` raises, GatedRepo.
    """
    require(actor, "repo.read", source)
    gating.require_access(actor, source)
    namespace, name = names.split(to_name, field="repository")
    pointers = [Pointer(stored.oid, stored.size) for stored in cas.all_objects_of(source.id)]
    wanted = service.NewRepo(
        type=source.type, name=name, namespace=namespace or "", sdk=_sdk(source),
        visibility=visibility or source.visibility, gated=source.gated,
    )  # fmt: skip

    def link(row: Repo) -> None:
        cas.link(actor, row.pk, pointers, readable_by(actor))
        row.lfs_bytes = cas.stored_bytes(row.pk)
        row.save(update_fields=["lfs_bytes"])

    return service.create_filled(
        actor,
        wanted,
        lambda storage_id: _copy_git(source, storage_id),
        default_branch=source.default_branch,
        then=link,
    )


def _copy_git(source: RepoRow, storage_id: str) -> str:
    target = git_path(storage_id)
    repository.create(target, source.default_branch)
    kinds = [f"+{kind}*:{kind}*" for kind in (HEADS, TAGS, CONVERTS)]
    arguments = [
        *process.DURABLE,
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        str(source.path),
        *kinds,
    ]
    process.run(target, arguments, timeout_s=_COPY_TIMEOUT_S)
    head = git_refs.read_ref(repository.open(target), HEADS + source.default_branch)
    if head is None:
        raise Conflict(f"The repository has no branch {source.default_branch!r} to copy")
    return head


def duplicate_files(actor: Actor, source: RepoRow, target: RepoRow, oids: list[str]) -> list[Failure]:
    """Makes large objects of one repository readable in another; returns those for which that failed.

    The actor must be able to read the one and to write the other. Raises QuotaExceeded.
    """
    require(actor, "repo.read", source)
    gating.require_access(actor, source)
    require(actor, "repo.write", target)
    there = cas.objects_of(source.id, oids)
    failed = [
        Failure(oid, "There is no such file in the source repository") for oid in oids if oid not in there
    ]
    pointers = [Pointer(stored.oid, stored.size) for stored in there.values()]
    try:
        with transaction.atomic():
            cas.link(actor, target.id, pointers, readable_by(actor))
            Repo.objects.filter(pk=target.id).update(lfs_bytes=cas.stored_bytes(target.id))
            accounting.check_quota(target.namespace_id)
    except MissingObjects as missing:
        return [*failed, *(_failure(oid, missing) for oid in missing.oids)]
    return failed


def _failure(oid: str, error: HutchError) -> Failure:
    return Failure(oid, error.message)


def _sdk(source: RepoRow) -> str:
    return Repo.objects.values_list("sdk", flat=True).get(pk=source.id) if source.type == "space" else ""
