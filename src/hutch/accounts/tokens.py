"""The verbs on access tokens: `hf_...` words of which only a hash is kept."""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from hutch.accounts.actors import token_digest
from hutch.accounts.events import TokenCreated, TokenRevoked
from hutch.accounts.models import AccessToken, Membership, User
from hutch.accounts.organizations import organization_by_name
from hutch.accounts.organizations import thing_of as organization_thing
from hutch.accounts.permissions import require_somebody
from hutch.accounts.scopes import checked_grants
from hutch.accounts.texts import checked_text
from hutch.accounts.users import thing_of, user_by_name
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, Grant, require

ROLES = ("read", "write", "fineGrained")
_WORD = re.compile(r"hf_[A-Za-z0-9_]{1,200}")
_LETTERS = string.ascii_letters + string.digits
_MOST_TOKENS = 500


def create_token(
    actor: Actor,
    username: str,
    *,
    name: str,
    role: str,
    grants: Sequence[Grant] = (),
    expires_at: datetime | None = None,
    value: str | None = None,
) -> tuple[AccessToken, str]:
    """Makes a token of a user and returns it with its value, which is not kept.

    A session or a write token may make tokens of its own user; a read or a fine-grained one never can, since it would
    make one stronger than itself. `value` imports a token of another hub. Raises Conflict if name or value is taken.
    """
    require_somebody(actor)
    user = user_by_name(username)
    require(actor, "token.create", thing_of(user), see="namespace.view")
    if role not in ROLES:
        raise BadRequest(f"role {role!r} is not one of {', '.join(ROLES)}", field="role", value=role)
    if value is not None and not _WORD.fullmatch(value):
        raise BadRequest("value must be 'hf_' and then 1 to 200 letters, digits or '_'", field="value")
    if expires_at is not None and expires_at <= clock.now():
        raise BadRequest("expires_at must lie in the future", field="expires_at", value=clock.iso(expires_at))
    if role != "fineGrained" and grants:
        raise BadRequest("permissions are for fineGrained tokens only", field="permissions")
    return issue(
        user, name=checked_text("name", name, 96, required=True), role=role,
        grants=checked_grants(grants) if role == "fineGrained" else [],
        expires_at=expires_at, value=value, by=actor.user_id,
    )  # fmt: skip


def issue(
    user: User,
    *,
    name: str,
    role: str,
    grants: Sequence[dict[str, object]] = (),
    expires_at: datetime | None = None,
    value: str | None = None,
    is_oauth: bool = False,
    by: int | None = None,
) -> tuple[AccessToken, str]:
    """Writes a token whose parts have been checked and permitted."""
    word = value or new_word("hf_oauth_" if is_oauth else "hf_")
    try:
        with transaction.atomic():
            if AccessToken.objects.filter(user=user, revoked_at=None).count() >= _MOST_TOKENS:
                raise Conflict(
                    f"{user.username!r} has {_MOST_TOKENS} tokens; revoke some", limit=_MOST_TOKENS
                )
            if AccessToken.objects.filter(user=user, name=name, revoked_at=None).exists():
                raise Conflict(
                    f"{user.username!r} has a token named {name!r} already", field="name", value=name
                )
            token = AccessToken.objects.create(
                user=user, name=name, sha256=token_digest(word), hint=_hint(word),
                kind=role, grants=list(grants), expires_at=expires_at, is_oauth=is_oauth,
            )  # fmt: skip
            emit(
                TokenCreated(
                    token_id=token.pk, user_id=user.pk, username=user.username, name=name, role=role,
                    by_user_id=by or None,
                )
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("This token exists already", field="value") from error
    return token, word


def _hint(word: str) -> str:
    # a short imported word would be given away by its end
    return f"hf_...{word[-4:]}" if len(word) >= 20 else "hf_..."


def new_word(prefix: str, characters: int = 34) -> str:
    """A token of 34 random letters and digits (202 bits) after its prefix."""
    return prefix + "".join(secrets.choice(_LETTERS) for _ in range(characters))


def tokens_of(actor: Actor, username: str) -> QuerySet[AccessToken]:
    """The tokens of a user that hold, newest first."""
    require_somebody(actor)
    user = user_by_name(username)
    require(actor, "token.list", thing_of(user), see="namespace.view")
    return AccessToken.objects.filter(user=user, revoked_at=None).order_by("-created_at", "-pk")


def revoke_token(
    actor: Actor, username: str, *, token_id: int | None = None, name: str | None = None
) -> AccessToken:
    """Ends a token, by its key or its name. A token may always end itself. Raises NotFound."""
    require_somebody(actor)
    user = user_by_name(username)
    found = AccessToken.objects.filter(user=user, revoked_at=None)
    found = found.filter(pk=token_id) if token_id is not None else found.filter(name=name)
    token = found.first()
    if token is None or token.pk != actor.token_id:
        require(actor, "token.revoke", thing_of(user), see="namespace.view")
    if token is None:
        raise NotFound(f"{username!r} has no such token", field="token", value=name or token_id)
    return end_token(token, by=actor.user_id)


def revoke_for_organization(actor: Actor, organization_name: str, word: str) -> AccessToken:
    """Ends a member's token that has leaked, by its value, asked for by an admin of an organisation.

    Raises NotFound if no member has that token, without telling whether someone else has.
    """
    require_somebody(actor)
    organization = organization_by_name(organization_name)
    require(actor, "org.admin", organization_thing(organization), see="namespace.view")
    token = (
        AccessToken.objects.select_related("user").filter(sha256=token_digest(word), revoked_at=None).first()
    )
    members = Membership.objects.filter(organization=organization)
    if token is None or not members.filter(user_id=token.user_id).exists():
        raise NotFound("No member of this organization has such a token", field="token")
    return end_token(token, by=actor.user_id)


def end_token(token: AccessToken, *, by: int | None) -> AccessToken:
    """Revokes a token whose end is settled."""
    if token.revoked_at is not None:
        raise Forbidden("The token has been revoked already")
    with transaction.atomic():
        token.revoked_at = clock.now()
        token.save(update_fields=["revoked_at"])
        emit(
            TokenRevoked(
                token_id=token.pk, user_id=token.user_id, username=token.user.username, name=token.name,
                by_user_id=by or None,
            )
        )  # fmt: skip
    return token
