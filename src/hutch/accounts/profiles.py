"""What clients are told about people and organisations: `whoami-v2`, overviews, members."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.db.models import QuerySet

from hutch.accounts import lookup, scopes
from hutch.accounts.lookup import NamespaceCard
from hutch.accounts.models import AccessToken, Membership, Organization, User
from hutch.accounts.organizations import role_name
from hutch.accounts.permissions import NamespaceThing
from hutch.core.clock import iso
from hutch.core.errors import NotFound, Unauthorized
from hutch.core.permissions import Actor, allows, require

Shape = dict[str, Any]

# Rooms that hold things in a namespace say here how many the actor may see: (actor, namespace key) -> {"numModels": 3}.
counters: list[Callable[[Actor, int], dict[str, int]]] = []


def whoami(actor: Actor, base_url: str) -> Shape:
    """The answer of `/api/whoami-v2`. Raises Unauthorized for nobody."""
    if actor.is_nobody:
        raise Unauthorized("Invalid username or password.")
    user = User.objects.select_related("namespace").get(pk=actor.user_id)
    card = lookup.users_by_ids([user.pk])[user.pk]
    shape: Shape = {
        "type": "user", "id": card.public_id, "name": user.username, "fullname": card.shown_name,
        "avatarUrl": card.avatar_url(base_url), "isPro": False, "canPay": False, "periodEnd": None,
        "orgs": [], "auth": _auth(actor),
    }  # fmt: skip
    if allows(actor, "user.read", card.thing):
        address = EmailAddress.objects.filter(user=user, primary=True).first()
        shape |= {"email": user.email or None, "emailVerified": bool(address and address.verified)}
        shape["isAdmin"] = user.is_staff
    rows = [row for row in memberships(user.pk) if _shows_itself(actor, card, row)]
    for row, brief in zip(rows, _brief_orgs(rows, base_url), strict=True):
        shape["orgs"].append(_org_line(row, brief))
    return shape


def memberships(user_id: int) -> QuerySet[Membership]:
    """The organisations of a user, by name."""
    rows = Membership.objects.filter(user_id=user_id).select_related("organization__namespace")
    return rows.order_by("organization__namespace__lower_name")


def user_overview(actor: Actor, username: str, base_url: str) -> Shape:
    """The answer of `/api/users/{username}/overview`: memberships that the actor may not see are left out."""
    card = _found(actor, username, is_organization=False)
    orgs = _brief_orgs(
        [row for row in memberships(card.holder_id) if may_see_members(actor, row.organization)], base_url
    )
    joined = User.objects.values_list("date_joined", flat=True).get(pk=card.holder_id)
    zero = dict.fromkeys(
        ("numDiscussions", "numPapers", "numUpvotes", "numLikes", "numFollowing", "numFollowers"), 0
    )
    return {
        "_id": card.public_id, "type": "user", "user": card.name, "fullname": card.shown_name, "details": card.bio,
        "avatarUrl": card.avatar_url(base_url), "isPro": False, "isFollowing": False, "orgs": orgs,
        "createdAt": iso(joined), **zero, **_counts(actor, card.namespace_id),
    }  # fmt: skip


def organization_overview(actor: Actor, name: str, base_url: str) -> Shape:
    """The answer of `/api/organizations/{name}/overview`; `numUsers` only for those who may see the members."""
    card = _found(actor, name, is_organization=True)
    organization = Organization.objects.get(pk=card.holder_id)
    shape: Shape = {
        "_id": card.public_id, "type": "org", "name": card.name, "fullname": card.shown_name, "details": card.bio,
        "avatarUrl": card.avatar_url(base_url), "isVerified": False, "isFollowing": False, "plan": None,
        "createdAt": iso(organization.created_at), "numFollowers": 0, "numPapers": 0,
        **_counts(actor, card.namespace_id),
    }  # fmt: skip
    if may_see_members(actor, organization):
        shape["numUsers"] = organization.memberships.filter(user__is_active=True).count()
    return shape


def members_of(actor: Actor, name: str) -> QuerySet[Membership]:
    """The members, in the order of joining. Raises Forbidden or Unauthorized where they are not shown."""
    card = _found(actor, name, is_organization=True)
    if not Organization.objects.get(pk=card.holder_id).members_are_public:
        require(actor, "org.read_members", card.thing, see="namespace.view")
    rows = Membership.objects.filter(organization_id=card.holder_id, user__is_active=True)
    return rows.select_related("user").order_by("pk")


def member_shapes(actor: Actor, name: str, rows: Iterable[Membership], base_url: str) -> list[Shape]:
    """Members as clients read them; roles only for those who are members themselves."""
    rows = list(rows)
    cards = lookup.users_by_ids(row.user_id for row in rows)
    organization = _found(actor, name, is_organization=True)
    shows_roles = allows(actor, "org.read_members", organization.thing)
    return [
        {
            "_id": cards[row.user_id].public_id, "type": "user", "user": row.user.username,
            "fullname": cards[row.user_id].shown_name, "avatarUrl": cards[row.user_id].avatar_url(base_url),
            "isPro": False, "isFollowing": False, **({"role": role_name(row.role)} if shows_roles else {}),
        }
        for row in rows
    ]  # fmt: skip


def require_user(actor: Actor, username: str) -> NamespaceCard:
    """The user of that name, if the actor may see that they exist. Raises NotFound."""
    return _found(actor, username, is_organization=False)


def require_organization(actor: Actor, name: str) -> NamespaceCard:
    """The organisation of that name, if the actor may see that it exists. Raises NotFound."""
    return _found(actor, name, is_organization=True)


def may_see_members(actor: Actor, organization: Organization) -> bool:
    """Whether the organisation shows this actor who belongs to it."""
    if organization.members_are_public and (actor.sees_public or not actor.is_nobody):
        return True
    thing = NamespaceThing(organization.namespace_id, organization.namespace.name, is_organization=True)
    return allows(actor, "org.read_members", thing)


def _found(actor: Actor, name: str, *, is_organization: bool) -> NamespaceCard:
    card = lookup.find_namespace(actor, name)
    if card.is_organization != is_organization:
        raise NotFound(
            f"There is no {'organization' if is_organization else 'user'} {name!r}", field="name", value=name
        )
    return card


def _shows_itself(actor: Actor, card: NamespaceCard, row: Membership) -> bool:
    # a fine-grained token tells of an organisation only if it was made for it, or to read the account
    thing = NamespaceThing(
        row.organization.namespace_id, row.organization.namespace.name, is_organization=True
    )
    if actor.token_role != "fineGrained" or allows(actor, "user.read", card.thing):
        return True
    return any(grant.entity in (thing.entity, scopes.EVERYWHERE) for grant in actor.grants)


def _auth(actor: Actor) -> Shape:
    if actor.token_id is None:
        return {"type": "session"}
    token = AccessToken.objects.get(pk=actor.token_id)
    expiry = {"expiresAt": iso(token.expires_at)} if token.expires_at else {}
    if token.is_oauth:  # has no display name: clients then store it as oauth-USERNAME
        return {"type": "oauth", **expiry}
    shape: Shape = {"displayName": token.name, "role": token.kind, "createdAt": iso(token.created_at)}
    if token.kind == AccessToken.Kind.FINE_GRAINED:
        shape["fineGrained"] = scopes.to_client(actor.grants)
    return {"type": "access_token", "accessToken": shape, **expiry}


def _org_line(row: Membership, brief: Shape) -> Shape:
    return {
        **brief, "type": "org", "roleInOrg": role_name(row.role),
        "email": None, "canPay": False, "periodEnd": None, "isEnterprise": False,
    }  # fmt: skip


def _brief_orgs(rows: list[Membership], base_url: str) -> list[Shape]:
    cards = lookup.namespaces_by_ids(row.organization.namespace_id for row in rows)
    found = [cards[row.organization.namespace_id] for row in rows]
    return [
        {
            "id": card.public_id,
            "name": card.name,
            "fullname": card.shown_name,
            "avatarUrl": card.avatar_url(base_url),
        }
        for card in found
    ]


def _counts(actor: Actor, namespace_id: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for count in counters:
        found |= count(actor, namespace_id)
    return found
