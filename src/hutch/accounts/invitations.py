"""One-time links: to an account, to an organisation, to a new password, to the first administrator's account.

Only a hash of the link's word is kept. Looking at a link does not use it up, so that mail scanners do no harm.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.db import transaction

from hutch.accounts import organizations
from hutch.accounts.actors import token_digest
from hutch.accounts.events import InvitationCreated, InvitationUsed
from hutch.accounts.models import Invitation, Membership, Organization, User
from hutch.accounts.organizations import organization_by_name
from hutch.accounts.permissions import HUB, require_somebody
from hutch.accounts.users import checked_email, new_user, put_password, user_by_name
from hutch.core import clock
from hutch.core.errors import Conflict, NotFound, Unauthorized
from hutch.core.events import emit
from hutch.core.permissions import Actor, Role, require
from hutch.settings import current

Purpose = Invitation.Purpose
_LIFE = {
    Purpose.SETUP: timedelta(days=30), Purpose.SIGN_UP: timedelta(days=14),
    Purpose.ORGANIZATION: timedelta(days=14), Purpose.PASSWORD: timedelta(days=3),
}  # fmt: skip


def setup_link() -> str | None:
    """The address of the first administrator's set-up, another one at each call; None where there is one."""
    if User.objects.filter(is_staff=True, is_active=True).exists():
        return None
    with transaction.atomic():
        Invitation.objects.filter(purpose=Purpose.SETUP, used_at=None).delete()
        word = _make(Purpose.SETUP, by=None)
    return f"{_reachable(current().url)}/setup/{word}"


def sign_up_link(actor: Actor, *, email: str = "", base_url: str = "") -> str:
    """A link by which one person makes an account; only an administrator hands it out."""
    require(actor, "hub.admin", HUB, see="hub.view")
    with transaction.atomic():
        word = _make(Purpose.SIGN_UP, by=actor, email=checked_email(email))
    return f"{base_url or current().url}/invitations/{word}"


def password_link(actor: Actor, username: str, *, base_url: str = "") -> str:
    """A link by which a user sets a new password; an older one ends."""
    require(actor, "hub.admin", HUB, see="hub.view")
    user = user_by_name(username)
    with transaction.atomic():
        Invitation.objects.filter(purpose=Purpose.PASSWORD, user=user, used_at=None).delete()
        word = _make(Purpose.PASSWORD, by=actor, user=user)
    return f"{base_url or current().url}/password/link/{word}"


def organization_link(actor: Actor, name: str, role: Role, *, email: str = "", base_url: str = "") -> str:
    """A link by which one person becomes a member.

    It makes an account too if an administrator of the hub handed it out, or where anyone may sign up.
    """
    require_somebody(actor)
    organization = organization_by_name(name)
    require(actor, "org.admin", organizations.thing_of(organization), see="namespace.view")
    with transaction.atomic():
        word = _make(
            Purpose.ORGANIZATION, by=actor, organization=organization, role=role, email=checked_email(email)
        )
    return f"{base_url or current().url}/invitations/{word}"


def pending(actor: Actor, name: str) -> list[Invitation]:
    """The links of an organisation that nobody has used yet."""
    require_somebody(actor)
    organization = organization_by_name(name)
    require(actor, "org.admin", organizations.thing_of(organization), see="namespace.view")
    return list(organization.invitations.filter(used_at=None, expires_at__gt=clock.now()).order_by("-pk"))


def withdraw(actor: Actor, name: str, invitation_id: int) -> None:
    """Ends a link of an organisation."""
    if not [row.delete() for row in pending(actor, name) if row.pk == invitation_id]:
        raise NotFound(
            "This invitation has been used, withdrawn or has expired", field="invitation", value=invitation_id
        )


