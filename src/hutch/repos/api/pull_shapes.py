"""Pull requests in the JSON in which clients read discussions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pygit2

from hutch.accounts import lookup as people
from hutch.accounts.lookup import NamespaceCard
from hutch.core import clock
from hutch.git import diffs, history
from hutch.git import refs as git_refs
from hutch.git.refs import HEADS
from hutch.repos.changes import merging, pull_lists
from hutch.repos.changes.pulls import ref_of
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, PullEvent
from hutch.repos.reading.opened import opened

Shape = dict[str, Any]
MAX_DIFF_BYTES = 2 << 20
_MAX_COMMITS = 250


class People:
    """The authors of a page of things, fetched by one query."""

    def __init__(self, user_ids: Iterable[int | None], base_url: str) -> None:
        self._cards: dict[int, NamespaceCard] = people.users_by_ids(
            key for key in user_ids if key is not None
        )
        self._base_url = base_url

    def shape(self, user_id: int | None) -> Shape:
        """An author; one whose account is gone is `deleted`, as clients say."""
        card = self._cards.get(user_id) if user_id is not None else None
        if card is None:
            return {"name": "deleted", "fullname": "deleted", "type": "user"}
        avatar = card.avatar_url(self._base_url)
        return {"name": card.name, "fullname": card.shown_name, "type": "user", "avatarUrl": avatar}


def line(repo: RepoRow, pull: Pull, who: People) -> Shape:
    """A pull request in a list."""
    return {
        "num": pull.number,
        "title": pull.title,
        "author": who.shape(pull.author_id),
        "repo": {"name": repo.full_name, "type": repo.type},
        "repoOwner": {"name": repo.namespace_name or "", "type": "org" if repo.is_organization else "user"},
        "status": pull.status,
        "createdAt": clock.iso(pull.created_at),
        "isPullRequest": True,
        "pinned": False,
    }


def event(told: PullEvent, who: People) -> Shape:
    """One line of a pull request's history."""
    data = dict(told.data)
    if told.kind == PullEvent.Kind.COMMENT:
        latest = {
            **data.get("latest", {}),
            "updatedAt": clock.iso(told.created_at),
            "author": who.shape(told.author_id),
        }
        data |= {"latest": latest, "numEdits": 0}
    return {
        "id": told.public_id,
        "type": told.kind,
        "author": who.shape(told.author_id),
        "createdAt": clock.iso(told.created_at),
        "data": data,
    }


def detail(repo: RepoRow, pull: Pull, base_url: str, *, with_diff: bool) -> Shape:
    """A pull request with its history, commits among it, and with its difference from where it began."""
    told = pull_lists.events(pull)
    who = People([pull.author_id, *(each.author_id for each in told)], base_url)
    git = opened(repo.path)
    head = git_refs.read_ref(git, ref_of(pull.number)) or pull.head_oid
    base_ref = HEADS + pull.base_branch
    base = pull.merged_onto_oid or git_refs.read_ref(git, base_ref)
    commits = [_commit(pull, commit, who) for commit in _commits(git, base, head)]
    # what it was opened with comes first, whatever the clocks of its commits say
    first, *later = [event(each, who) for each in told]
    lines = [first, *sorted([*later, *commits], key=lambda each: each["createdAt"])]
    changes: Shape = {"base": base_ref}
    if pull.merge_oid:
        changes["mergeCommitId"] = pull.merge_oid
    shape = line(repo, pull, who) | {
        "events": lines,
        "changes": changes,
        "filesWithConflicts": _conflicts(git, pull, base, head),
    }
    if with_diff:
        shape["diff"] = _diff(git, base, head)
    return shape


def _commits(git: pygit2.Repository, base: str | None, head: str) -> list[history.Commit]:
    if base is None:
        return []
    return list(reversed(history.between(git, base, head, limit=_MAX_COMMITS)))


def _commit(pull: Pull, commit: history.Commit, who: People) -> Shape:
    return {
        "id": commit.id,
        "type": PullEvent.Kind.COMMIT.value,
        "author": who.shape(pull.author_id),
        # not before the pull request itself, which clients take for the first event
        "createdAt": max(clock.iso(commit.date), clock.iso(pull.created_at)),
        "data": {"subject": commit.title, "oid": commit.id},
    }


def _conflicts(git: pygit2.Repository, pull: Pull, base: str | None, head: str) -> list[str]:
    if base is None or pull.status in (Pull.Status.MERGED, Pull.Status.CLOSED):
        return []
    return merging.conflicts(git, base, head)


def _diff(git: pygit2.Repository, base: str | None, head: str) -> str:
    start = history.merge_base(git, base, head) if base is not None else None
    pieces = bytearray()
    for piece in diffs.raw_diff(git, start, head):
        pieces += piece
        if len(pieces) > MAX_DIFF_BYTES:
            break
    return bytes(pieces[:MAX_DIFF_BYTES]).decode("utf-8", "replace")
