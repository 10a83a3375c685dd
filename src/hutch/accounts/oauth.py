"""The device flow of `hf auth login` (RFC 8628) and the renewal of what it gives (RFC 6749, section 6).

Refresh tokens are used once. A used one that comes again means that two hold it, and ends all of that sign-in; except
within a minute, when the answer was probably lost on its way.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction

from hutch.accounts import attempts, tokens
from hutch.accounts.actors import token_digest
from hutch.accounts.models import AccessToken, DeviceGrant, RefreshToken, User
from hutch.accounts.permissions import require_somebody
from hutch.accounts.users import thing_of
from hutch.core import clock
from hutch.core.errors import BadRequest, HutchError, NotFound
from hutch.core.permissions import Actor, require

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CODE_LIFE_S = 900
INTERVAL_S = 5
# huggingface_hub renews a token when less than a day of it is left
ACCESS_LIFE = timedelta(days=8)
REFRESH_LIFE = timedelta(days=60)
_OLD_ACCESS_KEPT = timedelta(hours=1)
_REPEAT_ALLOWED = timedelta(minutes=1)
# without vowels no words, and nothing that is mistaken for something else
_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_MAY_WRITE = frozenset({"write-repos", "manage-repos", "contribute-repos"})


class OAuthError(HutchError):
    """A refusal in the words of RFC 6749, section 5.2, and RFC 8628, section 3.5."""

    status = 400
    code = "OAuthError"

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(frozen=True, slots=True)
class Started:
    """A sign-in that waits for its user: what the device keeps and what it shows."""

    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Issued:
    """What a device gets."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    scope: str


def start(client_id: str, scope: str, client_ip: str) -> Started:
    """Begins a sign-in on another device. Raises OAuthError, and RateLimited where one address begins too many."""
    if not client_id or len(client_id) > 200 or not client_id.isprintable():
        raise OAuthError("invalid_client", "client_id must be there, with at most 200 characters")
    if len(scope) > 500 or not scope.isprintable():
        raise OAuthError("invalid_scope", "scope has more than 500 characters, or some that cannot be shown")
    attempts.spend(f"device:{client_ip}", limit=60, within_s=300)
    moment = clock.now()
    device_code = secrets.token_urlsafe(32)
    with transaction.atomic():
        DeviceGrant.objects.filter(expires_at__lt=moment - timedelta(days=1)).delete()
        grant = DeviceGrant.objects.create(
            device_sha256=token_digest(device_code), user_code=_new_code(), client_id=client_id, scope=scope,
            interval_s=INTERVAL_S, expires_at=moment + timedelta(seconds=CODE_LIFE_S),
        )  # fmt: skip
    return Started(device_code, grant.user_code)


def waiting(actor: Actor, user_code: str) -> DeviceGrant:
    """The sign-in that shows this code, for the page on which its user approves it. Raises NotFound."""
    require_somebody(actor)
    attempts.spend(f"user-code:{actor.user_id}", limit=30, within_s=300)
    letters = "".join(c for c in user_code.upper() if c.isalnum())
    found = DeviceGrant.objects.filter(
        user_code=f"{letters[:4]}-{letters[4:]}", user=None, denied=False, expires_at__gt=clock.now()
    ).first()
    if found is None:
        raise NotFound(
            "This code is unknown, has been used or has expired", field="user_code", value=user_code
        )
    return found


def decide(actor: Actor, user_code: str, *, approve: bool) -> None:
    """The user says yes or no, in a signed-in browser: a token cannot approve another one."""
    grant = waiting(actor, user_code)
    user = User.objects.get(pk=actor.user_id)
    require(actor, "token.create", thing_of(user), see="namespace.view")
    if actor.token_id is not None:
        raise BadRequest("Sign in with a browser to approve a device")
    changed = DeviceGrant.objects.filter(pk=grant.pk, user=None, denied=False)
    if not (changed.update(user=user) if approve else changed.update(denied=True)):
        raise NotFound("This code has been used already", field="user_code", value=user_code)


