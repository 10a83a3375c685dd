"""Where a client learns how to reach the CAS for a repository (huggingface_hub 2.4.0, hf_xet 1.8.0)."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from hutch.cas.xet import tokens
from hutch.repos import accounting
from hutch.repos.api.query import actor_of, answer, base_url
from hutch.repos.lookup import find_repo
from hutch.repos.wires.lfs_batch import repo_to_send_to

router = Router()


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/xet-read-token/{rev:revision}",
    summary="Access to the chunks of a repository's files",
)
def read_token(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    """For whoever may read its files, whichever the revision: a token is for the repository."""
    actor = actor_of(request)
    repo = find_repo(actor, kind, repo_id, "repo.read")
    body, headers = tokens.answer(actor, repo.id, "read", None, base_url(request))
    return answer(body, headers=headers)


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/xet-write-token/{rev:revision}",
    summary="Access for sending chunks of a repository's files",
)
def write_token(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    """For whoever may commit or propose a change; the branch need not be there yet (`None`, `?create_pr=1`)."""
    actor = actor_of(request)
    repo = repo_to_send_to(actor, kind, repo_id)
    room = accounting.room_bytes(repo.namespace_id)
    body, headers = tokens.answer(actor, repo.id, "write", room, base_url(request))
    return answer(body, headers=headers)
