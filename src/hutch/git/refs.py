"""Branches, tags, refs/pr and refs/convert: read, resolve, and move by compare-and-swap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pygit2

from hutch.core.errors import RevisionNotFound
from hutch.git.ref_names import (
    CONVERTS,
    HEADS,
    NAMESPACES,
    PULL_REQUESTS,
    TAGS,
    check_branch_name,
    check_ref_name,
    check_tag_name,
    short_name,
)
from hutch.git.ref_update import RefUpdate, update
from hutch.git.repository import default_branch

__all__ = [
    "CONVERTS",
    "HEADS",
    "NAMESPACES",
    "PULL_REQUESTS",
    "TAGS",
    "Ref",
    "RefUpdate",
    "Revision",
    "check_branch_name",
    "check_ref_name",
    "check_tag_name",
    "commit_of",
    "list_refs",
    "read_ref",
    "resolve",
    "short_name",
    "update",
]

_HASH = re.compile(r"[0-9a-f]{7,40}")
# git's revision expressions (`main~1`, `v1^{}`, `main@{yesterday}`, `:/words`) and what no ref can hold.
_EXPRESSION = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|@\{|\.\.|//|^/|/$")


@dataclass(frozen=True, slots=True)
class Ref:
    """A full name and the object that it points to (for an annotated tag the tag object)."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What a caller's revision meant: a commit, and the ref by which it was named, if any."""

    commit: str
    ref: str | None


def list_refs(repo: pygit2.Repository) -> list[Ref]:
    """Every ref of the four namespaces, by name; refs that point nowhere are left to `check.fsck`."""
    return sorted(_refs(repo), key=lambda ref: ref.name)


def _refs(repo: pygit2.Repository) -> Iterator[Ref]:
    for name in repo.listall_references():
        if name.startswith(NAMESPACES):
            target = read_ref(repo, name)
            if target is not None:
                yield Ref(name, target)


def read_ref(repo: pygit2.Repository, name: str) -> str | None:
    """The object that the full ref name points to, or None; symbolic refs are followed."""
    try:
        return str(repo.lookup_reference(name).resolve().target)
    except (KeyError, ValueError, pygit2.GitError):
        return None


def commit_of(repo: pygit2.Repository, target: str) -> str | None:
    """The commit that an object is or, as a tag, leads to; None where there is none."""
    try:
        found = repo.get(target)
        return None if found is None else str(found.peel(pygit2.Commit).id)
    except (ValueError, pygit2.GitError):
        return None


def resolve(repo: pygit2.Repository, revision: str) -> Revision:
    """Turn a branch, tag, full ref, `pr/N`, HEAD or commit hash (7 to 40 digits) into a commit.

    A full hash wins over everything, a branch over a tag, any ref over a shortened hash. Annotated tags are
    peeled. Raises RevisionNotFound, also for git's revision expressions.
    """
    if not revision or len(revision) > 1024 or _EXPRESSION.search(revision):
        raise _unknown(revision)
    if len(revision) == 40 and _HASH.fullmatch(revision):
        return Revision(_commit_by_hash(repo, revision), None)
    for name in _candidates(repo, revision):
        target = read_ref(repo, name)
        commit = None if target is None else commit_of(repo, target)
        if commit is not None:
            return Revision(commit, name)
    if _HASH.fullmatch(revision):
        return Revision(_commit_by_hash(repo, revision), None)
    raise _unknown(revision)


def _candidates(repo: pygit2.Repository, revision: str) -> list[str]:
    if revision == "HEAD":
        return [HEADS + default_branch(repo)]
    if revision.startswith("refs/"):
        return [revision] if revision.startswith(NAMESPACES) else []
    names = [HEADS + revision, TAGS + revision]
    if revision.startswith(("pr/", "convert/")):
        names.append("refs/" + revision)
    return names


def _commit_by_hash(repo: pygit2.Repository, digits: str) -> str:
    try:
        found = repo[digits]
    except (KeyError, ValueError, pygit2.GitError):
        raise _unknown(digits) from None
    commit = commit_of(repo, str(found.id))
    if commit is None:
        raise _unknown(digits)
    return commit


def _unknown(revision: str) -> RevisionNotFound:
    return RevisionNotFound(f"Invalid rev id: {revision!r}", field="revision", value=revision)
