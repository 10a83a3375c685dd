"""JSON routes of uploads: what to send how, and the commit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.repos import service
from hutch.repos.api.query import switch
from hutch.repos.api.write import Strict, actor_of, base_url
from hutch.repos.changes import commits, preupload
from hutch.repos.lookup import find_repo

router = Router()


class PlannedFile(Strict):
    """One file of a preupload."""

    path: str
    size: int
    sample: str = ""
    sha: str | None = None


class Preupload(Strict):
    """The body of a preupload."""

    files: list[PlannedFile]
    gitIgnore: str | None = None
    gitAttributes: str | None = None


@router.post("/api/{kinds:type_}/{repoid:repo_id}/preupload/{rev:revision}", summary="Ask how to send files")
def plan_upload(request: HttpRequest, type_: str, repo_id: str, revision: str, body: Preupload) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    files = [preupload.Planned(file.path, file.size, file.sample) for file in body.files]
    head, advice = preupload.preupload(
        actor, repo, revision, files,
        git_ignore=body.gitIgnore, git_attributes=body.gitAttributes, create_pr=switch(request, "create_pr"),
    )  # fmt: skip
    answers = [
        {"path": one.path, "uploadMode": one.upload_mode, "shouldIgnore": one.should_ignore}
        | ({"oid": one.oid} if one.oid else {})
        for one in advice
    ]
    return {"files": answers, "commitOid": head}


@router.post("/api/{kinds:type_}/{repoid:repo_id}/commit/{rev:revision}", summary="Commit files")
def create_commit(request: HttpRequest, type_: str, repo_id: str, revision: str) -> Any:
    actor = actor_of(request)
    repo = find_repo(actor, type_, repo_id)
    made = commits.create_commit(actor, repo, revision, request, create_pr=switch(request, "create_pr"))
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
