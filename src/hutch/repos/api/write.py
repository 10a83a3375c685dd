"""JSON routes that make, move and remove repositories, as clients of the public hub call them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from hutch.core import paging
from hutch.core.errors import BadRequest, NotOffered, RepoNotFound
from hutch.core.permissions import Actor
from hutch.repos import names, service
from hutch.repos.errors import RepoExists
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.visibility_rules import wanted_gate, wanted_visibility

router = Router()


class Strict(Schema):
    """A body in which an unknown field is an error."""

    model_config = {"extra": "forbid"}


class SpaceOptions(Strict):
    """What clients may send along for a Space. Hutch runs none yet, so only what asks for nothing is taken."""

    hardware: str | None = None
    sleepTimeSeconds: int | None = None
    secrets: list[dict[str, Any]] | None = None
    variables: list[dict[str, Any]] | None = None
    volumes: list[dict[str, Any]] | None = None
    template: str | None = None
    resourceGroupId: str | None = None
    region: str | None = None


class NewRepo(SpaceOptions):
    """The body that creates a repository. `organization` null: the caller's own; "": a one-segment name."""

    name: str
    organization: str | None = None
    type: str | None = None
    visibility: str | None = None
    private: bool | None = None
    gated: str | bool | None = None
    sdk: str | None = None
    license: str | None = None


class NamedRepo(Strict):
    """The body that deletes a repository."""

    name: str
    organization: str | None = None
    type: str | None = None


class Move(Strict):
    """The body that renames a repository."""

    fromRepo: str
    toRepo: str
    type: str | None = None


def actor_of(request: HttpRequest) -> Actor:
    """Whoever makes the request."""
    return request.actor  # type: ignore[attr-defined]


def base_url(request: HttpRequest) -> str:
    """The address under which the hub was called."""
    return str(request.META["hutch.scope"]["origin"].base_url)


def cursor_key(request: HttpRequest) -> int | None:
    """The row key inside the cursor of a list ordered by keys. Raises BadRequest for a cursor of another list."""
    cursor = request.GET.get("cursor")
    if not cursor:
        return None
    position = paging.decode_cursor(cursor)
    if len(position) != 1 or not isinstance(position[0], int):
        raise BadRequest("The cursor belongs to another list", field="cursor", value=cursor)
    return position[0]


def created(request: HttpRequest, repo: RepoRow) -> dict[str, Any]:
    """The answer about a new repository."""
    url = f"{base_url(request)}/{service.address(repo.type, repo.full_name)}"
    return {"url": url, "name": repo.full_name, "id": str(repo.id), "type": repo.type}


def refuse_space_options(body: SpaceOptions) -> None:
    """Says which option is not offered here. Raises NotOffered."""
    if body.hardware in ("cpu-basic", None) and body.region is None:
        asked = [
            key
            for key in ("secrets", "variables", "volumes", "template", "resourceGroupId")
            if getattr(body, key)
        ]
    else:
        asked = ["hardware" if body.hardware not in ("cpu-basic", None) else "region"]
    if asked:
        raise NotOffered(f"Hutch does not offer {asked[0]!r} for new repositories", field=asked[0])


def with_url(request: HttpRequest, error: RepoExists) -> RepoExists:
    """The refusal with an absolute address."""
    error.url = f"{base_url(request)}/{error.url}"
    return error


@router.post("/api/repos/create", summary="Create a repository")
def create_repo(request: HttpRequest, body: NewRepo) -> Any:
    refuse_space_options(body)
    type_ = names.check_type(body.type)
    namespace, name = body.organization, body.name
    if namespace is None and "/" in name:
        namespace, name = names.split(name)
    wanted = service.NewRepo(
        type=type_, name=name, namespace=namespace, sdk=body.sdk or "", license_id=body.license or "",
        visibility=wanted_visibility(body.visibility, body.private, type_) or "public",
        gated=wanted_gate(body.gated) if body.gated is not None else "",
    )  # fmt: skip
    try:
        return created(request, service.create_repo(actor_of(request), wanted))
    except RepoExists as error:
        raise with_url(request, error) from error


@router.delete("/api/repos/delete", summary="Delete a repository for good")
def delete_repo(request: HttpRequest, body: NamedRepo) -> Any:
    actor, type_ = actor_of(request), names.check_type(body.type)
    service.delete_repo(actor, _named(actor, type_, body))
    return {}


def _named(actor: Actor, type_: str, body: NamedRepo) -> RepoRow:
    if body.organization:
        return _current(actor, type_, f"{body.organization}/{body.name}")
    if body.organization is None and actor.username and "/" not in body.name:
        try:
            return _current(actor, type_, f"{actor.username}/{body.name}")
        except RepoNotFound:
            pass
    return _current(actor, type_, body.name)


# A name that only leads to a repository does not delete or rename it.
def _current(actor: Actor, type_: str, full_name: str) -> RepoRow:
    repo = find_repo(actor, type_, full_name, "repo.view")
    if repo.full_name.lower() != full_name.lower():
        raise RepoNotFound()
    return repo


@router.post("/api/repos/move", summary="Rename a repository or hand it to another namespace")
def move_repo(request: HttpRequest, body: Move) -> Any:
    actor, type_ = actor_of(request), names.check_type(body.type)
    if not body.fromRepo:
        raise BadRequest("fromRepo is empty", field="fromRepo")
    moved = service.move_repo(actor, _current(actor, type_, body.fromRepo), body.toRepo)
    return {"url": f"{base_url(request)}/{service.address(moved.type, moved.full_name)}"}
