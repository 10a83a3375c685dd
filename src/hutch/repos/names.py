"""What a repository may be called, and in whose name."""

from __future__ import annotations

import re

from django.db import connection

from hutch.accounts.names import RESERVED
from hutch.accounts.permissions import NamespaceThing
from hutch.core.errors import BadRequest, Forbidden, NotFound, Unauthorized
from hutch.core.permissions import Actor, allows
from hutch.core.text import is_storable
from hutch.repos.errors import InvalidName
from hutch.repos.models import GIT_TYPES, Repo, RepoType

MAX_NAME_CHARACTERS = 96
_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
# Words that follow a namespace in an address of the hub.
_RESERVED_NAMES = frozenset(
    {"settings", "followers", "following", "likes", "members", "teams", "new", "discussions"}
)

_NAMESPACE_SQL = "SELECT id, name, is_organization FROM accounts_namespace WHERE lower_name = %s"


def check_type(type_: object, *, with_git: bool = False) -> str:
    """A repository type, perhaps only one that has git; nothing is a model. Raises BadRequest."""
    if type_ is None:
        return RepoType.MODEL.value
    names = GIT_TYPES if with_git else RepoType.values
    if type_ not in names:
        known = ", ".join(names)
        raise BadRequest(f"type must be one of {known}", field="type", value=type_, limit=known)
    return str(type_)


def check_name(name: str, *, field: str = "name") -> str:
    """The last part of a repository's name. Raises InvalidName that says which rule it breaks."""
    if not 1 <= len(name) <= MAX_NAME_CHARACTERS:
        raise InvalidName(
            f"A repository's name has 1 to {MAX_NAME_CHARACTERS} characters",
            field=field, value=name, limit=MAX_NAME_CHARACTERS,
        )  # fmt: skip
    if not _NAME.fullmatch(name):
        raise InvalidName(
            "A repository's name has letters, digits, '-', '_' and '.', and not '-' or '.' at its ends",
            field=field,
            value=name,
        )
    if "--" in name or ".." in name:
        raise InvalidName("A repository's name must not have '--' or '..' in it", field=field, value=name)
    if name.lower() in _RESERVED_NAMES or name.lower().endswith((".git", ".lock", ".wiki", ".atom")):
        raise InvalidName(f"The name {name!r} is reserved", field=field, value=name)
    return name


def split(full_name: str, *, field: str = "name") -> tuple[str | None, str]:
    """Namespace (None for a one-segment name) and name. Raises InvalidName."""
    namespace, slash, name = full_name.rpartition("/")
    if "/" in namespace or (slash and not namespace):
        raise InvalidName("A repository's name is `namespace/name`", field=field, value=full_name)
    return namespace or None, check_name(name, field=field)


def namespace_for(actor: Actor, name: str, type_: str) -> NamespaceThing:
    """The namespace of that name, if `actor` may create repositories there.

    Raises Unauthorized (nobody) or Forbidden: the same for a namespace that does not exist.
    """
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
    found = namespace_by_name(name)
    if found is None or not allows(actor, "repo.create", found):
        raise Forbidden(f"You don't have the rights to create a {type_} under the namespace {name!r}")
    return found


def namespace_by_name(name: str) -> NamespaceThing | None:
    """The user's or organisation's name, in any case; None if nobody has it."""
    if not is_storable(name):
        return None
    with connection.cursor() as cursor:
        cursor.execute(_NAMESPACE_SQL, [name.lower()])
        row = cursor.fetchone()
    return NamespaceThing(row[0], row[1], bool(row[2])) if row else None


def require_namespace(name: str) -> NamespaceThing:
    """As `namespace_by_name`; raises NotFound."""
    found = namespace_by_name(name)
    if found is None:
        raise NotFound("There is no user or organisation of this name", field="namespace", value=name)
    return found


def check_one_segment(actor: Actor, name: str) -> None:
    """Names without a namespace are given by administrators, and no page or account may have them already."""
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
    if not actor.is_admin or actor.token_role not in ("session", "write"):
        raise Forbidden("Only administrators of this hub create repositories without a namespace")
    if name.lower() in RESERVED or namespace_by_name(name) is not None:
        raise InvalidName(f"The name {name!r} is reserved or that of an account", field="name", value=name)


def is_one_segment_name(name: str) -> bool:
    """Whether a repository without namespace has this name, in any case; accounts must not take it."""
    return Repo.objects.filter(namespace=None, lower_full_name=name.lower()).exists()
