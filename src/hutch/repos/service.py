"""Repositories come, change their name or settings, and go."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from hutch.accounts import names as account_names
from hutch.accounts import teams
from hutch.accounts.permissions import NamespaceThing
from hutch.cas import service as cas
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, RepoNotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, require
from hutch.git import repository
from hutch.repos import accounting, folders, names
from hutch.repos.cards import snapshot as cards
from hutch.repos.changes import first_commit
from hutch.repos.errors import InvalidName, RepoExists
from hutch.repos.events import RepoCreated, RepoDeleted, RepoMoved
from hutch.repos.lookup import RepoRow, git_path, repo_by_id
from hutch.repos.models import Repo, RepoRedirect, RepoType, new_storage_id
from hutch.storage import faults

faults.declare("repos.after_folder", "repos.after_row_gone")

SDKS = ("gradio", "streamlit", "docker", "static")
_LICENSE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRepo:
    """What is wanted of a new repository. `namespace` None: the actor's own; "": a one-segment name."""

    type: str
    name: str
    namespace: str | None = None
    visibility: str = "public"
    gated: str = ""
    sdk: str = ""
    license_id: str = ""


def create_repo(actor: Actor, wanted: NewRepo) -> RepoRow:
    """Makes a repository with its first commit on `main`; a bucket is a row alone.

    Raises Unauthorized, Forbidden, InvalidName, BadRequest (a Space without SDK), QuotaExceeded, RepoExists.
    """
    if wanted.type == RepoType.BUCKET:
        return _create_bare(actor, wanted)

    def fill(storage_id: str) -> str:
        return first_commit.make(
            git_path(storage_id),
            actor,
            wanted.type,
            name=wanted.name,
            sdk=wanted.sdk,
            license_id=wanted.license_id,
        )

    return create_filled(actor, wanted, fill)


def create_filled(
    actor: Actor,
    wanted: NewRepo,
    fill: Callable[[str], str],
    *,
    default_branch: str = "main",
    then: Callable[[Repo], None] | None = None,
) -> RepoRow:
    """As `create_repo`, with contents of the caller's.

    `fill(storage_id)` makes the git folder durably and returns the head; `then` runs in the transaction of the row.
    """
    place = _checked(actor, wanted)
    storage_id = new_storage_id()
    with folders.unsettled(storage_id):
        head = fill(storage_id)
        faults.point("repos.after_folder")
        row = _new_row(actor, wanted, place, storage_id)
        row.default_branch, row.git_bytes = default_branch, repository.size_bytes(git_path(storage_id))
        _insert(actor, row, cards.snapshot(git_path(storage_id), head, row.type), then)
    return repo_by_id(row.pk)


def _create_bare(actor: Actor, wanted: NewRepo) -> RepoRow:
    place = _checked(actor, wanted)
    row = _new_row(actor, wanted, place, new_storage_id())
    _insert(actor, row, None, None)
    return repo_by_id(row.pk)


def _checked(actor: Actor, wanted: NewRepo) -> NamespaceThing | None:
    place = _place(actor, wanted.type, wanted.namespace, wanted.name)
    _check_new(wanted)
    full_name = f"{place.name}/{wanted.name}" if place else wanted.name
    _refuse_taken(wanted.type, full_name)
    return place


def follow_namespace(actor: Actor, namespace_id: int, old: str, new: str) -> None:
    """Moves all of a namespace along to its new name, in the caller's transaction; old addresses lead to the new."""
    for row in Repo.objects.select_for_update().filter(namespace_id=namespace_id).order_by("pk"):
        _put_name(actor, row, f"{new}/{row.name}")


def held_by(namespace_id: int) -> int:
    """How many repositories there are in a namespace, whoever may see them."""
    return Repo.objects.filter(namespace_id=namespace_id).count()


def delete_repo(actor: Actor, repo: RepoRow) -> None:
    """Removes a repository for good: row and links, then the folder. Large objects go with the next collection."""
    require(actor, "repo.admin", repo)
    with folders.unsettled(repo.storage_id) if repo.has_git else nullcontext():
        with transaction.atomic():
            cas.forget_repo(repo.id)
            teams.forget_repo(repo.id)
            gone, _ = Repo.objects.filter(pk=repo.id).delete()
            if not gone:
                raise RepoNotFound()
            emit(
                RepoDeleted(
                    repo_id=repo.id, type=repo.type, full_name=repo.full_name, by_user_id=actor.user_id
                ),
                actor=actor,
            )
        faults.point("repos.after_row_gone")


