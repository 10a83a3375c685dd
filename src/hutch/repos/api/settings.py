"""JSON routes of one repository's settings, copies, large objects, and of what is stored where."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.core import clock, paging
from hutch.core.permissions import require
from hutch.repos import duplicating, names, settings, storage_list
from hutch.repos.api.query import page
from hutch.repos.api.write import (
    SpaceOptions,
    Strict,
    actor_of,
    created,
    cursor_key,
    refuse_space_options,
    with_url,
)
from hutch.repos.changes import large_files
from hutch.repos.errors import RepoExists
from hutch.repos.lookup import find_repo
from hutch.repos.texts import checked_oids
from hutch.repos.visibility_rules import wanted_gate, wanted_visibility

router = Router()
_MOST_LISTED = 1000


class SettingsBody(Strict):
    """What shall be another. `private` is the older form of `visibility`."""

    private: bool | None = None
    visibility: str | None = None
    gated: str | bool | None = None
    defaultBranch: str | None = None
    protectedBranches: list[str] | None = None
    disabled: bool | None = None


class Duplicate(SpaceOptions):
    """The copy's name."""

    repository: str
    private: bool | None = None
    visibility: str | None = None


class Target(Strict):
    """The repository that large objects are copied to."""

    type: str | None = None
    name: str


class CopiedFile(Strict):
    """One large object to copy."""

    sha256: str
    xetHash: str | None = None
    filename: str | None = None


class DuplicateFiles(Strict):
    """Large objects to copy."""

    target: Target
    files: list[CopiedFile]


class Deletions(Strict):
    """Large objects to delete for good."""

    sha: list[str]
    rewriteHistory: bool = True


class DeleteFiles(Strict):
    """The body of a permanent deletion."""

    deletions: Deletions


@router.put("/api/{kinds:type_}/{repoid:repo_id}/settings", summary="Change a repository's settings")
def update_settings(request: HttpRequest, type_: str, repo_id: str, body: SettingsBody) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id, "repo.view")
    changes = settings.Changes(
        visibility=wanted_visibility(body.visibility, body.private, type_),
        gated=None if body.gated is None else wanted_gate(body.gated),
        default_branch=body.defaultBranch,
        protected_branches=body.protectedBranches,
        disabled=body.disabled,
    )
    now = settings.update_settings(actor, repo, changes)
    return {
        "visibility": now.visibility,
        "private": now.visibility == "private",
        "gated": now.gated or False,
        "defaultBranch": now.default_branch,
    }


@router.get("/api/{kinds:type_}/{repoid:repo_id}/auth-check", summary="Whether the caller may read")
def auth_check(request: HttpRequest, type_: str, repo_id: str) -> Any:
    find_repo(actor_of(request), type_, repo_id)
    return {}


@router.get("/api/{kinds:type_}/{repoid:repo_id}/auth-check/write", summary="Whether the caller may write")
def auth_check_write(request: HttpRequest, type_: str, repo_id: str) -> Any:
    actor = actor_of(request)
    require(actor, "repo.write", find_repo(actor, type_, repo_id))
    return {}


@router.post("/api/{kinds:type_}/{repoid:repo_id}/duplicate", summary="Copy a repository")
def duplicate_repo(request: HttpRequest, type_: str, repo_id: str, body: Duplicate) -> Any:
    actor = actor_of(request)
    source = find_repo(actor, type_, repo_id)
    refuse_space_options(body)
    visibility = wanted_visibility(body.visibility, body.private, type_)
    try:
        made = duplicating.duplicate_repo(actor, source, body.repository, visibility=visibility)
    except RepoExists as error:
        raise with_url(request, error) from error
    return {**created(request, made), "filesCopyPending": False}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/lfs-files/duplicate",
    summary="Copy large objects to another repository",
)
def duplicate_files(request: HttpRequest, type_: str, repo_id: str, body: DuplicateFiles) -> Any:
    actor = actor_of(request)
    source = find_repo(actor, type_, repo_id)
    target = find_repo(actor, names.check_type(body.target.type, with_git=True), body.target.name)
    oids = checked_oids("sha256", [file.sha256 for file in body.files], duplicating.MAX_FILES)
    failed = duplicating.duplicate_files(actor, source, target, oids)
    return {
        "succeeded": [{"sha256": oid} for oid in oids if oid not in {each.sha256 for each in failed}],
        "failed": [{"sha256": each.sha256, "error": each.error} for each in failed],
    }


@router.get("/api/{kinds:type_}/{repoid:repo_id}/lfs-files", summary="List large objects")
def list_lfs_files(request: HttpRequest, type_: str, repo_id: str) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    limit = paging.limit_of(request.GET.get("limit"), 100, _MOST_LISTED)
    found = large_files.list_large_files(actor, repo, before=cursor_key(request), limit=limit + 1)
    shown, rest = found[:limit], found[limit:]
    rows = [
        {
            "fileOid": file.oid,
            "oid": file.oid,
            "filename": file.filename or file.oid,
            "size": file.size,
            "pushedAt": clock.iso(file.pushed_at),
            "ref": file.ref,
        }
        for file in shown
    ]
    return page(request, rows, paging.encode_cursor([shown[-1].link_id]) if rest else None)


@router.post("/api/{kinds:type_}/{repoid:repo_id}/lfs-files/batch", summary="Delete large objects for good")
def delete_lfs_files(request: HttpRequest, type_: str, repo_id: str, body: DeleteFiles) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    wanted = body.deletions
    gone = large_files.delete_large_files(actor, repo, wanted.sha, rewrite_history=wanted.rewriteHistory)
    return {"deleted": gone}


@router.get("/api/settings/repositories", summary="What the caller's repositories take up")
def own_storage(request: HttpRequest) -> Any:
    return _storage(request, None)


@router.get(
    "/api/organizations/{seg:namespace}/settings/repositories",
    summary="What an organization's repositories take up",
)
def organization_storage(request: HttpRequest, namespace: str) -> Any:
    return _storage(request, namespace)


def _storage(request: HttpRequest, namespace: str | None) -> Any:
    limit = paging.limit_of(request.GET.get("limit"), 100, _MOST_LISTED)
    found = storage_list.usage(actor_of(request), namespace, after=cursor_key(request) or 0, limit=limit + 1)
    shown, rest = found.rows[:limit], found.rows[limit:]
    rows = [
        {
            "id": row.full_name,
            "type": row.type,
            "updatedAt": clock.iso(row.updated_at),
            "visibility": row.visibility,
            "storage": row.git_bytes + row.lfs_bytes,
            "dedupedStorage": found.stored_bytes(row),
            "storagePercent": found.percent(row),
        }
        for row in shown
    ]
    return page(request, rows, paging.encode_cursor([shown[-1].pk]) if rest else None)
