"""JSON routes about one repository as a whole. `router_last` holds those whose address ends with its name."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from hutch.repos.api.query import actor_of, answer, switch, words
from hutch.repos.cards import weights
from hutch.repos.lookup import find_repo
from hutch.repos.reading import info
from hutch.repos.wires.resolving import resolve_commit

router = Router()
router_last = Router()


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/revision/{rev:revision}", summary="A repository at a revision"
)
def repository_at(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    return _info(request, kind, repo_id, revision)


@router.get(
    "/api/models/{repoid:repo_id}/safetensors-metadata/{tail:filename}",
    summary="The heads of a model's shards",
)
def safetensors_metadata(request: HttpRequest, repo_id: str, filename: str) -> HttpResponse:
    row = find_repo(actor_of(request), "model", repo_id, "repo.read")
    git, commit = resolve_commit(row, row.default_branch)
    return answer(weights.sharded(row.id, git, commit, filename))


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/likers", summary="Who likes a repository: likes are not offered yet"
)
def likers(request: HttpRequest, kind: str, repo_id: str) -> HttpResponse:
    find_repo(actor_of(request), kind, repo_id, "repo.view")
    return answer([])


@router_last.get(
    "/api/{kinds:kind}/{repoid:repo_id}", summary="A repository: card, tags, files, newest commit"
)
def repository(request: HttpRequest, kind: str, repo_id: str) -> HttpResponse:
    return _info(request, kind, repo_id, None)


def _info(request: HttpRequest, kind: str, repo_id: str, revision: str | None) -> HttpResponse:
    shape = info.info(
        actor_of(request),
        kind,
        repo_id,
        revision,
        blobs=switch(request, "blobs"),
        security=switch(request, "securityStatus"),
        expand=words(request, "expand"),
    )
    return answer(shape)
