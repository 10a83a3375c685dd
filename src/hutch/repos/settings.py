"""A repository's settings: who sees it, its gate, its default and its protected branches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hutch.core.errors import BadRequest, Forbidden, RepoNotFound
from hutch.core.events import emit
from hutch.core.jobs import enqueue
from hutch.core.permissions import Actor, require
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.refs import HEADS, check_branch_name
from hutch.repos.cards import snapshot as cards
from hutch.repos.errors import RefBusy
from hutch.repos.events import RepoSettingsChanged
from hutch.repos.lookup import RepoRow, repo_by_id
from hutch.repos.models import RefIntent, Repo
from hutch.storage import faults

faults.declare("repos.after_default_row")
MAX_PROTECTED = 100
_PATTERN_LETTERS = frozenset("*?[]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What shall be another; None leaves a setting as it is."""

    visibility: str | None = None
    gated: str | None = None
    default_branch: str | None = None
    protected_branches: list[str] | None = None
    disabled: bool | None = None

    def told(self) -> dict[str, Any]:
        """The settings that change, by name."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in named.items() if value is not None}


def update_settings(actor: Actor, repo: RepoRow, changes: Changes) -> RepoRow:
    """Changes settings and returns the repository as it is then.

    Protection is for administrators of the namespace, `disabled` for those of the hub. Raises Forbidden, BadRequest
    naming the setting, RefBusy (the default branch is just being written).
    """
    require(actor, "repo.admin", repo)
    told = changes.told()
    if not told:
        raise BadRequest("Name at least one setting to change", field="settings")
    if not repo.has_git:
        _refuse_for_bucket(told)
    if changes.protected_branches is not None:
        require(actor, "repo.protect", repo)
        told["protected_branches"] = _patterns(changes.protected_branches)
    if changes.disabled is not None and not actor.is_admin:
        raise Forbidden("Only administrators of this hub disable repositories")
    seen = _new_default(repo, changes.default_branch) if changes.default_branch is not None else None
    _write(actor, repo, told, seen)
    if seen is not None:
        faults.point("repos.after_default_row")
        point_head(repo.id)
    return repo_by_id(repo.id)


def _write(actor: Actor, repo: RepoRow, told: dict[str, Any], seen: cards.Snapshot | None) -> None:
    with transaction.atomic():
        row = Repo.objects.select_for_update().filter(pk=repo.id).first()
        if row is None:
            raise RepoNotFound()
        for name, value in told.items():
            setattr(row, name, value)
        fields = list(told)
        if seen is not None:
            _refuse_moving(repo, row.default_branch)
            fields += cards.put(row, seen)
            enqueue("repos.point_head", key=str(row.pk), repo_id=row.pk)
        row.save(update_fields=fields)
        changed = RepoSettingsChanged(
            repo_id=row.pk, type=row.type, full_name=row.full_name, changes=told, by_user_id=actor.user_id
        )
        emit(changed, actor=actor)


def point_head(repo_id: int) -> None:
    """Lets git's HEAD name the default branch of the row, where it does not.

    The row is written first and a job goes with it, so that a crash before HEAD is written is made good.
    """
    with transaction.atomic():
        # locked, so that of two changes at once the later one stays
        row = Repo.objects.select_for_update().filter(pk=repo_id).first()
        if row is not None:
            path = repo_by_id(repo_id).path
            if repository.default_branch(repository.open(path)) != row.default_branch:
                repository.set_default_branch(path, row.default_branch)


def _refuse_for_bucket(told: dict[str, Any]) -> None:
    for name in told.keys() - {"visibility", "disabled"}:
        raise BadRequest(f"A bucket has no {name}", field=name, value=told[name])


def _new_default(repo: RepoRow, branch: str) -> cards.Snapshot:
    name = check_branch_name(branch)
    head = git_refs.read_ref(repository.open(repo.path), name)
    if head is None:
        raise BadRequest(f"There is no branch {branch!r}", field="defaultBranch", value=branch)
    return cards.snapshot(repo.path, head, repo.type)


# A move that began before would copy the old default's card over the new one's.
def _refuse_moving(repo: RepoRow, branch: str) -> None:
    refs = [HEADS + branch, HEADS + repo.default_branch]
    if RefIntent.objects.filter(repo_id=repo.id, ref__in=refs).exists():
        raise RefBusy("A branch is just being written: try again", field="defaultBranch", value=branch)


def _patterns(patterns: list[str]) -> list[str]:
    if len(patterns) > MAX_PROTECTED:
        raise BadRequest(
            f"At most {MAX_PROTECTED} protected branches",
            field="protectedBranches",
            value=len(patterns),
            limit=MAX_PROTECTED,
        )
    for pattern in patterns:
        check_branch_name("".join("x" if char in _PATTERN_LETTERS else char for char in pattern))
    return list(dict.fromkeys(patterns))
