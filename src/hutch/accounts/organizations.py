"""The verbs on organisations and who belongs to them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from hutch.accounts import names
from hutch.accounts.events import MemberRemoved, OrganizationChanged, OrganizationCreated, RoleChanged
from hutch.accounts.models import Membership, Namespace, Organization, RepoRole, Team, User
from hutch.accounts.permissions import HUB, NamespaceThing, require_somebody
from hutch.accounts.texts import checked_text
from hutch.accounts.users import user_by_name
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.events import emit
from hutch.core.permissions import ROLE_NAMES, Actor, Role, require
from hutch.core.text import storable


def role_of(name: str, *, field: str = "role") -> Role:
    """The role of that name; `owner`, `maintainer` and `member` are known too. Raises BadRequest."""
    role = ROLE_NAMES.get(name.strip().lower().replace(" ", "_").replace("-", "_"))
    if role is None:
        raise BadRequest(f"{field} {name!r} is not one of {', '.join(ROLE_NAMES)}", field=field, value=name)
    return role


def role_name(role: int) -> str:
    """The name under which clients know a role, such as `contributor`."""
    return Role(role).name.lower()


def create_organization(
    actor: Actor, name: str, *, full_name: str = "", members: Iterable[tuple[str, Role]] = ()
) -> Organization:
    """Makes an organisation. Whoever makes it is its first admin; an operator names the members.

    Raises Forbidden for nobody and for tokens that may not, Conflict if the name is taken.
    """
    require(actor, "org.create", HUB, see="hub.view")
    by_admin = actor.is_admin
    names.check_name(name, by_admin=by_admin)
    roles = {user_by_name(username): role for username, role in members}
    if actor.user_id:
        roles[User.objects.get(pk=actor.user_id)] = Role.ADMIN
    try:
        with transaction.atomic():
            space = names.claim(name, is_organization=True, by_admin=by_admin)
            organization = Organization.objects.create(
                namespace=space, full_name=checked_text("full_name", full_name, 200)
            )
            emit(
                OrganizationCreated(
                    organization_id=organization.pk, name=name, by_user_id=actor.user_id or None
                )
            )
            for user, role in roles.items():
                _put(actor, organization, user, role)
    except IntegrityError as error:
        raise Conflict(f"The name {name!r} is taken", field="name", value=name) from error
    return organization


def change_organization(
    actor: Actor,
    name: str,
    *,
    full_name: str | None = None,
    bio: str | None = None,
    members_are_public: bool | None = None,
) -> Organization:
    """Changes what an organisation's page shows. None leaves a field as it is."""
    require_somebody(actor)
    organization = organization_by_name(name)
    require(actor, "org.admin", thing_of(organization), see="namespace.view")
    with transaction.atomic():
        if full_name is not None:
            organization.full_name = checked_text("full_name", full_name, 200)
        if bio is not None:
            organization.bio = checked_text("bio", bio, 1000, lines=True)
        if members_are_public is not None:
            organization.members_are_public = members_are_public
        organization.save(update_fields=["full_name", "bio", "members_are_public"])
        emit(
            OrganizationChanged(
                organization_id=organization.pk,
                name=organization.namespace.name,
                by_user_id=actor.user_id or None,
            )
        )
    return organization


def set_role(
    actor: Actor, organization_name: str, username: str, role: Role, *, add: bool = True
) -> Membership:
    """Gives a user a role in an organisation; with `add=False` only to one who is a member already.

    Raises Forbidden if the organisation would lose its last admin.
    """
    require_somebody(actor)
    organization = organization_by_name(organization_name)
    require(actor, "org.admin", thing_of(organization), see="namespace.view")
    user = user_by_name(username)
    with transaction.atomic():
        if not add and not Membership.objects.filter(organization=organization, user=user).exists():
            raise NotFound(
                f"{username!r} is not a member of {organization_name!r}", field="username", value=username
            )
        return _put(actor, organization, user, role)


def remove_member(actor: Actor, organization_name: str, username: str) -> None:
    """Ends a membership, with the user's places in the organisation's teams. Members may leave by themselves."""
    require_somebody(actor)
    organization = organization_by_name(organization_name)
    user = user_by_name(username)
    if user.pk != actor.user_id or actor.token_role in ("read", "fineGrained"):
        require(actor, "org.admin", thing_of(organization), see="namespace.view")
    with transaction.atomic():
        membership = Membership.objects.filter(organization=organization, user=user).first()
        if membership is None:
            raise NotFound(
                f"{username!r} is not a member of {organization_name!r}", field="username", value=username
            )
        keep_an_admin(organization, user)
        membership.delete()
        for team in Team.objects.filter(organization=organization, members=user):
            team.members.remove(user)
        RepoRole.objects.filter(user=user, namespace_id=organization.namespace_id).delete()
        emit(
            MemberRemoved(
                organization_id=organization.pk, name=organization.namespace.name,
                user_id=user.pk, username=user.username, by_user_id=actor.user_id or None,
            )
        )  # fmt: skip


def organization_by_name(name: str) -> Organization:
    """The organisation of that name in any case. Raises NotFound."""
    space = (
        Namespace.objects.select_related("organization")
        .filter(lower_name=storable(name.lower()), is_organization=True)
        .first()
    )
    if space is None:
        raise NotFound(f"There is no organization {name!r}", field="name", value=name)
    return space.organization


def thing_of(organization: Organization) -> NamespaceThing:
    """An organisation as permissions are asked about it."""
    return NamespaceThing(organization.namespace_id, organization.namespace.name, is_organization=True)


def join(organization: Organization, user: User, role: Role, *, by: Actor) -> Membership:
    """Makes someone a member whose right to it is settled by an invitation; a higher role that they hold stays."""
    held = Membership.objects.filter(organization=organization, user=user).first()
    return held if held and held.role >= role else _put(by, organization, user, role)


def _put(actor: Actor, organization: Organization, user: User, role: Role) -> Membership:
    if role < Role.ADMIN:
        keep_an_admin(organization, user)
    membership, _ = Membership.objects.update_or_create(
        organization=organization, user=user, defaults={"role": role.value}
    )
    emit(
        RoleChanged(
            organization_id=organization.pk, name=organization.namespace.name, user_id=user.pk,
            username=user.username, role=role_name(role), by_user_id=actor.user_id or None,
        )
    )  # fmt: skip
    return membership


def keep_an_admin(organization: Organization, user: User) -> None:
    """Inside a transaction, before a user is no admin any more: raises Forbidden for the last one."""
    # locks the organisation's row on PostgreSQL, so that two admins cannot demote each other at once
    Organization.objects.select_for_update().get(pk=organization.pk)
    admins = set(
        Membership.objects.filter(
            organization=organization, role=Role.ADMIN.value, user__is_active=True
        ).values_list("user_id", flat=True)
    )
    if admins == {user.pk}:
        raise Forbidden(
            f"{user.username!r} is the last admin of {organization.namespace.name!r}",
            field="username",
            value=user.username,
        )
