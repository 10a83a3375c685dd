"""Names change, and those who held them go: of users and of organisations alike."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction

from hutch.accounts import names, organizations
from hutch.accounts.events import NamespaceRenamed, OrganizationDeleted, UserDeleted
from hutch.accounts.models import AccessToken, Namespace, Organization, User
from hutch.accounts.organizations import organization_by_name
from hutch.accounts.permissions import HUB, NamespaceThing, require_somebody
from hutch.accounts.users import keep_an_admin, user_by_name
from hutch.core.errors import Conflict, Forbidden, NotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, require
from hutch.core.text import storable

# Rooms that hold things in a namespace say here how many there are, whoever may see them: namespace key -> number.
holdings: list[Callable[[int], int]] = []
# And here they follow a new name, in its transaction: (actor, namespace key, old name, new name).
followers: list[Callable[[Actor, int, str, str], None]] = []


def rename(actor: Actor, name: str, new_name: str) -> str:
    """Gives a user or an organisation another name; what they hold moves along, and its old addresses lead to it.

    Members' narrow tokens name the new one from then on. The old name is free for others, who take the addresses over
    with it. Raises NotFound, Forbidden, BadRequest for a name that will not do, Conflict for one that is taken.
    """
    require_somebody(actor)
    space = _space(name)
    thing = NamespaceThing(space.pk, space.name, is_organization=space.is_organization)
    require(actor, "org.admin" if space.is_organization else "user.admin", thing, see="namespace.view")
    names.check_name(new_name, by_admin=actor.is_admin, field="new_name")
    try:
        with transaction.atomic():
            space = Namespace.objects.select_for_update().get(pk=space.pk)
            old = space.name
            if new_name.lower() != space.lower_name and names.is_taken(new_name):
                raise Conflict(f"The name {new_name!r} is taken", field="new_name", value=new_name)
            _put(actor, space, new_name)
            renamed = NamespaceRenamed(
                namespace_id=space.pk, old_name=old, name=new_name, is_organization=space.is_organization,
                by_user_id=actor.user_id or None,
            )  # fmt: skip
            emit(renamed, actor=actor)
    except IntegrityError as error:
        raise Conflict(f"The name {new_name!r} is taken", field="new_name", value=new_name) from error
    return new_name


def delete_organization(actor: Actor, name: str) -> None:
    """Removes an organisation that holds nothing any more, with its teams, roles and open invitations.

    Raises Conflict while there is a repository of it.
    """
    require_somebody(actor)
    organization = organization_by_name(name)
    require(actor, "org.admin", organizations.thing_of(organization), see="namespace.view")
    with transaction.atomic():
        space = _emptied(organization.namespace_id)
        Organization.objects.filter(pk=organization.pk).delete()
        space.delete()
        gone = OrganizationDeleted(
            organization_id=organization.pk, name=space.name, by_user_id=actor.user_id or None
        )
        emit(gone, actor=actor)


def delete_user(actor: Actor, username: str) -> None:
    """Removes an account that holds nothing any more, with its tokens, sessions and memberships.

    What it wrote elsewhere stays, without its name. An administrator does this. Raises Forbidden for one's own account,
    the last administrator and the last admin of an organisation; Conflict while there is a repository of it.
    """
    require(actor, "hub.admin", HUB, see="hub.view")
    user = user_by_name(username)
    if user.pk == actor.user_id:
        raise Forbidden("You cannot delete your own account", field="username", value=username)
    with transaction.atomic():
        space = _emptied(user.namespace_id)
        if user.is_staff and user.is_active:
            keep_an_admin(user)
        for organization in Organization.objects.filter(memberships__user=user):
            organizations.keep_an_admin(organization, user)
        User.objects.filter(pk=user.pk).delete()
        space.delete()
        emit(UserDeleted(user_id=user.pk, username=space.name, by_user_id=actor.user_id or None), actor=actor)


def _put(actor: Actor, space: Namespace, new_name: str) -> None:
    old, space.name = space.name, new_name
    space.save(update_fields=["name", "lower_name"])
    User.objects.filter(namespace=space).update(username=new_name)
    for follow in followers:
        follow(actor, space.pk, old, new_name)
    kind = "org" if space.is_organization else "user"
    for token in AccessToken.objects.filter(kind=AccessToken.Kind.FINE_GRAINED, revoked_at=None):
        grants = [
            {**grant, "entity": _renamed(str(grant["entity"]), kind, old.lower(), new_name.lower())}
            for grant in token.grants
        ]
        if grants != token.grants:
            AccessToken.objects.filter(pk=token.pk).update(grants=grants)


def _renamed(entity: str, kind: str, old: str, new: str) -> str:
    """`org:acme`, or `model:acme/bert`, under the new name."""
    what, _, rest = entity.partition(":")
    if what == kind and rest == old:
        return f"{what}:{new}"
    if what not in ("org", "user") and rest.startswith(f"{old}/"):
        return f"{what}:{new}/{rest.removeprefix(f'{old}/')}"
    return entity


def _emptied(namespace_id: int) -> Namespace:
    # locked: nothing comes into it from now on
    space = Namespace.objects.select_for_update().get(pk=namespace_id)
    held = sum(count(namespace_id) for count in holdings)
    if held:
        raise Conflict(
            f"{space.name!r} still holds {held} repositor{'y' if held == 1 else 'ies'}: delete or move them first",
            field="name",
            value=space.name,
        )
    return space


def _space(name: str) -> Namespace:
    space = Namespace.objects.filter(lower_name=storable(name.lower())).first()
    if space is None:
        raise NotFound(f"There is no user or organization {name!r}", field="name", value=name)
    return space
