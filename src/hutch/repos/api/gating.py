"""Routes of gated repositories: asking, listing, answering."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.core import paging
from hutch.repos import access_requests
from hutch.repos.api.query import page
from hutch.repos.api.write import Strict, actor_of, cursor_key
from hutch.repos.lookup import find_repo

router = Router()
_MOST_LISTED = 1000


class Handle(Strict):
    """The answer to a request, named by its user or its id."""

    status: str
    user: str | None = None
    requestId: str | None = None
    rejectionReason: str | None = None


class GrantedUser(Strict):
    """Who is let in without having asked."""

    user: str


@router.post("/{kindprefix:type_}{repoid:repo_id}/ask-access", summary="Ask for a gated repository's files")
def ask_access(request: HttpRequest, type_: str, repo_id: str) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id, "repo.view")
    fields = {key: request.POST[key] for key in request.POST if key != "csrfmiddlewaretoken"}
    return {"status": access_requests.ask(actor, repo, fields).status}


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/user-access-request/handle", summary="Answer an access request"
)
def handle(request: HttpRequest, type_: str, repo_id: str, body: Handle) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id, "repo.view")
    answered = access_requests.handle(
        actor,
        repo,
        status=body.status,
        username=body.user,
        request_id=body.requestId,
        reason=body.rejectionReason or "",
    )
    return access_requests.shape(answered)


@router.post("/api/{kinds:type_}/{repoid:repo_id}/user-access-request/grant", summary="Let a user in")
def grant(request: HttpRequest, type_: str, repo_id: str, body: GrantedUser) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id, "repo.view")
    return access_requests.shape(access_requests.grant(actor, repo, body.user))


@router.post(
    "/api/{kinds:type_}/{repoid:repo_id}/user-access-request/cancel", summary="Take back one's own request"
)
def cancel(request: HttpRequest, type_: str, repo_id: str) -> Any:
    actor = actor_of(request)
    access_requests.cancel(actor, find_repo(actor, type_, repo_id, "repo.view"))
    return {}


# Behind the words above, which are no statuses.
@router.get(
    "/api/{kinds:type_}/{repoid:repo_id}/user-access-request/{seg:status}", summary="List access requests"
)
def list_requests(request: HttpRequest, type_: str, repo_id: str, status: str) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id, "repo.view")
    limit = paging.limit_of(request.GET.get("limit"), 100, _MOST_LISTED)
    found = access_requests.requests(actor, repo, status).filter(pk__gt=cursor_key(request) or 0)
    rows = list(found[: limit + 1])
    shown = rows[:limit]
    following = paging.encode_cursor([shown[-1].pk]) if len(rows) > limit else None
    return page(request, [access_requests.shape(row) for row in shown], following)
