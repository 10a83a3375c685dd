"""JSON routes of a user's own access tokens. The public hub has only pages for this; these are Hutch's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Router

from hutch.accounts import scopes, tokens
from hutch.accounts.api import Strict, actor_of
from hutch.accounts.models import AccessToken
from hutch.core.clock import iso
from hutch.core.errors import BadRequest, Unauthorized
from hutch.core.permissions import Actor

router = Router()


class NewToken(Strict):
    """The body that makes a token. `fineGrained` is the shape that `whoami-v2` shows; `expiresAt` is ISO 8601."""

    displayName: str
    role: str
    fineGrained: dict[str, Any] | None = None
    expiresAt: datetime | None = None


@router.get("/api/settings/tokens", summary="My access tokens")
def list_tokens(request: HttpRequest) -> Any:
    actor = _somebody(request)
    return [token_shape(row) for row in tokens.tokens_of(actor, actor.username)]


@router.post("/api/settings/tokens", summary="Make an access token; its value is shown this once")
def create_token(request: HttpRequest, payload: NewToken) -> JsonResponse:
    actor = _somebody(request)
    if (payload.role == "fineGrained") != (payload.fineGrained is not None):
        raise BadRequest(
            "fineGrained belongs to a token of role fineGrained, and to no other", field="fineGrained"
        )
    made, word = tokens.create_token(
        actor,
        actor.username,
        name=payload.displayName,
        role=payload.role,
        grants=scopes.from_client(payload.fineGrained) if payload.fineGrained is not None else (),
        expires_at=_aware(payload.expiresAt),
    )
    return JsonResponse(
        {**token_shape(made), "token": word}, status=201, headers={"Cache-Control": "no-store"}
    )


@router.delete("/api/settings/tokens/{int:token_id}", summary="Revoke an access token")
def revoke_token(request: HttpRequest, token_id: int) -> Any:
    actor = _somebody(request)
    return {**token_shape(tokens.revoke_token(actor, actor.username, token_id=token_id)), "revoked": True}


def token_shape(row: AccessToken) -> dict[str, Any]:
    """A token as its owner sees it; never its value."""
    shape: dict[str, Any] = {
        "id": row.pk, "displayName": row.name, "role": row.kind, "hint": row.hint, "createdAt": iso(row.created_at),
        "lastUsedAt": iso(row.last_used_at) if row.last_used_at else None,
        "expiresAt": iso(row.expires_at) if row.expires_at else None,
    }  # fmt: skip
    if row.kind == AccessToken.Kind.FINE_GRAINED:
        shape["fineGrained"] = scopes.to_client(scopes.from_rows(row.grants))
    return shape


def _somebody(request: HttpRequest) -> Actor:
    actor = actor_of(request)
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to see your tokens")
    return actor


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
