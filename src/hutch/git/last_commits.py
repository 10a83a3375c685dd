"""The commit that last changed each of many paths, found in one walk."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from posixpath import split

import pygit2

from hutch.git.history import Commit, find_commit, shape

DEFAULT_MAX_COMMITS = 50_000
DEFAULT_BUDGET_S = 3.0

_Identity = tuple[int, bytes] | None


def last_commits(
    repo: pygit2.Repository,
    commit: str,
    paths: Iterable[str],
    *,
    max_commits: int = DEFAULT_MAX_COMMITS,
    budget_s: float = DEFAULT_BUDGET_S,
) -> dict[str, Commit]:
    """For each path (of a file or folder) the newest commit that changed it, as `git log -1 -- path` has it.

    One walk for all, from `commit` backwards, over at most `max_commits` and for at most `budget_s` seconds. Paths
    that do not exist, or whose last change lies further back, are absent. Raises RevisionNotFound.
    """
    start = find_commit(repo, commit)
    walk = _Walk(repo, start, [path.strip("/") for path in paths])
    deadline = time.monotonic() + budget_s
    for visited, (changed, at) in enumerate(walk):
        if changed:
            shaped = shape(at)
            walk.found.update(dict.fromkeys(changed, shaped))
        if visited >= max_commits or time.monotonic() > deadline:
            break
    return walk.found


class _Walk:
    """Commits by falling date, each with the paths that are still followed through it.

    At a merge a path is followed to the first parent that has it unchanged, which is how git simplifies history.
    """

    def __init__(self, repo: pygit2.Repository, start: pygit2.Commit, paths: list[str]) -> None:
        self.found: dict[str, Commit] = {}
        self._repo = repo
        self._queue: list[tuple[int, bytes]] = []
        self._followed: dict[bytes, set[str]] = {}
        self._commits: dict[bytes, pygit2.Commit] = {}
        existing = {path for path in paths if _identity(start.tree, path) is not None}
        if existing:
            self._follow(start, existing)

    def _follow(self, commit: pygit2.Commit, paths: set[str]) -> None:
        key = commit.id.raw
        if key in self._followed:
            self._followed[key] |= paths
            return
        self._followed[key] = paths
        self._commits[key] = commit
        heapq.heappush(self._queue, (-commit.commit_time, key))

    def __iter__(self) -> Iterator[tuple[set[str], pygit2.Commit]]:
        while self._queue:
            _, key = heapq.heappop(self._queue)
            commit, pending = self._commits.pop(key), self._followed.pop(key)
            for parent in commit.parents:
                same = _unchanged(commit.tree, parent.tree, pending)
                if same:
                    pending = pending - same
                    self._follow(parent, same)
                if not pending:
                    break
            yield pending, commit


def _unchanged(new: pygit2.Tree, old: pygit2.Tree, paths: set[str]) -> set[str]:
    """The paths that are the same in both trees; whole folders are compared before what is in them."""
    if new.id == old.id:
        return set(paths)
    same: set[str] = set()
    by_folder: dict[str, list[str]] = {}
    for path in paths:
        by_folder.setdefault(split(path)[0], []).append(path)
    for folder, members in by_folder.items():
        new_folder, old_folder = _folder(new, folder), _folder(old, folder)
        if new_folder is None or old_folder is None:
            continue
        if new_folder.id == old_folder.id:
            same.update(members)
            continue
        same.update(
            path
            for path in members
            if _identity(new_folder, split(path)[1]) == _identity(old_folder, split(path)[1])
        )
    return same


def _folder(tree: pygit2.Tree, path: str) -> pygit2.Tree | None:
    if not path:
        return tree
    try:
        found = tree[path]
    except (KeyError, ValueError, TypeError):
        return None
    return found if isinstance(found, pygit2.Tree) else None


def _identity(tree: pygit2.Tree, path: str) -> _Identity:
    try:
        found = tree[path]
    except (KeyError, ValueError, TypeError):
        return None
    return int(found.filemode), found.id.raw
