"""The verbs on people: create, disable, change."""

from __future__ import annotations

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from hutch.accounts import names
from hutch.accounts.events import PasswordChanged, UserChanged, UserCreated, UserDisabled, UserEnabled
from hutch.accounts.models import AccessToken, Namespace, User
from hutch.accounts.permissions import HUB, NamespaceThing, require_somebody
from hutch.accounts.texts import checked_text
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, require
from hutch.core.text import storable


def create_user(
    actor: Actor,
    name: str,
    *,
    email: str = "",
    full_name: str = "",
    password: str | None = None,
    is_admin: bool = False,
) -> User:
    """Makes an account; only an administrator does this, others are invited or sign up.

    Without a password the user cannot sign in until a link has been handed out (`invitations.password_link`).
    Raises BadRequest for a name, address or password that will not do, Conflict for one that is taken.
    """
    require(actor, "hub.admin", HUB, see="hub.view")
    return new_user(
        name, email=email, full_name=full_name, password=password, is_admin=is_admin, by=actor.user_id,
        by_admin=True, email_is_verified=True,
    )  # fmt: skip


def new_user(
    name: str,
    *,
    email: str = "",
    full_name: str = "",
    password: str | None = None,
    is_admin: bool = False,
    by: int | None = None,
    by_admin: bool = False,
    email_is_verified: bool = False,
) -> User:
    """Makes an account for someone whose right to it is settled: by an administrator, an invitation or open sign-up."""
    names.check_name(name, by_admin=by_admin)
    email = checked_email(email)
    user = User(
        username=name, full_name=checked_text("full_name", full_name, 200), email=email, is_staff=is_admin
    )
    if password is None:
        user.set_unusable_password()
    else:
        set_checked_password(user, password)
    try:
        with transaction.atomic():
            if email and EmailAddress.objects.filter(email=email).exists():
                raise Conflict(
                    f"The address {email!r} belongs to another account", field="email", value=email
                )
            user.namespace = names.claim(name, is_organization=False, by_admin=by_admin)
            user.save()
            if email:
                EmailAddress.objects.create(user=user, email=email, verified=email_is_verified, primary=True)
            emit(UserCreated(user_id=user.pk, username=name, by_user_id=by or None, is_admin=is_admin))
    except IntegrityError as error:
        raise Conflict(f"The name {name!r} is taken", field="name", value=name) from error
    return user


def change_profile(
    actor: Actor, username: str, *, full_name: str | None = None, bio: str | None = None
) -> User:
    """Changes what a profile shows. None leaves a field as it is."""
    require_somebody(actor)
    user = user_by_name(username)
    require(actor, "user.admin", thing_of(user), see="namespace.view")
    with transaction.atomic():
        if full_name is not None:
            user.full_name = checked_text("full_name", full_name, 200)
        if bio is not None:
            user.bio = checked_text("bio", bio, 1000, lines=True)
        user.save(update_fields=["full_name", "bio"])
        emit(UserChanged(user_id=user.pk, username=user.username, by_user_id=actor.user_id or None))
    return user


def set_password(actor: Actor, username: str, password: str) -> None:
    """Sets a password and ends every session of that user. A user changes their own by allauth's page."""
    require(actor, "hub.admin", HUB, see="hub.view")
    user = user_by_name(username)
    put_password(user, password, by=actor.user_id)


def put_password(user: User, password: str, *, by: int | None) -> None:
    """Sets a password for someone whose right to it is settled (an administrator, or the holder of a link)."""
    set_checked_password(user, password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        emit(PasswordChanged(user_id=user.pk, username=user.username, by_user_id=by or None))


def disable_user(actor: Actor, username: str) -> User:
    """Locks an account: its sessions and tokens stop working at once, and nothing of it is deleted.

    Raises Forbidden for the actor's own account and for the last administrator's.
    """
    require(actor, "hub.admin", HUB, see="hub.view")
    with transaction.atomic():
        user = user_by_name(username)
        if user.pk == actor.user_id:
            raise Forbidden("You cannot disable your own account", field="username", value=username)
        keep_an_admin(user)
        user.is_active = False
        user.save(update_fields=["is_active"])
        AccessToken.objects.filter(user=user, revoked_at=None).update(revoked_at=clock.now())
        emit(UserDisabled(user_id=user.pk, username=user.username, by_user_id=actor.user_id or None))
    return user


def enable_user(actor: Actor, username: str) -> User:
    """Unlocks an account. Its tokens stay revoked."""
    require(actor, "hub.admin", HUB, see="hub.view")
    with transaction.atomic():
        user = user_by_name(username)
        user.is_active = True
        user.save(update_fields=["is_active"])
        emit(UserEnabled(user_id=user.pk, username=user.username, by_user_id=actor.user_id or None))
    return user


def set_admin(actor: Actor, username: str, is_admin: bool) -> User:
    """Makes someone an administrator of the hub, or no longer one; the last one stays."""
    require(actor, "hub.admin", HUB, see="hub.view")
    with transaction.atomic():
        user = user_by_name(username)
        if not is_admin:
            keep_an_admin(user)
        user.is_staff = is_admin
        user.save(update_fields=["is_staff"])
        emit(UserChanged(user_id=user.pk, username=user.username, by_user_id=actor.user_id or None))
    return user


def reset_second_factors(actor: Actor, username: str) -> User:
    """Takes authenticator app, passkeys and recovery codes from a user who has lost them."""
    require(actor, "hub.admin", HUB, see="hub.view")
    with transaction.atomic():
        user = user_by_name(username)
        Authenticator.objects.filter(user=user).delete()
        emit(UserChanged(user_id=user.pk, username=user.username, by_user_id=actor.user_id or None))
    return user


def user_by_name(username: str) -> User:
    """The user of that name in any case. Raises NotFound."""
    space = (
        Namespace.objects.select_related("user")
        .filter(lower_name=storable(username.lower()), is_organization=False)
        .first()
    )
    if space is None:
        raise NotFound(f"There is no user {username!r}", field="username", value=username)
    return space.user


def thing_of(user: User) -> NamespaceThing:
    """A user as permissions are asked about them."""
    return NamespaceThing(user.namespace_id, user.username, is_organization=False)


def checked_email(email: str) -> str:
    """The address, lower case; BadRequest if it is not one. Empty stays empty."""
    email = email.strip().lower()
    if email:
        try:
            validate_email(email)
        except ValidationError as error:
            raise BadRequest(
                f"email {email!r} is not an e-mail address", field="email", value=email
            ) from error
    return email


def set_checked_password(user: User, password: str) -> None:
    """Puts a password into the (unsaved) user. Raises BadRequest with the rules that it breaks, never the password."""
    if len(password) > 1000:
        raise BadRequest("The password has more than 1000 characters", field="password", limit=1000)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadRequest(" ".join(error.messages), field="password") from error
    user.set_password(password)


def keep_an_admin(user: User) -> None:
    """Inside a transaction, before a user administers no more: raises Forbidden for the last who does."""
    # locks all of them on PostgreSQL, so that two cannot end each other at once
    admins = User.objects.select_for_update().filter(is_staff=True, is_active=True).order_by("pk")
    if [row.pk for row in admins] == [user.pk]:
        raise Forbidden("This is the last administrator of the hub", field="username", value=user.username)
