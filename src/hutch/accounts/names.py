"""The names of users and organisations: one list for both, unique without regard to case."""

from __future__ import annotations

import re
from collections.abc import Callable

from hutch.accounts.models import Namespace
from hutch.core.errors import BadRequest, Conflict

LONGEST = 42
_LONGEST_BY_ADMIN = 96

# The words that stand first in an address of the hub, now or in a later room.
RESERVED = frozenset(
    """
    _cas about account accounts admin api apps arena assets
    auth avatars billing blog brand buckets cas chat collections
    compare compress confirm-email contact dashboard datasets device discussions docs download email enterprise
    favicon.ico fonts front health help home huggingface hutch images inactive inference inference-endpoints info
    invitations invite jobs join kernels language learn lfs likes login logout mcp me media metrics mfa models new
    new-bucket new-dataset new-space
    notifications oauth organizations orgs oidc papers passkeys password playground posts pricing privacy
    profile raw reauthenticate recovery-codes resolve resources robots.txt router saml scim search security
    sessions settings setup sign-in sign-out sign-up signin signup sitemap.xml spaces sso static status storage
    support tasks terms token tokens training tree upload uploads user users v1 v2 webhooks well-known xet
    """.split()
)
_CHOSEN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_BY_ADMIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")

# Rooms that give out names at the top of the address space too (a model `gpt2`) say here whether one is theirs.
occupied: list[Callable[[str], bool]] = []


def check_name(name: str, *, by_admin: bool = False, field: str = "name") -> None:
    """Returns if a user or an organisation may have this name; an administrator may give more than people may choose.

    Raises BadRequest that names the rule, with the name and the limit.
    """
    longest = _LONGEST_BY_ADMIN if by_admin else LONGEST
    shortest = 1 if by_admin else 2
    if not shortest <= len(name) <= longest:
        raise BadRequest(
            f"{field} {name!r} has {len(name)} characters; it must have {shortest} to {longest}",
            field=field, value=name, limit=longest,
        )  # fmt: skip
    if not (_BY_ADMIN if by_admin else _CHOSEN).fullmatch(name):
        edge = "letters, digits and '_'" if by_admin else "letters and digits"
        raise BadRequest(
            f"{field} {name!r} may have letters, digits, '-', '_' and '.', and {edge} at its ends",
            field=field,
            value=name,
        )
    if "--" in name or ".." in name:
        raise BadRequest(f"{field} {name!r} must not have '--' or '..' in it", field=field, value=name)
    if name.lower() in RESERVED or name.lower().endswith((".git", ".lock", ".wiki")):
        raise BadRequest(f"{field} {name!r} is reserved", field=field, value=name)


def claim(name: str, *, is_organization: bool, by_admin: bool) -> Namespace:
    """Takes the name, inside the caller's transaction. Raises BadRequest, or Conflict if somebody has it."""
    check_name(name, by_admin=by_admin)
    if is_taken(name):
        raise Conflict(f"The name {name!r} is taken", field="name", value=name)
    return Namespace.objects.create(name=name, is_organization=is_organization)


def hold(namespace_id: int, name: str) -> None:
    """Keeps a name with its holder until the caller's transaction ends. Raises Conflict if it has just changed."""
    if not Namespace.objects.select_for_update().filter(pk=namespace_id, name=name).first():
        raise Conflict(f"{name!r} has just changed its name: try again", field="namespace", value=name)


def is_taken(name: str) -> bool:
    """Whether a user or an organisation has this name in any case, or another room has given it out."""
    return Namespace.objects.filter(lower_name=name.lower()).exists() or any(has(name) for has in occupied)
