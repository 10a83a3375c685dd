"""JSON routes of branches, tags and squashing."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.repos.api.write import Strict, actor_of
from hutch.repos.changes import branches
from hutch.repos.lookup import find_repo

router = Router()


class NewBranch(Strict):
    """Where a branch begins: at a revision, or empty."""

    startingPoint: str | None = None
    emptyBranch: bool = False
    overwrite: bool = False


class NewTag(Strict):
    """A tag's name; with a message it is an annotated one."""

    tag: str
    message: str | None = None


class Squash(Strict):
    """The message of the one commit that is left."""

    message: str | None = None


@router.post("/api/{kinds:type_}/{repoid:repo_id}/branch/{tail:branch}", summary="Create a branch")
def create_branch(
    request: HttpRequest, type_: str, repo_id: str, branch: str, body: NewBranch | None = None
) -> Any:
    actor, wanted = actor_of(request), body or NewBranch()
    repo = find_repo(actor, type_, repo_id)
    made = branches.create_branch(
        actor, repo, branch, start=wanted.startingPoint, empty=wanted.emptyBranch, overwrite=wanted.overwrite
    )
    return {"name": branch, "targetCommit": made}


@router.delete("/api/{kinds:type_}/{repoid:repo_id}/branch/{tail:branch}", summary="Delete a branch")
def delete_branch(request: HttpRequest, type_: str, repo_id: str, branch: str) -> Any:
    actor = actor_of(request)
    branches.delete_branch(actor, find_repo(actor, type_, repo_id), branch)
    return {}


@router.post("/api/{kinds:type_}/{repoid:repo_id}/tag/{tail:revision}", summary="Tag a revision")
def create_tag(request: HttpRequest, type_: str, repo_id: str, revision: str, body: NewTag) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    made = branches.create_tag(actor, repo, body.tag, revision=revision, message=body.message or "")
    return {"name": body.tag, "targetCommit": made}


# The name of the tag is called `revision` here too: only methods of one and the same pattern share an address.
@router.delete("/api/{kinds:type_}/{repoid:repo_id}/tag/{tail:revision}", summary="Delete a tag")
def delete_tag(request: HttpRequest, type_: str, repo_id: str, revision: str) -> Any:
    actor = actor_of(request)
    branches.delete_tag(actor, find_repo(actor, type_, repo_id), revision)
    return {}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/super-squash/{tail:branch}", summary="Make a history one commit"
)
def super_squash(
    request: HttpRequest, type_: str, repo_id: str, branch: str, body: Squash | None = None
) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    return {"commitOid": branches.super_squash(actor, repo, branch, body.message if body else None)}
