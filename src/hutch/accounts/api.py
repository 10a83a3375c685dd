"""JSON routes about people and organisations, as clients of the public hub know them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from ninja import Router, Schema

from hutch.accounts import lookup, organizations, profiles, tokens
from hutch.accounts.models import Membership
from hutch.core import paging
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor

router = Router()
_MOST_MEMBERS = 500


class Strict(Schema):
    """A body in which an unknown field is an error."""

    model_config = {"extra": "forbid"}


class NewRole(Strict):
    """The body that changes a member's role."""

    role: str


class Leaked(Strict):
    """The body that names a token by its value."""

    token: str


def actor_of(request: HttpRequest) -> Actor:
    """Whoever makes the request."""
    return request.actor  # type: ignore[attr-defined]


def base_url(request: HttpRequest) -> str:
    """The address under which the hub was called."""
    return str(request.META["hutch.scope"]["origin"].base_url)


@router.get("/api/whoami-v2", summary="Who am I")
def whoami(request: HttpRequest) -> Any:
    return profiles.whoami(actor_of(request), base_url(request))


@router.get("/api/users/{seg:username}/overview", summary="A user's overview")
def user_overview(request: HttpRequest, username: str) -> Any:
    return profiles.user_overview(actor_of(request), username, base_url(request))


@router.get("/api/organizations/{seg:name}/overview", summary="An organization's overview")
def organization_overview(request: HttpRequest, name: str) -> Any:
    return profiles.organization_overview(actor_of(request), name, base_url(request))


@router.get("/api/organizations/{seg:name}/members", summary="An organization's members")
def members(request: HttpRequest, name: str, cursor: str = "", limit: str | None = None) -> HttpResponse:
    size = paging.limit_of(limit, _MOST_MEMBERS, _MOST_MEMBERS)
    rows = profiles.members_of(actor_of(request), name)
    if cursor:
        rows = rows.filter(pk__gt=_key(cursor))
    page = list(rows[: size + 1])
    answer = JsonResponse(
        profiles.member_shapes(actor_of(request), name, page[:size], base_url(request)), safe=False
    )
    if len(page) > size:
        answer["Link"] = _next(request, page[size - 1])
    return answer


@router.put("/api/organizations/{seg:name}/members/{seg:username}/role", summary="Change a member's role")
def change_role(request: HttpRequest, name: str, username: str, payload: NewRole) -> Any:
    role = organizations.role_of(payload.role)
    membership = organizations.set_role(actor_of(request), name, username, role, add=False)
    return {"user": membership.user.username, "role": organizations.role_name(membership.role)}


@router.post(
    "/api/organizations/{seg:name}/settings/tokens/revoke", summary="Revoke a member's token that leaked"
)
def revoke_member_token(request: HttpRequest, name: str, payload: Leaked) -> Any:
    ended = tokens.revoke_for_organization(actor_of(request), name, payload.token)
    return {"user": ended.user.username, "displayName": ended.name, "revoked": True}


@router.get("/api/users/{seg:username}/followers", summary="A user's followers: nobody can follow here yet")
def user_followers(request: HttpRequest, username: str) -> Any:
    profiles.require_user(actor_of(request), username)
    return []


@router.get("/api/users/{seg:username}/following", summary="Whom a user follows: nobody can follow here yet")
def user_following(request: HttpRequest, username: str) -> Any:
    profiles.require_user(actor_of(request), username)
    return []


@router.get(
    "/api/organizations/{seg:name}/followers",
    summary="An organization's followers: nobody can follow here yet",
)
def organization_followers(request: HttpRequest, name: str) -> Any:
    profiles.require_organization(actor_of(request), name)
    return []


@router.get("/api/avatars/{seg:name}", summary="The address of a picture")
def avatar(request: HttpRequest, name: str, redirect: bool = False) -> Any:
    url = lookup.find_namespace(actor_of(request), name).avatar_url(base_url(request))
    return HttpResponseRedirect(url) if redirect else {"avatarUrl": url}


@router.get("/api/users/{seg:username}/avatar", summary="The address of a user's picture")
def user_avatar(request: HttpRequest, username: str, redirect: bool = False) -> Any:
    profiles.require_user(actor_of(request), username)
    return avatar(request, username, redirect)


@router.get("/api/organizations/{seg:name}/avatar", summary="The address of an organization's picture")
def organization_avatar(request: HttpRequest, name: str, redirect: bool = False) -> Any:
    profiles.require_organization(actor_of(request), name)
    return avatar(request, name, redirect)


def _key(cursor: str) -> int:
    match paging.decode_cursor(cursor):
        case [int(key)]:
            return key
    raise BadRequest("The cursor is not one that this server gave", field="cursor", value=cursor)


def _next(request: HttpRequest, last: Membership) -> str:
    query = dict(request.GET.lists())
    return paging.next_link(base_url(request), request.path, query, paging.encode_cursor([last.pk]))
