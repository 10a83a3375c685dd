"""Asking for the files of a gated repository, and answering."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from hutch.accounts.models import User
from hutch.accounts.users import user_by_name
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, NotFound, Unauthorized
from hutch.core.events import emit
from hutch.core.permissions import Actor, require
from hutch.core.text import is_storable
from hutch.repos.events import AccessRequested, AccessRequestHandled
from hutch.repos.lookup import RepoRow
from hutch.repos.models import AccessRequest
from hutch.repos.texts import storable

STATUSES = tuple(AccessRequest.Status.values)
_MAX_FIELDS = 50
_MAX_CHARACTERS = 1000


def ask(actor: Actor, repo: RepoRow, fields: dict[str, Any] | None = None) -> AccessRequest:
    """Asks for access to a gated repository that the actor may see; an automatic gate opens at once.

    Asking twice changes nothing. Raises Unauthorized (nobody), BadRequest (no gate, or too much in `fields`).
    """
    _require_voice(actor, repo)
    if not repo.gated:
        raise BadRequest("This repository is not gated", field="gated")
    kept = _checked(fields or {})
    status = AccessRequest.Status.ACCEPTED if repo.gated == "auto" else AccessRequest.Status.PENDING
    with transaction.atomic():
        request, is_new = AccessRequest.objects.get_or_create(
            repo_id=repo.id, user_id=actor.user_id, defaults={"status": status, "fields": kept}
        )
        opened = not is_new and repo.gated == "auto" and request.status == AccessRequest.Status.PENDING
        if opened:
            request.status = status
            request.save(update_fields=["status"])
        if is_new or opened:
            asked = AccessRequested(
                repo_id=repo.id,
                type=repo.type,
                full_name=repo.full_name,
                user_id=request.user_id,
                status=request.status,
            )
            emit(asked, actor=actor)
    return request


def cancel(actor: Actor, repo: RepoRow) -> None:
    """Takes back one's own request; an accepted one too. Raises NotFound where there is none."""
    _require_voice(actor, repo)
    gone, _ = AccessRequest.objects.filter(repo_id=repo.id, user_id=actor.user_id or 0).delete()
    if not gone:
        raise NotFound("You have no request for access to this repository")


def own(actor: Actor, repo: RepoRow) -> AccessRequest | None:
    """The actor's own request; None if there is none."""
    return AccessRequest.objects.filter(repo_id=repo.id, user_id=actor.user_id or 0).first()


# Not by a token that may only read: an automatic gate opens for whoever asks.
def _require_voice(actor: Actor, repo: RepoRow) -> None:
    if actor.is_nobody:
        raise Unauthorized("Sign in to ask for access")
    require(actor, "repo.view", repo)
    require(actor, "repo.discuss", repo)


def requests(actor: Actor, repo: RepoRow, status: str) -> QuerySet[AccessRequest]:
    """The requests with that status, oldest first. Raises BadRequest, Forbidden."""
    require(actor, "repo.admin", repo)
    _check_status(status)
    found = AccessRequest.objects.filter(repo_id=repo.id, status=status)
    return found.select_related("user").order_by("pk")


def handle(
    actor: Actor,
    repo: RepoRow,
    *,
    status: str,
    username: str | None = None,
    request_id: str | None = None,
    reason: str = "",
) -> AccessRequest:
    """Answers a request, named by its user or by its id.

    Raises BadRequest (status, reason), NotFound (no such request, or it has that status already: as the public hub).
    """
    require(actor, "repo.admin", repo)
    _check_status(status)
    if (username is None) == (request_id is None):
        raise BadRequest("Name the request by user or by requestId", field="user")
    if request_id is not None and not is_storable(request_id):
        raise NotFound(f"There is no request to be {status}", field="requestId", value=request_id)
    if reason and status != AccessRequest.Status.REJECTED:
        raise BadRequest("rejectionReason is for a rejection", field="rejectionReason", value=reason)
    found = AccessRequest.objects.filter(repo_id=repo.id).exclude(status=status)
    found = found.filter(user=_user(username)) if username is not None else found.filter(public_id=request_id)
    with transaction.atomic():
        request = found.select_for_update().first()
        if request is None:
            raise NotFound(f"There is no request to be {status}", field="user", value=username or request_id)
        return _answer(actor, repo, request, status, reason)


def grant(actor: Actor, repo: RepoRow, username: str) -> AccessRequest:
    """Gives a user access who has not asked. Raises NotFound (no such user), Conflict (has access already)."""
    require(actor, "repo.admin", repo)
    if not repo.gated:
        raise BadRequest("This repository is not gated", field="gated")
    user = _user(username)
    with transaction.atomic():
        request, _ = AccessRequest.objects.get_or_create(repo_id=repo.id, user=user)
        if request.status == AccessRequest.Status.ACCEPTED:
            raise Conflict(f"{user.username} has access already", field="user", value=username)
        return _answer(actor, repo, request, AccessRequest.Status.ACCEPTED, "")


def shape(request: AccessRequest) -> dict[str, Any]:
    """A request as clients read it."""
    told: dict[str, Any] = {
        "requestId": request.public_id,
        "status": request.status,
        "timestamp": clock.iso(request.created_at),
        "user": {
            "user": request.user.username,
            "fullname": request.user.full_name,
            "email": request.user.email or None,
        },
    }
    if request.fields:
        told["fields"] = request.fields
    if request.rejection_reason:
        told["rejectionReason"] = request.rejection_reason
    return told


def _answer(actor: Actor, repo: RepoRow, request: AccessRequest, status: str, reason: str) -> AccessRequest:
    request.status, request.rejection_reason = status, storable(reason)[:_MAX_CHARACTERS]
    request.handled_by_id = actor.user_id
    request.save(update_fields=["status", "rejection_reason", "handled_by"])
    handled = AccessRequestHandled(
        repo_id=repo.id, type=repo.type, full_name=repo.full_name, user_id=request.user_id, status=status,
        by_user_id=actor.user_id,
    )  # fmt: skip
    emit(handled, actor=actor)
    return request


def _user(username: str | None) -> User:
    if not username or not is_storable(username):
        raise NotFound("There is no user of this name", field="user", value=username)
    return user_by_name(username)


def _check_status(status: str) -> None:
    if status not in STATUSES:
        known = ", ".join(STATUSES)
        raise BadRequest(f"status must be one of {known}", field="status", value=status, limit=known)


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    if len(fields) > _MAX_FIELDS:
        raise BadRequest(
            f"At most {_MAX_FIELDS} fields are taken", field="fields", value=len(fields), limit=_MAX_FIELDS
        )
    for name, value in fields.items():
        if not isinstance(value, (str, bool, int)) or len(str(value)) > _MAX_CHARACTERS:
            raise BadRequest(
                f"The field {name!r} must be text of at most {_MAX_CHARACTERS} characters",
                field=name,
                limit=_MAX_CHARACTERS,
            )
    return {
        storable(name): storable(value) if isinstance(value, str) else value for name, value in fields.items()
    }
