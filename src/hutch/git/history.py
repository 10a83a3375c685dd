"""Who changed what, when: the log, counts, ancestry. Blame, diffs and last commits are in files beside this one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

import pygit2
from pygit2.enums import SortMode

from hutch.core.errors import RevisionNotFound
from hutch.git import process
from hutch.git.errors import GitFailed

LOG_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `date` is the committer's; `title` the first line of the message and `message` the rest."""

    id: str
    parents: list[str]
    author_name: str
    author_email: str
    date: datetime
    authored_date: datetime
    title: str
    message: str


def read_commit(repo: pygit2.Repository, commit: str) -> Commit:
    """One commit by its hash; raises RevisionNotFound."""
    return shape(find_commit(repo, commit))


def find_commit(repo: pygit2.Repository, commit: str) -> pygit2.Commit:
    """libgit2's own commit object; raises RevisionNotFound."""
    try:
        return repo[commit].peel(pygit2.Commit)
    except (KeyError, ValueError, pygit2.GitError):
        raise RevisionNotFound(f"Invalid rev id: {commit!r}", field="revision", value=commit) from None


def shape(commit: pygit2.Commit) -> Commit:
    """A commit as plain data; text in any encoding, dates that cannot be as 1970."""
    text = _decode(commit.raw_message, commit.message_encoding).strip("\n")
    title, _, rest = text.partition("\n")
    return Commit(
        id=str(commit.id),
        parents=[str(parent) for parent in commit.parent_ids],
        author_name=_decode(commit.author.raw_name, commit.message_encoding),
        author_email=_decode(commit.author.raw_email, commit.message_encoding),
        date=_moment(commit.committer),
        authored_date=_moment(commit.author),
        title=title.rstrip(),
        message=rest.strip("\n"),
    )


def _decode(raw: bytes, encoding: str | None) -> str:
    try:
        return raw.decode(encoding or "utf-8", "replace")
    except (LookupError, ValueError):  # some encodings know no replacement
        return raw.decode("utf-8", "replace")


# Histories hold years and zones that no clock had.
def _moment(who: pygit2.Signature) -> datetime:
    zone = timezone(timedelta(minutes=who.offset)) if abs(who.offset) < 24 * 60 else UTC
    try:
        return datetime.fromtimestamp(who.time, zone)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)


def log(
    repo: pygit2.Repository, commit: str, path: str | None = None, *, skip: int = 0, limit: int | None = 50
) -> list[Commit]:
    """The commits that `commit` reaches, newest first, or those of them that changed `path` (as `git log` has it).

    Raises RevisionNotFound, GitTimeout.
    """
    start = find_commit(repo, commit)
    if path is None or not path.strip("/"):
        walker = repo.walk(start.id, SortMode.NONE)
        end = None if limit is None else skip + limit
        return [shape(found) for found in islice(walker, skip, end)]
    count = [] if limit is None else [f"--max-count={limit}"]
    ids = _rev_list(repo, [f"--skip={skip}", *count, str(start.id)], path)
    return [read_commit(repo, oid) for oid in ids]


def count(repo: pygit2.Repository, commit: str, path: str | None = None) -> int:
    """How many commits `commit` reaches, or how many of them changed `path`."""
    start = find_commit(repo, commit)
    return int(_rev_list(repo, ["--count", str(start.id)], path or "")[0])


def _rev_list(repo: pygit2.Repository, args: list[str], path: str) -> list[str]:
    path = path.strip("/")
    if "\0" in path or not {".", ".."}.isdisjoint(path.split("/")):
        return []
    limits = ["--", path] if path else []
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    listed = process.run(
        Path(repo.path), ["rev-list", *args, *limits], extra_environment=literal, timeout_s=LOG_TIMEOUT_S
    )
    return listed.decode().split()


def merge_base(repo: pygit2.Repository, one: str, other: str) -> str | None:
    """The best common ancestor of two commits, None where their histories do not meet."""
    found = repo.merge_base(find_commit(repo, one).id, find_commit(repo, other).id)
    return None if found is None else str(found)


def is_ancestor(repo: pygit2.Repository, ancestor: str, descendant: str) -> bool:
    """Whether `descendant` reaches `ancestor`, or is it."""
    old, new = find_commit(repo, ancestor).id, find_commit(repo, descendant).id
    return old == new or repo.descendant_of(new, old)


def between(repo: pygit2.Repository, base: str, head: str, *, limit: int = 250) -> list[Commit]:
    """The commits that `head` reaches and `base` does not, newest first, at most `limit`."""
    walker = repo.walk(find_commit(repo, head).id, SortMode.NONE)
    walker.hide(find_commit(repo, base).id)
    return [shape(found) for found in islice(walker, limit)]


def ahead_behind(repo: pygit2.Repository, head: str, base: str) -> tuple[int, int]:
    """How many commits `head` has that `base` lacks, and the other way round."""
    try:
        return repo.ahead_behind(find_commit(repo, head).id, find_commit(repo, base).id)
    except pygit2.GitError as broken:
        raise GitFailed(f"the histories cannot be compared: {broken}") from broken