def redeem(device_code: str, client_id: str) -> Issued:
    """What a device that polls gets: its tokens once approved. Raises OAuthError with the state as its `error`."""
    with transaction.atomic():
        grant = (
            DeviceGrant.objects.select_for_update().filter(device_sha256=token_digest(device_code)).first()
        )
        if grant is None or grant.client_id != client_id:
            raise OAuthError("invalid_grant", "The device code is unknown or was used")
        if grant.user is not None and grant.user.is_active and grant.expires_at > clock.now():
            grant.delete()
            return _issue(grant.user, grant.client_id, grant.scope, secrets.token_hex(16))
    raise _state(grant)


def renew(refresh_token: str, client_id: str) -> Issued:
    """A new pair for a refresh token, which is used up by it. Raises OAuthError("invalid_grant")."""
    moment = clock.now()
    with transaction.atomic():
        row = RefreshToken.objects.select_for_update().filter(sha256=token_digest(refresh_token)).first()
        stolen = row is not None and row.used_at is not None and moment - row.used_at > _REPEAT_ALLOWED
        if row is not None and stolen:
            _end_family(row.family)
    if (
        row is None
        or stolen
        or row.client_id != client_id
        or row.revoked_at
        or row.expires_at <= moment
        or not row.user.is_active
    ):
        raise OAuthError("invalid_grant", "The refresh token is unknown, used, expired or revoked")
    with transaction.atomic():
        old = row.access_token
        if old.revoked_at is not None:
            raise OAuthError("invalid_grant", "The sign-in was revoked")
        RefreshToken.objects.filter(pk=row.pk, used_at=None).update(used_at=moment)
        # what still runs with the old token may end in peace
        until = min(filter(None, [old.expires_at, moment + _OLD_ACCESS_KEPT]))
        AccessToken.objects.filter(pk=old.pk).update(expires_at=until)
        return _issue(row.user, client_id, "", row.family, kind=old.kind)


def revoke(word: str) -> None:
    """Ends a sign-in by one of its tokens (RFC 7009); an unknown one is no error."""
    row = RefreshToken.objects.filter(sha256=token_digest(word)).first()
    if row is None:
        access = AccessToken.objects.filter(sha256=token_digest(word), is_oauth=True).first()
        row = RefreshToken.objects.filter(access_token=access).first() if access else None
    if row is not None:
        _end_family(row.family)


def _issue(user: User, client_id: str, scope: str, family: str, kind: str | None = None) -> Issued:
    moment = clock.now()
    number = RefreshToken.objects.filter(family=family).count() + 1
    token, word = tokens.issue(
        user, name=f"hf auth login {family[:8]}-{number}", role=kind or _kind(scope),
        expires_at=moment + ACCESS_LIFE, is_oauth=True, by=user.pk,
    )  # fmt: skip
    refresh = tokens.new_word("hf_refresh_", 48)
    RefreshToken.objects.create(
        sha256=token_digest(refresh), user=user, access_token=token, client_id=client_id, family=family,
        expires_at=moment + REFRESH_LIFE,
    )  # fmt: skip
    return Issued(word, refresh, int(ACCESS_LIFE.total_seconds()), scope)


def _kind(scope: str) -> str:
    words = set(scope.replace(",", " ").split())
    return "write" if not words or words & _MAY_WRITE else "read"


def _state(grant: DeviceGrant) -> OAuthError:
    moment = clock.now()
    if grant.expires_at <= moment:
        return OAuthError("expired_token", "The code has expired: start again")
    if grant.denied or grant.user is not None:
        return OAuthError("access_denied", "The sign-in was denied")
    early = grant.polled_at is not None and moment - grant.polled_at < timedelta(seconds=grant.interval_s - 1)
    grant.polled_at = moment
    if early:
        grant.interval_s = min(grant.interval_s + 5, 300)
    grant.save(update_fields=["polled_at", "interval_s"])
    if early:
        return OAuthError("slow_down", f"Wait {grant.interval_s} s between two requests")
    return OAuthError("authorization_pending", "The user has not approved yet")


def _end_family(family: str) -> None:
    moment = clock.now()
    with transaction.atomic():
        rows = RefreshToken.objects.filter(family=family)
        for row in rows.select_related("access_token__user"):
            if row.access_token.revoked_at is None:
                tokens.end_token(row.access_token, by=None)
        rows.filter(revoked_at=None).update(revoked_at=moment)


def _new_code() -> str:
    while True:
        letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(8))
        code = f"{letters[:4]}-{letters[4:]}"
        if not DeviceGrant.objects.filter(user_code=code).exists():
            return code
