"""Pull requests: a branch `refs/pr/<number>`, what is said about it, and its way into the base branch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q

from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, allows, require
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.pointers import Pointer
from hutch.git.refs import HEADS, PULL_REQUESTS, RefUpdate, check_branch_name, short_name
from hutch.repos.changes import merging, refs
from hutch.repos.errors import MergeConflict
from hutch.repos.events import PullCommented, PullStatusChanged
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, PullEvent
from hutch.repos.texts import checked

MAX_TITLE_CHARACTERS = 200
MAX_COMMENT_CHARACTERS = 65_536
PAGE = 50
_ATTEMPTS = 20


def open_pull(
    actor: Actor,
    repo: RepoRow,
    *,
    base_ref: str,
    head: str,
    title: str,
    description: str = "",
    draft: bool = False,
    pointers: Iterable[Pointer] = (),
    incoming_bytes: int = 0,
) -> int:
    """Opens a pull request of commit `head` on a branch and returns its number.

    Whoever may read the repository may open one. Raises Unauthorized, BadRequest, and what `refs.advance` does.
    """
    _require_voice(actor, repo)
    checked_title = checked(
        "title", title.strip().split("\n")[0][:MAX_TITLE_CHARACTERS], MAX_TITLE_CHARACTERS
    )
    said = checked("description", description, MAX_COMMENT_CHARACTERS, required=False)
    pull = _reserve(actor, repo, short_name(base_ref), checked_title, said, draft)
    try:
        refs.advance(
            actor, repo, [RefUpdate(ref_of(pull.number), None, head)],
            pointers=pointers, how="api", incoming_bytes=incoming_bytes,
        )  # fmt: skip
    except BaseException:
        Pull.objects.filter(pk=pull.pk, head_oid="").delete()
        raise
    return pull.number


def ref_of(number: int) -> str:
    """The ref of a pull request."""
    return f"{PULL_REQUESTS}{number}"


def find_pull(repo: RepoRow, number: int) -> Pull:
    """The pull request of that number in a repository that the caller may read. Raises NotFound."""
    pull = (
        Pull.objects.filter(repo_id=repo.id, number=number)
        .exclude(head_oid="")
        .select_related("author")
        .first()
    )
    if pull is None:
        raise NotFound(f"There is no discussion {number} in this repository", field="num", value=number)
    return pull


def list_pulls(
    repo: RepoRow, *, is_open: bool | None, author: str | None, start: int
) -> tuple[int, list[Pull]]:
    """How many pull requests there are of that kind, and `PAGE` of them, newest first, from the `start`th on."""
    found = Pull.objects.filter(repo_id=repo.id).exclude(head_oid="").order_by("-number")
    if is_open is not None:
        is_there = Q(status__in=(Pull.Status.OPEN, Pull.Status.DRAFT))
        found = found.filter(is_there if is_open else ~is_there)
    if author:
        found = found.filter(author__username__iexact=author)
    return found.count(), list(found[start : start + PAGE])


def comment(actor: Actor, repo: RepoRow, number: int, text: str) -> PullEvent:
    """Says something about a pull request. Raises NotFound, Unauthorized, BadRequest."""
    _require_voice(actor, repo)
    pull = find_pull(repo, number)
    said = checked("comment", text, MAX_COMMENT_CHARACTERS)
    with transaction.atomic():
        told = _tell(actor, pull, PullEvent.Kind.COMMENT, _comment_data(said))
        emit(
            PullCommented(
                repo_id=repo.id, type=repo.type, full_name=repo.full_name, number=number, comment=said,
                by_user_id=actor.user_id,
            ),
            actor=actor,
        )  # fmt: skip
    return told


def set_status(actor: Actor, repo: RepoRow, number: int, status: str, text: str = "") -> PullEvent:
    """Closes a pull request or opens it again: for its author and for writers. Raises Conflict once it is merged."""
    if status not in (Pull.Status.OPEN, Pull.Status.CLOSED):
        raise BadRequest("status must be open or closed", field="status", value=status, limit="open, closed")
    pull = _changeable(actor, repo, number)
    if pull.status == Pull.Status.MERGED:
        raise Conflict("This pull request is merged", field="status", value=status)
    if text.strip():
        comment(actor, repo, number, text)
    return _change_status(actor, repo, pull, status)


def set_title(actor: Actor, repo: RepoRow, number: int, title: str) -> PullEvent:
    """Gives a pull request another title: for its author and for writers."""
    pull = _changeable(actor, repo, number)
    wanted = checked("title", title.strip(), MAX_TITLE_CHARACTERS)
    with transaction.atomic():
        told = _tell(actor, pull, PullEvent.Kind.TITLE, {"from": pull.title, "to": wanted})
        pull.title = wanted
        pull.save(update_fields=["title"])
    return told


def merge(actor: Actor, repo: RepoRow, number: int, text: str = "") -> str:
    """Brings a pull request into its base branch and returns the commit there.

    Straight ahead where the base has not moved on, else as one commit on top of it. For writers; a protected base for
    administrators of the namespace. Raises MergeConflict with the files' names, Conflict (closed, or the base moved).
    """
    require(actor, "repo.write", repo)
    pull = find_pull(repo, number)
    if pull.status not in (Pull.Status.OPEN, Pull.Status.DRAFT):
        raise Conflict(f"This pull request is {pull.status}", field="status", value=pull.status)
    git = repository.open(repo.path)
    base_ref = HEADS + pull.base_branch
    base, head = git_refs.read_ref(git, base_ref), git_refs.read_ref(git, ref_of(number))
    if base is None or head is None:
        raise Conflict(f"The branch {pull.base_branch!r} is gone", field="branch", value=pull.base_branch)
    conflicts = merging.conflicts(git, base, head)
    if conflicts:
        raise MergeConflict(conflicts)
    merged = merging.merged_commit(git, base, head, f"{pull.title} (#{number})", actor)
    refs.advance(actor, repo, [RefUpdate(base_ref, base, merged)], how="api")
    if text.strip():
        comment(actor, repo, number, text)
    pull.merge_oid, pull.merged_onto_oid = merged, base
    _change_status(actor, repo, pull, Pull.Status.MERGED)
    return merged


def _change_status(actor: Actor, repo: RepoRow, pull: Pull, status: str) -> PullEvent:
    with transaction.atomic():
        pull.status = status
        pull.save(update_fields=["status", "merge_oid", "merged_onto_oid"])
        told = _tell(actor, pull, PullEvent.Kind.STATUS, {"status": status})
        emit(
            PullStatusChanged(
                repo_id=repo.id, type=repo.type, full_name=repo.full_name, number=pull.number, status=status,
                by_user_id=actor.user_id,
            ),
            actor=actor,
        )  # fmt: skip
    return told


def _changeable(actor: Actor, repo: RepoRow, number: int) -> Pull:
    _require_voice(actor, repo)
    pull = find_pull(repo, number)
    if pull.author_id != actor.user_id and not allows(actor, "repo.write", repo):
        raise Forbidden("Only its author and writers of the repository may change a pull request")
    return pull


def _require_voice(actor: Actor, repo: RepoRow) -> None:
    require(actor, "repo.read", repo)
    require(actor, "repo.discuss", repo)


def _reserve(actor: Actor, repo: RepoRow, base_branch: str, title: str, said: str, draft: bool) -> Pull:
    check_branch_name(base_branch)
    status = Pull.Status.DRAFT if draft else Pull.Status.OPEN
    for _ in range(_ATTEMPTS):
        try:
            with transaction.atomic():
                last = Pull.objects.filter(repo_id=repo.id).aggregate(last=Max("number"))["last"] or 0
                pull = Pull.objects.create(
                    repo_id=repo.id, number=last + 1, title=title, author_id=actor.user_id, base_branch=base_branch,
                    status=status,
                )  # fmt: skip
                _tell(actor, pull, PullEvent.Kind.COMMENT, _comment_data(said))
                return pull
        except IntegrityError:
            continue
    raise Conflict("Too many pull requests are being opened at once: try again")


def _tell(actor: Actor, pull: Pull, kind: str, data: dict[str, Any]) -> PullEvent:
    return PullEvent.objects.create(pull=pull, kind=kind, author_id=actor.user_id, data=data)


def _comment_data(text: str) -> dict[str, Any]:
    return {"edited": False, "hidden": False, "latest": {"raw": text}}
