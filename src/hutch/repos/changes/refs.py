"""The one hallway: every move of a ref, by push, commit or API, goes through `advance`.

Two stores must agree, git and the database. An intent is written first (it is the ref's lock), then the ref moves,
then the row that tells of it is written and the intent removed. A restart finds the intents that a crash left and
finishes them if the ref has moved, forgets them if not.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.db import IntegrityError, transaction

from hutch.cas import service as cas
from hutch.core import clock
from hutch.core.errors import NotFound, RepoNotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.pointers import Pointer
from hutch.git.refs import HEADS, PULL_REQUESTS, RefUpdate, short_name
from hutch.repos import accounting, jobs
from hutch.repos.cards import snapshot as cards
from hutch.repos.changes import ref_policy
from hutch.repos.errors import RefBusy
from hutch.repos.events import PullOpened, RefMove, RepoPushed
from hutch.repos.lookup import RepoRow, repo_by_id
from hutch.repos.models import Pull, RefIntent, Repo
from hutch.repos.visibility import readable_by
from hutch.storage import faults

How = Literal["push", "commit", "api"]

# Longer than any move takes: an older intent belongs to a process that is gone.
INTENT_LEASE = timedelta(seconds=120)

faults.declare("repos.after_intent", "repos.after_migrate", "repos.after_ref")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Move:
    """One advance under way."""

    repo: RepoRow
    updates: tuple[RefUpdate, ...]
    push_id: str
    user_id: int | None
    how: How


def advance(
    actor: Actor,
    repo: RepoRow,
    updates: Sequence[RefUpdate],
    *,
    pointers: Iterable[Pointer] = (),
    migrate: Callable[[], None] | None = None,
    how: How = "push",
    incoming_bytes: int = 0,
) -> None:
    """Moves refs, all or none, and returns when that is durable in git and told in the database.

    `pointers` are the large objects that the new commits name; `migrate` brings the new git objects in (from a push's
    quarantine); `incoming_bytes` is their size, for the quota. Raises what `ref_policy.check` raises, MissingObjects
    (a pointer to bytes that are not here or not this actor's to use), QuotaExceeded, RefBusy or RefMoved (409).
    """
    moves = tuple(update for update in updates if update.old != update.new)
    ref_policy.check(actor, repo, moves)
    if not moves:
        return
    move = _Move(repo, moves, uuid.uuid4().hex, actor.user_id, how)
    _announce(actor, move, list(pointers), incoming_bytes)
    try:
        faults.point("repos.after_intent")
        if migrate is not None:
            migrate()
        faults.point("repos.after_migrate")
        ref_policy.check_history(repo, moves)
        git_refs.update(repo.path, moves)
    except BaseException:
        _settle(move)
        raise
    faults.point("repos.after_ref")
    _record(move)


def recover() -> int:
    """Finishes or forgets the moves that a crash interrupted; returns how many. For the start of a server."""
    settled = _settle_intents(RefIntent.objects.all(), goes_on=True)
    # pull requests whose ref never came to be: nobody was told of them
    Pull.objects.filter(head_oid="", created_at__lt=clock.now() - INTENT_LEASE).delete()
    return settled


def _announce(actor: Actor, move: _Move, pointers: list[Pointer], incoming_bytes: int) -> None:
    _settle_intents(RefIntent.objects.filter(repo_id=move.repo.id, created_at__lt=clock.now() - INTENT_LEASE))
    try:
        with transaction.atomic():
            RefIntent.objects.bulk_create(
                RefIntent(
                    repo_id=move.repo.id,
                    ref=each.name,
                    old=each.old or "",
                    new=each.new or "",
                    push_id=move.push_id,
                    actor_id=move.user_id,
                    how=move.how,
                )
                for each in move.updates
            )
            if pointers:
                cas.link(actor, move.repo.id, pointers, readable_by(actor))
                Repo.objects.filter(pk=move.repo.id).update(lfs_bytes=cas.stored_bytes(move.repo.id))
            if any(each.new for each in move.updates):
                accounting.check_quota(move.repo.namespace_id, incoming_bytes)
    except IntegrityError as held:
        if not Repo.objects.filter(pk=move.repo.id).exists():
            raise RepoNotFound() from held
        raise RefBusy(field="ref", value=move.updates[0].name) from held


def _record(move: _Move) -> None:
    path = move.repo.path
    head = HEADS + move.repo.default_branch
    new_head = next((each.new for each in move.updates if each.name == head and each.new), None)
    snapshot = cards.snapshot(path, new_head, move.repo.type) if new_head else None
    git_bytes = repository.size_bytes(path)
    with transaction.atomic():
        row = Repo.objects.select_for_update().filter(pk=move.repo.id).first()
        if row is None:
            raise RepoNotFound()
        row.updated_at = clock.now()
        row.git_bytes = git_bytes
        row.pushes_since_repack += 1
        fields = ["updated_at", "git_bytes", "pushes_since_repack"]
        if snapshot is not None:
            fields += cards.put(row, snapshot)
        row.save(update_fields=fields)
        _tell_pulls(move, row)
        jobs.plan_maintenance(row)
        RefIntent.objects.filter(push_id=move.push_id).delete()
        emit(_pushed(move, row), actor=Actor(user_id=move.user_id))


def _pushed(move: _Move, row: Repo) -> RepoPushed:
    refs = tuple(RefMove(ref=each.name, old=each.old, new=each.new) for each in move.updates)
    return RepoPushed(
        repo_id=row.pk,
        type=row.type,
        full_name=row.full_name,
        how=move.how,
        refs=refs,
        by_user_id=move.user_id,
    )


def _tell_pulls(move: _Move, row: Repo) -> None:
    for each in move.updates:
        if not each.name.startswith(PULL_REQUESTS) or not each.new:
            continue
        pull = Pull.objects.filter(repo=row, number=int(short_name(each.name))).first()
        if pull is None:
            continue
        if not pull.head_oid:
            opened = PullOpened(
                repo_id=row.pk, type=row.type, full_name=row.full_name, number=pull.number, title=pull.title,
                by_user_id=move.user_id,
            )  # fmt: skip
            emit(opened, actor=Actor(user_id=move.user_id))
        pull.head_oid = each.new
        pull.save(update_fields=["head_oid"])


def _settle(move: _Move) -> None:
    """After a failure: git's own state says whether the move was made."""
    try:
        _settle_intents(RefIntent.objects.filter(push_id=move.push_id))
    except Exception:  # the failure that brought us here matters more, and a restart settles it too
        log.exception("the intents of push %s stay for the next start", move.push_id)


def _settle_intents(intents: Iterable[RefIntent], *, goes_on: bool = False) -> int:
    by_push: dict[str, list[RefIntent]] = {}
    for intent in intents:
        by_push.setdefault(intent.push_id, []).append(intent)
    for push_id, held in by_push.items():
        try:
            _settle_push(held)
        except Exception:
            if not goes_on:
                raise
            log.exception("push %s stays unsettled; the others go on", push_id)
    return len(by_push)


def _settle_push(intents: list[RefIntent]) -> None:
    first = intents[0]
    repo = repo_by_id(first.repo_id)
    try:
        opened = repository.open(repo.path)
    except NotFound:  # being deleted
        RefIntent.objects.filter(push_id=first.push_id).delete()
        return
    made = tuple(
        RefUpdate(each.ref, each.old or None, each.new or None)
        for each in intents
        if git_refs.read_ref(opened, each.ref) == (each.new or None)
    )
    if made:
        how: How = "push" if first.how == "push" else "commit" if first.how == "commit" else "api"
        _record(_Move(repo, made, first.push_id, first.actor_id, how))
    else:
        RefIntent.objects.filter(push_id=first.push_id).delete()