def find(word: str, *purposes: Purpose) -> Invitation:
    """The invitation of a link, if it still holds. Raises NotFound, the same for all reasons."""
    row = (
        Invitation.objects.select_related("user", "organization__namespace", "created_by")
        .filter(sha256=token_digest(word), purpose__in=purposes, used_at=None, expires_at__gt=clock.now())
        .first()
    )
    if row is None or (
        row.purpose == Purpose.SETUP and User.objects.filter(is_staff=True, is_active=True).exists()
    ):
        raise NotFound("This link has been used, has expired or was never given out")
    return row


def makes_accounts(row: Invitation) -> bool:
    """Whether somebody without an account may make one by this link."""
    if row.purpose != Purpose.ORGANIZATION:
        return row.purpose in (Purpose.SETUP, Purpose.SIGN_UP)
    # by the command line, or by an administrator who still is one
    by_admin = row.created_by is None or (row.created_by.is_staff and row.created_by.is_active)
    return by_admin or current().open_sign_up


def accept_as_new(word: str, *, name: str, email: str, full_name: str, password: str) -> User:
    """Makes the account that a link promises, with its membership. Raises as `users.create_user` does, and NotFound."""
    with transaction.atomic():
        row = _use(word, Purpose.SETUP, Purpose.SIGN_UP, Purpose.ORGANIZATION)
        if not makes_accounts(row):
            raise Unauthorized("Sign in to accept this invitation")
        is_admin = row.purpose == Purpose.SETUP
        user = new_user(
            name, email=email, full_name=full_name, password=password, is_admin=is_admin, by_admin=is_admin,
            email_is_verified=is_admin or (bool(row.email) and row.email == checked_email(email)),
        )  # fmt: skip
        _join(row, user)
    return user


def accept_as(actor: Actor, word: str) -> Membership:
    """Makes the signed-in user a member. Raises NotFound, Unauthorized; Conflict for a member of no lower role."""
    require_somebody(actor)
    if actor.token_id is not None:
        raise Unauthorized("Sign in with a browser to accept an invitation")
    with transaction.atomic():
        user = User.objects.get(pk=actor.user_id)
        row = _use(word, Purpose.ORGANIZATION)
        organization = row.organization
        assert organization is not None
        held = Membership.objects.filter(organization=organization, user=user).first()
        if held is not None and held.role >= row.role:
            raise Conflict(f"You are a member of {organization.namespace.name!r} already")
        return _join(row, user)  # type: ignore[return-value]


def set_password_by(word: str, password: str) -> User:
    """Sets the password for which the link was given. Raises NotFound, and BadRequest for a weak one."""
    with transaction.atomic():
        row = _use(word, Purpose.PASSWORD)
        assert row.user is not None
        put_password(row.user, password, by=row.user_id)
        emit(InvitationUsed(invitation_id=row.pk, purpose=row.purpose, user_id=row.user.pk))
    return row.user


def _reachable(url: str) -> str:
    # a server that listens everywhere is nowhere to be found under that name
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


def _join(row: Invitation, user: User) -> Membership | None:
    emit(InvitationUsed(invitation_id=row.pk, purpose=row.purpose, user_id=user.pk))
    if row.organization is None:
        return None
    by = Actor(user_id=row.created_by_id or 0)
    return organizations.join(row.organization, user, Role(row.role), by=by)


def _use(word: str, *purposes: Purpose) -> Invitation:
    row = find(word, *purposes)
    if not Invitation.objects.filter(pk=row.pk, used_at=None).update(used_at=clock.now()):
        raise NotFound("This link has been used, has expired or was never given out")
    return row


def _make(
    purpose: Purpose,
    *,
    by: Actor | None,
    email: str = "",
    user: User | None = None,
    organization: Organization | None = None,
    role: Role = Role.READ,
) -> str:
    word = secrets.token_urlsafe(32)
    by_user_id = (by.user_id or None) if by else None
    row = Invitation.objects.create(
        purpose=purpose, sha256=token_digest(word), email=email, user=user, organization=organization,
        role=role.value, created_by_id=by_user_id, expires_at=clock.now() + _LIFE[purpose],
    )  # fmt: skip
    emit(InvitationCreated(invitation_id=row.pk, purpose=purpose.value, by_user_id=by_user_id))
    return word
