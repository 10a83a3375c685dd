"""Finds a repository by its name for an actor. Plain SQL: every wire begins here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from hutch.core.errors import NotFound, RepoNotFound
from hutch.core.permissions import Actor, allows, require
from hutch.repos import gating
from hutch.repos import permissions as _permissions  # noqa: F401
from hutch.settings import current

_COLUMNS = """
SELECT r.id, r.type, r.namespace_id, n.name, n.is_organization, r.name, r.full_name, r.storage_id, r.visibility,
       r.creator_id, r.gated, r.disabled, r.default_branch, r.head_oid
  FROM repos_repo r LEFT JOIN accounts_namespace n ON n.id = r.namespace_id"""
_BY_NAME = _COLUMNS + " WHERE r.type = %s AND r.lower_full_name = %s"
_BY_REDIRECT = (
    _COLUMNS + " JOIN repos_reporedirect d ON d.repo_id = r.id WHERE d.type = %s AND d.lower_full_name = %s"
)
_FULL_NAME = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)?")
_BY_ID = _COLUMNS + " WHERE r.id = %s"


@dataclass(frozen=True, slots=True)
class RepoRow:
    """A repository as the wires and verbs know it; a Thing for permissions."""

    id: int
    type: str
    namespace_id: int | None
    namespace_name: str | None
    is_organization: bool | None
    name: str
    full_name: str
    storage_id: str
    visibility: str
    creator_id: int | None
    gated: str
    disabled: bool
    default_branch: str
    head_oid: str

    missing_error = RepoNotFound

    @property
    def entity(self) -> str:
        """`model:acme/bert`, lower case."""
        return f"{self.type}:{self.full_name.lower()}"

    @property
    def namespace_entity(self) -> str:
        """`org:acme` or `user:ann`, lower case; empty for a one-segment name."""
        return (
            f"{'org' if self.is_organization else 'user'}:{self.namespace_name.lower()}"
            if self.namespace_name
            else ""
        )

    @property
    def thing_id(self) -> int:
        """Its key, under which roles on single repositories are kept."""
        return self.id

    @property
    def has_git(self) -> bool:
        """Whether there is a git repository: all but buckets have one."""
        return self.type != "bucket"

    @property
    def path(self) -> Path:
        """Where its bare git repository lies."""
        return git_path(self.storage_id)

    @property
    def prefix(self) -> str:
        """What stands before the name in addresses: nothing for models."""
        return "" if self.type == "model" else f"{self.type}s/"


def git_path(storage_id: str) -> Path:
    """The folder of a repository, by a name that does not change when it moves."""
    return current().data / "git" / storage_id[:2] / f"{storage_id}.git"


def find_repo(actor: Actor, type_: str, full_name: str, action: str = "repo.read") -> RepoRow:
    """The repository of that name, or under a name that it had before, if `actor` may do `action` to it.

    Raises RepoNotFound if there is none or the actor may not see it: both answer the same. `repo.read` opens files and
    history, so it raises GatedRepo too (`gating.require_access`).
    """
    # Before the look-up: a view's actor is made when it is first asked, and may be refused, row or no row.
    if actor.is_nobody and not actor.sees_public:
        raise RepoNotFound()
    if not _FULL_NAME.fullmatch(full_name):  # nor could every database be asked for it
        raise RepoNotFound()
    name = [type_, full_name.lower()]
    row = _one(_BY_NAME, name)
    if row is None or not allows(actor, "repo.view", row):
        row = _one(_BY_REDIRECT, name)  # for what may not be seen as for what is not there
    if row is None:
        raise RepoNotFound()
    require(actor, action, row)
    if action == "repo.read":
        gating.require_access(actor, row)
    return row


def repo_by_id(repo_id: int) -> RepoRow:
    """The repository of that key, for work that has been permitted already. Raises NotFound."""
    row = _one(_BY_ID, [repo_id])
    if row is None:
        raise NotFound("The repository is gone")
    return row


def _one(sql: str, values: list[Any]) -> RepoRow | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        row = cursor.fetchone()
    if row is None:
        return None
    found = list(row)
    found[4], found[11] = None if row[4] is None else bool(row[4]), bool(row[11])  # SQLite has no booleans
    return RepoRow(*found)
