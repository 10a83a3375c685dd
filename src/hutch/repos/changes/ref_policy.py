"""Which refs may move, by whom, and how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from hutch.core.errors import BadRequest, Forbidden, NotFound
from hutch.core.permissions import Actor, allows, require
from hutch.git import repository
from hutch.git.refs import HEADS, PULL_REQUESTS, RefUpdate, check_ref_name, short_name
from hutch.repos.errors import ProtectedBranch
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, Repo


def check(actor: Actor, repo: RepoRow, moves: Sequence[RefUpdate]) -> None:
    """Returns if `actor` may make all these moves.

    Raises Forbidden or Unauthorized (no right), RepoNotFound (not even to see it), ProtectedBranch, InvalidRefName,
    BadRequest (the default branch cannot go), NotFound (a pull request that was never opened).
    """
    pulls = [move for move in moves if move.name.startswith(PULL_REQUESTS)]
    if len(pulls) < len(moves) or not moves:
        require(actor, "repo.write", repo)
    for move in pulls:
        _check_pull(actor, repo, move)
    protected = protected_patterns(repo.id)
    for move in moves:
        check_ref_name(move.name)
        if move.name == HEADS + repo.default_branch and move.new is None:
            raise BadRequest(
                f"{repo.default_branch!r} is the default branch and cannot be deleted",
                field="branch",
                value=move.name,
            )
        if is_protected(protected, move.name):
            _check_protected(actor, repo, move)


def check_history(repo: RepoRow, moves: Iterable[RefUpdate]) -> None:
    """Refuses to rewrite a protected branch; the new commits are in the repository by now. Raises ProtectedBranch."""
    protected = protected_patterns(repo.id)
    for move in moves:
        if move.old and move.new and is_protected(protected, move.name):
            opened = repository.open(repo.path)
            if not opened.descendant_of(move.new, move.old):
                raise ProtectedBranch(
                    f"{short_name(move.name)!r} is protected: it moves forward only",
                    field="ref",
                    value=move.name,
                )


def protected_patterns(repo_id: int) -> list[str]:
    """The names and patterns of a repository's protected branches."""
    found = Repo.objects.filter(pk=repo_id).values_list("protected_branches", flat=True).first()
    return found or []


def is_protected(patterns: Iterable[str], ref: str) -> bool:
    """Whether a full ref name is a branch that one of the patterns names."""
    return ref.startswith(HEADS) and any(fnmatchcase(short_name(ref), pattern) for pattern in patterns)


def _check_protected(actor: Actor, repo: RepoRow, move: RefUpdate) -> None:
    branch = short_name(move.name)
    if move.new is None:
        raise ProtectedBranch(f"{branch!r} is protected and cannot be deleted", field="ref", value=move.name)
    if not allows(actor, "repo.protect", repo):
        raise ProtectedBranch(
            f"{branch!r} is protected: open a pull request instead", field="ref", value=move.name
        )


def _check_pull(actor: Actor, repo: RepoRow, move: RefUpdate) -> None:
    require(actor, "repo.read", repo)
    require(actor, "repo.discuss", repo)
    number = short_name(move.name)
    pull = Pull.objects.filter(repo_id=repo.id, number=int(number)).first() if number.isdigit() else None
    if pull is None:
        raise NotFound(f"There is no pull request {number}", field="ref", value=move.name)
    if pull.author_id != actor.user_id and not allows(actor, "repo.write", repo):
        raise Forbidden("Only its author and writers of the repository may change a pull request")
    if move.new is None and not allows(actor, "repo.admin", repo):
        raise Forbidden("A pull request's branch stays as long as the repository")
