"""JSON routes of pull requests, at the addresses of discussions."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.core.errors import BadRequest, NotOffered
from hutch.git.refs import HEADS
from hutch.repos.api import pull_shapes
from hutch.repos.api.pull_shapes import People
from hutch.repos.api.query import switch
from hutch.repos.api.write import Strict, actor_of, base_url
from hutch.repos.changes import pull_lists, pulls
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import PullEvent

router = Router()


class NewDiscussion(Strict):
    """A pull request to open (discussions are not offered yet)."""

    title: str
    description: str = ""
    pullRequest: bool = False


class Comment(Strict):
    """Something said."""

    comment: str


class OptionalComment(Strict):
    """Something said beside a merge."""

    comment: str | None = None


class NewStatus(Strict):
    """Open or closed, with something said."""

    status: str
    comment: str | None = None


class NewTitle(Strict):
    """Another title."""

    title: str


@router.get("/api/{kinds:type_}/{repoid:repo_id}/discussions", summary="List pull requests")
def list_discussions(request: HttpRequest, type_: str, repo_id: str) -> Any:
    repo = find_repo(actor_of(request), type_, repo_id)
    kind, status = _choice(request, "type", "discussion"), _choice(request, "status", "open", "closed")
    number = request.GET.get("p", "0")
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise BadRequest("p must be a whole number", field="p", value=number)
    start = int(number) * pulls.PAGE
    total, rows = (0, []) if kind == "discussion" else pulls.list_pulls(
        repo, is_open={"open": True, "closed": False}.get(status), author=request.GET.get("author"), start=start
    )  # fmt: skip
    who = People((row.author_id for row in rows), base_url(request))
    return {
        "discussions": [pull_shapes.line(repo, row, who) for row in rows],
        "count": total,
        "start": start,
        "numClosedDiscussions": pull_lists.counts(repo).closed,
    }


@router.post("/api/{kinds:type_}/{repoid:repo_id}/discussions", summary="Open a pull request")
def create_discussion(request: HttpRequest, type_: str, repo_id: str, body: NewDiscussion) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    if not body.pullRequest:
        raise NotOffered("Hutch does not offer discussions without a pull request yet", field="pullRequest")
    number = pulls.open_pull(
        actor, repo, base_ref=HEADS + repo.default_branch, head=repo.head_oid, title=body.title,
        description=body.description, draft=True,
    )  # fmt: skip
    return _detail(request, repo, number)


@router.get("/api/{kinds:type_}/{repoid:repo_id}/discussions/{seg:num}", summary="Read a pull request")
def get_discussion(request: HttpRequest, type_: str, repo_id: str, num: str) -> Any:
    repo = find_repo(actor_of(request), type_, repo_id)
    return _detail(request, repo, _number(num))


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/discussions/{seg:num}/comment", summary="Comment on a pull request"
)
def comment(request: HttpRequest, type_: str, repo_id: str, num: str, body: Comment) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    return {"newMessage": _event(request, pulls.comment(actor, repo, _number(num), body.comment))}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/discussions/{seg:num}/status", summary="Close or open a pull request"
)
def change_status(request: HttpRequest, type_: str, repo_id: str, num: str, body: NewStatus) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    told = pulls.set_status(actor, repo, _number(num), body.status, body.comment or "")
    return {"newStatus": _event(request, told)}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/discussions/{seg:num}/title", summary="Rename a pull request"
)
def change_title(request: HttpRequest, type_: str, repo_id: str, num: str, body: NewTitle) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    return {"newTitle": _event(request, pulls.set_title(actor, repo, _number(num), body.title))}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/discussions/{seg:num}/merge", summary="Merge a pull request"
)
def merge(
    request: HttpRequest, type_: str, repo_id: str, num: str, body: OptionalComment | None = None
) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    merged = pulls.merge(actor, repo, _number(num), (body.comment if body else None) or "")
    return {"mergeCommitId": merged}


def _number(num: str) -> int:
    if not num.isascii() or not num.isdigit() or len(num) > 10 or not 0 < int(num) < 2**31:
        raise BadRequest("The number of a discussion is a whole number from 1", field="num", value=num)
    return int(num)


def _choice(request: HttpRequest, field: str, *known: str) -> str:
    value = request.GET.get(field) or "all"
    if value not in ("all", "pull_request", *known):
        raise BadRequest(
            f"{field} {value!r} is not known", field=field, value=value, limit=", ".join(("all", *known))
        )
    return value


def _detail(request: HttpRequest, repo: RepoRow, number: int) -> Any:
    pull = pulls.find_pull(repo, number)
    return pull_shapes.detail(repo, pull, base_url(request), with_diff=switch(request, "diff"))


def _event(request: HttpRequest, told: PullEvent) -> Any:
    return pull_shapes.event(told, People([told.author_id], base_url(request)))
