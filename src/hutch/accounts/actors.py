"""Makes the one Actor of a request from its token or its session. Plain SQL: this runs before everything else."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.db import OperationalError, connection
from django.utils.crypto import constant_time_compare

from hutch.accounts import scopes
from hutch.accounts.models import AccessToken, User
from hutch.accounts.sessions import SessionStore
from hutch.core import clock
from hutch.core.errors import Unauthorized
from hutch.core.permissions import Actor, Grant, Role
from hutch.settings import current

log = logging.getLogger("hutch.accounts")
_LAST_USE_GRAIN = timedelta(minutes=5)

_TOKENS_SQL = """
SELECT t.id, t.kind, t.grants, t.expires_at, t.revoked_at, t.last_used_at,
       u.id, u.username, u.is_staff, u.is_active, u.namespace_id
  FROM accounts_accesstoken t JOIN accounts_user u ON u.id = t.user_id"""
_TOKEN_SQL = f"{_TOKENS_SQL} WHERE t.sha256 = %s"
_TOKEN_BY_ID_SQL = f"{_TOKENS_SQL} WHERE t.id = %s"
_ORG_SQL = """
SELECT o.namespace_id, m.role FROM accounts_membership m
  JOIN accounts_organization o ON o.id = m.organization_id WHERE m.user_id = %s"""
_REPO_SQL = """
SELECT repo_id, MAX(role) FROM accounts_reporole
 WHERE user_id = %s OR team_id IN (SELECT team_id FROM accounts_team_members WHERE user_id = %s) GROUP BY repo_id"""


def token_digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def nobody() -> Actor:
    """The actor of a request without credentials."""
    return Actor(sees_public=not current().require_sign_in)


def operator() -> Actor:
    """The actor of the command line: whoever may read the data folder may do everything. No row has the key 0."""
    return Actor(user_id=0, is_admin=True)


def identify(headers: Mapping[str, str]) -> Actor:
    """The actor of a request: by Authorization (Bearer, or Basic with a token as password), else by session cookie.

    Raises Unauthorized for credentials that are sent but do not hold; the sentence is one that huggingface_hub knows.
    """
    authorization = headers.get("authorization", "")
    if authorization:
        return by_token(_token_in(authorization))
    user = session_user(headers.get("cookie", ""))
    return of_user(user) if user else nobody()


def by_token(token: str) -> Actor:
    """The actor of a token; Unauthorized if it is unknown, revoked, expired or its user disabled."""
    return _of_token(_TOKEN_SQL, token_digest(token))


def again(user_id: int, token_id: int) -> Actor:
    """The actor of an earlier request, as they stand now; 0 is nobody, and no token. For what we signed ourselves.

    Raises Unauthorized if the token was revoked or has expired, or the user was disabled.
    """
    if token_id:
        return _of_token(_TOKEN_BY_ID_SQL, token_id)
    if not user_id:
        return nobody()
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        raise invalid_credentials()
    return of_user(user)


def _of_token(sql: str, value: str | int) -> Actor:
    with connection.cursor() as cursor:
        cursor.execute(sql, [value])
        row = cursor.fetchone()
    if row is None:
        raise invalid_credentials()
    (
        token_id,
        kind,
        grants,
        expires_at,
        revoked_at,
        last_used_at,
        user_id,
        username,
        is_staff,
        is_active,
        namespace_id,
    ) = row
    moment = clock.now()
    if revoked_at is not None or not is_active or (expires_at is not None and _aware(expires_at) <= moment):
        raise invalid_credentials()
    if last_used_at is None or moment - _aware(last_used_at) > _LAST_USE_GRAIN:
        _note_use(token_id, moment)
    return Actor(
        user_id=user_id, username=username, is_admin=bool(is_staff), token_id=token_id, token_role=kind,
        grants=_grants(grants), roles=_roles(user_id, namespace_id), repo_roles=_repo_roles(user_id),
    )  # fmt: skip


def of_user(user: User) -> Actor:
    """The actor of a signed-in user."""
    return Actor(
        user_id=user.pk, username=user.username, is_admin=user.is_staff,
        roles=_roles(user.pk, user.namespace_id), repo_roles=_repo_roles(user.pk),
    )  # fmt: skip


def session_user(cookie_header: str) -> User | None:
    """The user whose session cookie this is, for wires, which Django's middleware does not reach."""
    if django_settings.SESSION_COOKIE_NAME not in cookie_header:
        return None
    try:
        morsel = SimpleCookie(cookie_header).get(django_settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    if morsel is None:
        return None
    session = SessionStore(morsel.value)
    user = User.objects.filter(pk=session.get(SESSION_KEY), is_active=True).first()
    if user is None or not constant_time_compare(
        session.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()
    ):
        return None
    return user


def invalid_credentials() -> Unauthorized:
    """The refusal that huggingface_hub tells from a missing repository by its very words."""
    return Unauthorized("Invalid credentials in Authorization header")


def _token_in(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        raise invalid_credentials()
    try:
        name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise invalid_credentials() from error
    return password or name


def _note_use(token_id: int, moment: datetime) -> None:
    try:
        AccessToken.objects.filter(id=token_id).update(last_used_at=moment)
    except OperationalError as error:  # a full disk must not keep anybody from reading
        log.warning("the last use of token %d could not be noted: %s", token_id, error)


def _roles(user_id: int, namespace_id: int) -> dict[int, Role]:
    with connection.cursor() as cursor:
        cursor.execute(_ORG_SQL, [user_id])
        roles = {namespace: Role(role) for namespace, role in cursor.fetchall()}
    return {**roles, namespace_id: Role.ADMIN}


def _repo_roles(user_id: int) -> dict[int, Role]:
    with connection.cursor() as cursor:
        cursor.execute(_REPO_SQL, [user_id, user_id])
        return {repo_id: Role(role) for repo_id, role in cursor.fetchall()}


def _grants(stored: Any) -> tuple[Grant, ...]:
    lines = json.loads(stored) if isinstance(stored, str) else stored
    return scopes.from_rows(lines or [])


def _aware(moment: Any) -> Any:
    if isinstance(moment, str):  # SQLite hands raw SQL its text
        moment = datetime.fromisoformat(moment)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