def move_repo(actor: Actor, repo: RepoRow, to_name: str) -> RepoRow:
    """Gives a repository another name, perhaps in another namespace; the old name leads to it from now on.

    Raises what `create_repo` raises for the new name, and Forbidden without the right to the old one.
    """
    require(actor, "repo.admin", repo)
    namespace, name = names.split(to_name, field="toRepo")
    place = _place(actor, repo.type, namespace or "", name)
    full_name = f"{place.name}/{name}" if place else name
    try:
        with transaction.atomic():
            _hold(place.namespace_id if place else None, full_name)
            row = Repo.objects.select_for_update().filter(pk=repo.id).first()
            if row is None:
                raise RepoNotFound()
            other_namespace = row.namespace_id != (place.namespace_id if place else None)
            row.namespace_id, row.name = place.namespace_id if place else None, name
            _put_name(actor, row, full_name)
            if other_namespace:
                teams.forget_repo(row.pk)  # roles that the old namespace gave out end with it
                accounting.check_quota(row.namespace_id)
    except IntegrityError as taken:
        raise Conflict(f"The name {full_name!r} is taken", field="toRepo", value=to_name) from taken
    return repo_by_id(repo.id)


def _put_name(actor: Actor, row: Repo, full_name: str) -> None:
    old_name, old_lower = row.full_name, row.lower_full_name
    row.full_name, row.lower_full_name = full_name, full_name.lower()
    row.save(update_fields=["namespace", "name", "full_name", "lower_full_name"])
    RepoRedirect.objects.filter(type=row.type, lower_full_name=row.lower_full_name).delete()
    if old_lower != row.lower_full_name:
        RepoRedirect.objects.create(type=row.type, lower_full_name=old_lower, repo=row)
    moved = RepoMoved(
        repo_id=row.pk, type=row.type, old_name=old_name, full_name=full_name, by_user_id=actor.user_id
    )
    emit(moved, actor=actor)


def _hold(namespace_id: int | None, full_name: str) -> None:
    if namespace_id is not None:
        account_names.hold(namespace_id, full_name.partition("/")[0])


def _place(actor: Actor, type_: str, namespace: str | None, name: str) -> NamespaceThing | None:
    names.check_name(name)
    if namespace == "" and type_ == RepoType.BUCKET:
        raise InvalidName("A bucket's name is `namespace/name`", field="name", value=name)
    if namespace == "":
        names.check_one_segment(actor, name)
        return None
    return names.namespace_for(actor, actor.username if namespace is None else namespace, type_)


def _check_new(wanted: NewRepo) -> None:
    if wanted.type == "space" and wanted.sdk not in SDKS:
        known = ", ".join(SDKS)
        raise BadRequest(f"A Space needs an sdk, one of {known}", field="sdk", value=wanted.sdk, limit=known)
    if wanted.type != "space" and wanted.sdk:
        raise BadRequest("Only a Space has an sdk", field="sdk", value=wanted.sdk)
    if wanted.type == RepoType.BUCKET:
        _refuse_for_bucket(gated=wanted.gated, license=wanted.license_id)
    if wanted.license_id and not _LICENSE.fullmatch(wanted.license_id):
        raise BadRequest(
            "license must be an identifier such as apache-2.0", field="license", value=wanted.license_id
        )


def _refuse_for_bucket(**asked: str) -> None:
    for field, value in asked.items():
        if value:
            raise BadRequest(f"A bucket has no {field}", field=field, value=value)


def _refuse_taken(type_: str, full_name: str) -> None:
    if Repo.objects.filter(type=type_, lower_full_name=full_name.lower()).exists():
        raise RepoExists(address(type_, full_name))


def address(type_: str, full_name: str) -> str:
    """The path of a repository's page, without a leading slash."""
    return full_name if type_ == "model" else f"{type_}s/{full_name}"


def _new_row(actor: Actor, wanted: NewRepo, place: NamespaceThing | None, storage_id: str) -> Repo:
    full_name = f"{place.name}/{wanted.name}" if place else wanted.name
    return Repo(
        type=wanted.type, namespace_id=place.namespace_id if place else None, name=wanted.name, full_name=full_name,
        lower_full_name=full_name.lower(), storage_id=storage_id, visibility=wanted.visibility, gated=wanted.gated,
        sdk=wanted.sdk, creator_id=actor.user_id, updated_at=clock.now(),
    )  # fmt: skip


def _insert(
    actor: Actor, row: Repo, seen: cards.Snapshot | None, then: Callable[[Repo], None] | None
) -> None:
    try:
        with transaction.atomic():
            _hold(row.namespace_id, row.full_name)
            # a new repository takes the name over from whoever moved away
            RepoRedirect.objects.filter(type=row.type, lower_full_name=row.lower_full_name).delete()
            row.save(force_insert=True)
            if seen is not None:
                row.save(update_fields=cards.put(row, seen))
            if then is not None:
                then(row)
            accounting.check_quota(row.namespace_id)
            created = RepoCreated(
                repo_id=row.pk, type=row.type, full_name=row.full_name, visibility=row.visibility,
                head_oid=row.head_oid, by_user_id=actor.user_id,
            )  # fmt: skip
            emit(created, actor=actor)
    except IntegrityError as taken:
        raise RepoExists(address(row.type, row.full_name)) from taken
