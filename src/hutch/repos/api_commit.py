"""JSON routes of uploads: what to send how, and the commit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.core.errors import BadRequest
from hutch.repos import commits, service
from hutch.repos.api_write import actor_of, base_url
from hutch.repos.lookup import find_repo

router = Router()


def flag(request: HttpRequest, name: str) -> bool:
    """A switch in the query, as clients write it. Raises BadRequest."""
    value = request.GET.get(name, "")
    known = {"": False, "0": False, "false": False, "1": True, "true": True}
    if value.lower() not in known:
        raise BadRequest(f"{name} must be 1 or 0", field=name, value=value)
    return known[value.lower()]


@router.post("/api/{kinds:type_}/{repoid:repo_id}/commit/{rev:revision}", summary="Commit files")
def create_commit(request: HttpRequest, type_: str, repo_id: str, revision: str) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    made = commits.create_commit(actor, repo, revision, request, create_pr=flag(request, "create_pr"))
    page = f"{base_url(request)}/{service.address(repo.type, repo.full_name)}"
    answer: dict[str, Any] = {
        "success": True,
        "commitOid": made.oid,
        "commitUrl": f"{page}/commit/{made.oid}",
        "hookOutput": "",
    }
    if made.pull_number is not None:
        answer["pullRequestUrl"] = f"{page}/discussions/{made.pull_number}"
    return answer
