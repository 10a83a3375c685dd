"""Fine-grained tokens: which permissions on which user, organisation or repository, in the shape that clients know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from hutch.core.errors import BadRequest
from hutch.core.permissions import Grant

# permission -> what it lets a token do, as the token page explains it
PERMISSIONS: dict[str, str] = {
    "repo.content.read": "Read the contents of private repositories",
    "repo.write": "Read and change repositories: files, settings, creation and deletion",
    "user.read": "Read the account's e-mail address and memberships",
    "user.write": "Change the account's profile",
    "org.read": "Read the organization's members",
    "org.write": "Change the organization's settings and members",
}
_ON_REPOS = frozenset({"repo.content.read", "repo.write"})
_BY_TYPE: dict[str, frozenset[str]] = {
    "user": _ON_REPOS | {"user.read", "user.write"},
    "org": _ON_REPOS | {"org.read", "org.write"},
    "model": _ON_REPOS, "dataset": _ON_REPOS, "space": _ON_REPOS, "kernel": _ON_REPOS,
    "bucket": _ON_REPOS,
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]*")
EVERYWHERE = "*"
_MOST_GRANTS = 200


def checked_grants(grants: Sequence[Grant]) -> list[dict[str, object]]:
    """Grants as they are stored. Raises BadRequest for an unknown kind of thing or a permission that it does not have.

    The thing itself need not exist, nor may its existence be told from the answer.
    """
    if len(grants) > _MOST_GRANTS:
        raise BadRequest(
            f"A token has at most {_MOST_GRANTS} lines of permissions", field="scoped", limit=_MOST_GRANTS
        )
    stored: dict[str, set[str]] = {}
    for grant in grants:
        _check(grant)
        if grant.permissions:
            stored.setdefault(grant.entity.lower(), set()).update(grant.permissions)
    return [{"entity": entity, "permissions": sorted(words)} for entity, words in stored.items()]


def from_client(shape: dict[str, Any]) -> list[Grant]:
    """`{"global": [...], "scoped": [{"entity": {"type", "name"}, "permissions": [...]}]}` as grants."""
    grants = []
    if shape.get("global"):
        grants.append(Grant(EVERYWHERE, _words(shape["global"], "global")))
    scoped = shape.get("scoped", [])
    if not isinstance(scoped, list):
        raise BadRequest("scoped must be a list", field="scoped")
    for number, line in enumerate(scoped):
        entity = line.get("entity") if isinstance(line, dict) else None
        if not isinstance(entity, dict) or not all(
            isinstance(entity.get(key), str) for key in ("type", "name")
        ):
            raise BadRequest(
                f"scoped[{number}] needs an entity with type and name", field=f"scoped[{number}].entity"
            )
        grants.append(
            Grant(
                f"{entity['type']}:{entity['name']}".lower(),
                _words(line.get("permissions"), f"scoped[{number}]"),
            )
        )
    return grants


def to_client(grants: Iterable[Grant]) -> dict[str, Any]:
    """The same shape out again, as `whoami-v2` shows it."""
    shape: dict[str, Any] = {"canReadGatedRepos": False, "global": [], "scoped": []}
    for grant in grants:
        words = sorted(grant.permissions)
        if grant.entity == EVERYWHERE:
            shape["global"] = words
            continue
        kind, _, name = grant.entity.partition(":")
        shape["scoped"].append(
            {"entity": {"_id": grant.entity, "type": kind, "name": name}, "permissions": words}
        )
    return shape


def _check(grant: Grant) -> None:
    kind, _, name = grant.entity.lower().partition(":")
    known = frozenset(PERMISSIONS) if grant.entity == EVERYWHERE else _BY_TYPE.get(kind)
    if known is None:
        raise BadRequest(
            f"entity type {kind!r} is not one of {', '.join(_BY_TYPE)}", field="entity.type", value=kind
        )
    parts = name.split("/")
    if grant.entity != EVERYWHERE and not (
        len(parts) <= (1 if kind in ("user", "org") else 2) and all(_NAME.fullmatch(part) for part in parts)
    ):
        raise BadRequest(f"entity name {name!r} is not the name of a {kind}", field="entity.name", value=name)
    for word in sorted(grant.permissions - known):
        raise BadRequest(
            f"permission {word!r} is not one of {', '.join(sorted(known))} on {grant.entity}",
            field="permissions", value=word,
        )  # fmt: skip


def _words(value: Any, field: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise BadRequest(f"{field} must be a list of permissions", field=field)
    return frozenset(value)


def from_rows(stored: Iterable[dict[str, Any]]) -> tuple[Grant, ...]:
    """Grants out of a token's row."""
    return tuple(Grant(line["entity"], frozenset(line["permissions"])) for line in stored)


def offered(entity: str) -> list[tuple[str, str]]:
    """The permissions that make sense on `user:ann` or `org:acme`, each with its sentence."""
    return [(word, PERMISSIONS[word]) for word in PERMISSIONS if word in _BY_TYPE[entity.partition(":")[0]]]
