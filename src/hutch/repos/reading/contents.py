"""What a revision holds: its tree a page at a time, paths, history, refs. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pygit2

from hutch.accounts import lookup
from hutch.cas.xet.links import files_behind
from hutch.core import clock, paging
from hutch.core.errors import BadRequest, EntryNotFound
from hutch.core.permissions import Actor
from hutch.git import history, refs, trees
from hutch.git.history import Commit
from hutch.git.last_commits import last_commits
from hutch.git.trees import Entry
from hutch.repos.api.shapes import Shape, entry_shape
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.reading.opened import opened
from hutch.repos.wires.resolving import EntryMissing, resolve_commit

TREE_LIMIT = 1000
# A last commit costs a walk through history.
TREE_LIMIT_EXPANDED = 100
MOST_PATHS = 10_000
MOST_PATHS_EXPANDED = 1000
COMMITS_LIMIT = 50


@dataclass(frozen=True, slots=True)
class At:
    """A repository at a commit, which the actor may read. `git` is for this thread alone."""

    row: RepoRow
    git: pygit2.Repository
    commit: str


@dataclass(frozen=True, slots=True)
class Lines:
    """A page of JSON lines, and the cursor of the next page; None at the end."""

    lines: list[Shape]
    cursor: str | None


def at(actor: Actor, type_: str, full_name: str, revision: str) -> At:
    """Opens a repository at a revision. Raises RepoNotFound, RevisionNotFound."""
    row = find_repo(actor, type_, full_name, "repo.read")
    return At(row, *resolve_commit(row, revision))


def tree_page(
    here: At, folder: str, *, recursive: bool, expand: bool, limit: int = TREE_LIMIT, cursor: str = ""
) -> Lines:
    """What lies in a folder ('' is the root), from the cursor on; with `expand`, with the commits that last changed it.

    The pages of one listing stay at the commit of its first. Raises EntryMissing where there is no such folder.
    """
    commit, after = _position(cursor) if cursor else (here.commit, None)
    if commit != here.commit:
        here = At(here.row, here.git, refs.resolve(here.git, commit).commit)
    try:
        found = trees.list_entries(
            here.git, here.commit, folder, recursive=recursive, after=after, limit=limit + 1
        )
    except EntryNotFound:
        raise EntryMissing(folder, here.commit) from None
    rest = found[limit:]
    found = found[:limit]
    following = paging.encode_cursor([here.commit, _safe(found[-1].path)]) if rest else None
    return Lines(entry_shapes(here, found, expand=expand), following)


def _safe(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def _position(cursor: str) -> tuple[str, str]:
    position = paging.decode_cursor(cursor)
    if len(position) != 2 or not all(isinstance(part, str) for part in position):
        raise BadRequest("The cursor is not one that this list gave", field="cursor", value=cursor)
    commit, path = str(position[0]), str(position[1])
    try:
        return commit, path.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadRequest("The cursor is not one that this list gave", field="cursor", value=cursor) from None


def paths_info(here: At, paths: Sequence[str], *, expand: bool) -> list[Shape]:
    """The files and folders among `paths` that exist, in their order. Raises BadRequest for too many."""
    most = MOST_PATHS_EXPANDED if expand else MOST_PATHS
    if len(paths) > most:
        raise BadRequest(
            f"At most {most} paths can be asked for at once", field="paths", value=len(paths), limit=most
        )
    wanted = list(dict.fromkeys(path.strip("/") for path in paths))
    found = trees.find_files(here.git, here.commit, [path for path in wanted if path])
    return entry_shapes(here, list(found.values()), expand=expand)


def entry_shapes(here: At, entries: Sequence[Entry], *, expand: bool) -> list[Shape]:
    """The JSON of entries; with `expand`, each with its last commit, all found in one walk."""
    pointers = [entry.pointer.oid for entry in entries if entry.pointer is not None]
    chunked = files_behind(here.row.id, pointers) if pointers else {}
    latest = last_commits(here.git, here.commit, [entry.path for entry in entries]) if expand else {}
    return [
        entry_shape(
            entry, _last(latest.get(entry.path)), chunked.get(entry.pointer.oid) if entry.pointer else None
        )
        for entry in entries
    ]


def _last(commit: Commit | None) -> Shape | None:
    if commit is None:
        return None
    return {"id": commit.id, "title": commit.title, "date": clock.iso(commit.date)}


def folder_size(here: At, folder: str) -> int:
    """Bytes of all files below a folder. Raises EntryMissing."""
    try:
        return trees.folder_size(here.git, here.commit, folder)
    except EntryNotFound:
        raise EntryMissing(folder, here.commit) from None


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a commit: a user of this hub by name, or what the commit says."""

    name: str
    username: str | None


def commits_page(
    here: At, path: str = "", *, limit: int = COMMITS_LIMIT, cursor: str = ""
) -> tuple[list[Commit], str | None]:
    """Commits, newest first, or those that changed `path`; and the next page's cursor. Raises BadRequest."""
    start, skip = here.commit, 0
    if cursor:
        position = paging.decode_cursor(cursor)
        if (
            len(position) != 2
            or not isinstance(position[0], str)
            or not isinstance(position[1], int)
            or position[1] < 0
        ):
            raise BadRequest("The cursor is not one that this list gave", field="cursor", value=cursor)
        start, skip = refs.resolve(here.git, position[0]).commit, position[1]
    found = history.log(here.git, start, path or None, skip=skip, limit=limit + 1)
    following = paging.encode_cursor([start, skip + limit]) if len(found) > limit else None
    return found[:limit], following


def authors_of(commits: Iterable[Commit]) -> dict[str, Author]:
    """Author by commit id: by an address that a user has verified, or that the hub itself writes for a user."""
    commits = list(commits)
    cards = lookup.users_by_emails(commit.author_email for commit in commits)
    known = {commit.id: cards.get(commit.author_email.lower()) for commit in commits}
    return {
        commit.id: Author(commit.author_name, card.name if (card := known[commit.id]) else None)
        for commit in commits
    }


@dataclass(frozen=True, slots=True)
class RefLine:
    """A ref as clients see it: its short name, its full name, and the commit that it leads to."""

    name: str
    ref: str
    commit: str


def refs_of(actor: Actor, type_: str, full_name: str) -> dict[str, list[RefLine]]:
    """All refs by kind: branches (the default one first), converts, tags, pullRequests. Raises RepoNotFound."""
    row = find_repo(actor, type_, full_name, "repo.read")
    git = opened(row.path)
    found: dict[str, list[RefLine]] = {"branches": [], "converts": [], "tags": [], "pullRequests": []}
    for ref in refs.list_refs(git):
        commit = refs.commit_of(git, ref.target)
        if commit is not None:
            found[_kind(ref.name)].append(RefLine(refs.short_name(ref.name), ref.name, commit))
    found["branches"].sort(key=lambda line: line.name != row.default_branch)
    found["pullRequests"].sort(key=lambda line: int(line.name) if line.name.isdigit() else 0)
    return found


def _kind(ref: str) -> str:
    for prefix, kind in (
        (refs.TAGS, "tags"),
        (refs.CONVERTS, "converts"),
        (refs.PULL_REQUESTS, "pullRequests"),
    ):
        if ref.startswith(prefix):
            return kind
    return "branches"
