"""The page of a user or an organisation: who it is, who belongs to it, what it holds."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render

from hutch.accounts import lookup, organizations, profiles
from hutch.accounts.lookup import NamespaceCard
from hutch.core.errors import Forbidden, Unauthorized
from hutch.core.permissions import Actor, allows
from hutch.repos.pages.lists import by_kind
from hutch.repos.pages.shell import actor_of

_FIRST_MEMBERS = 30
_FIRST_REPOS = 12


def profile(request: HttpRequest, card: NamespaceCard, asked: str) -> HttpResponseBase:
    """The page of the account that `asked` names in some spelling."""
    if asked != card.name:
        return HttpResponseRedirect(f"/{quote(card.name)}")
    actor = actor_of(request)
    context: dict[str, Any] = {
        "card": card, "kinds": by_kind(actor, card, _FIRST_REPOS), "avatar": card.avatar_url(""),
        "may_create": any(each.name == card.name for each in lookup.writable_namespaces(actor)),
        **(_of_organization(actor, card) if card.is_organization else _of_user(actor, card)),
    }  # fmt: skip
    return render(request, "repos/profile.html", context)


def _of_organization(actor: Actor, card: NamespaceCard) -> dict[str, Any]:
    try:
        rows = list(profiles.members_of(actor, card.name)[: _FIRST_MEMBERS + 1])
        total = profiles.members_of(actor, card.name).count()
    except (Forbidden, Unauthorized):
        return {"members": None}
    cards = lookup.users_by_ids(row.user_id for row in rows)
    shows_roles = allows(actor, "org.read_members", card.thing)
    members = [
        {"card": cards[row.user_id], "role": organizations.role_name(row.role) if shows_roles else ""}
        for row in rows[:_FIRST_MEMBERS]
    ]
    return {
        "members": members, "total_members": total, "more_members": max(0, total - len(members)),
        "may_change": allows(actor, "org.admin", card.thing), "is_member": shows_roles,
    }  # fmt: skip


def _of_user(actor: Actor, card: NamespaceCard) -> dict[str, Any]:
    rows = [
        row
        for row in profiles.memberships(card.holder_id)
        if profiles.may_see_members(actor, row.organization)
    ]
    orgs = [{"name": row.organization.namespace.name, "shown": row.organization.full_name} for row in rows]
    return {"orgs": orgs, "is_me": actor.username == card.name and not actor.is_nobody}
