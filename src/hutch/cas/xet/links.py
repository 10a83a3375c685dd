"""Xet files of buckets: who may put one there, and what is there. Repositories link objects instead (`cas.service`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from hutch.cas import usage
from hutch.cas.errors import MissingXetFiles
from hutch.cas.models import FileLink, FileReceipt, ObjectLink, XetFile
from hutch.cas.queries import in_pages, kept
from hutch.core import clock
from hutch.core.permissions import Actor


def known_files(actor: Actor, repo_id: int, hashes: Iterable[str], readable: QuerySet[Any]) -> dict[str, int]:
    """The sizes in bytes of the files that `actor` may put into this bucket; others look as if they did not exist.

    A file may be put there if it is there already, if the actor sent it for this bucket, or if it is in one of
    `readable` (a query of repositories and buckets whose files the actor may read).
    """
    return {name: size for name, (_, size) in _chosen(actor, repo_id, hashes, readable).items()}


def _rules(actor: Actor, repo_id: int, readable: QuerySet[Any]) -> list[Q]:
    """Why an actor may put a file there: of one that lies here more than once, the first that holds says which."""
    rules = [Q(Exists(FileLink.objects.filter(file=OuterRef("pk"), repo_id=repo_id)))]
    if actor.user_id is not None:
        mine = FileReceipt.objects.filter(file=OuterRef("pk"), repo_id=repo_id, user_id=actor.user_id)
        rules.append(Q(Exists(mine)))
    return [*rules, in_readable(readable)]


def _chosen(
    actor: Actor, repo_id: int, hashes: Iterable[str], readable: QuerySet[Any]
) -> dict[str, tuple[int, int]]:
    """Key and size of the row that counts there, for each of these files that the actor may put there."""
    found: dict[str, tuple[int, int]] = {}
    for some in in_pages(hashes):
        for rule in _rules(actor, repo_id, readable):
            rows = XetFile.objects.filter(rule, hash__in=[name for name in some if name not in found])
            for name, key, size in rows.order_by("-pk").values_list("hash", "pk", "size_bytes"):
                found[name] = key, size
    return found


def in_readable(readable: QuerySet[Any], file: str = "pk") -> Q:
    """The rule that a file is linked in one of these repositories or buckets; `file` names its key in the query."""
    direct = FileLink.objects.filter(file=OuterRef(file))
    behind = ObjectLink.objects.filter(xet_file=OuterRef(file))
    there = readable.filter(pk=OuterRef("repo_id"))
    return Q(Exists(direct.filter(Exists(there)))) | Q(Exists(behind.filter(Exists(there))))


@transaction.atomic
def link_files(actor: Actor, repo_id: int, hashes: Iterable[str], readable: QuerySet[Any]) -> dict[str, int]:
    """Makes these files readable in the bucket; their sizes in bytes. Runs in the caller's transaction.

    Raises MissingXetFiles naming those that do not exist for this actor, and then links nothing.
    """
    wanted = list(dict.fromkeys(hashes))
    chosen = _chosen(actor, repo_id, wanted, readable)
    missing = sorted(set(wanted) - chosen.keys())
    if missing:
        raise MissingXetFiles(missing)
    for some in in_pages(sorted(chosen)):
        keys = [chosen[name][0] for name in some]
        rows = dict(kept(XetFile.objects.filter(pk__in=keys), "hash").values_list("hash", "pk"))
        if gone := set(some) - rows.keys():  # collected since they were asked for
            raise MissingXetFiles(sorted(gone))
        FileLink.objects.bulk_create(
            [FileLink(repo_id=repo_id, file_id=key) for key in rows.values()], ignore_conflicts=True
        )
    if chosen:
        usage.remeasure([repo_id])
    return {name: size for name, (_, size) in chosen.items()}


def unlink_files(repo_id: int, hashes: Iterable[str]) -> int:
    """Takes files from a bucket in which nothing names them any more; how many links went.

    Receipts stay: somebody may just have sent the same file and be about to name it. They age by themselves.
    """
    gone = 0
    with transaction.atomic():
        for some in in_pages(hashes):
            gone += FileLink.objects.filter(repo_id=repo_id, file__hash__in=some).delete()[0]
        if gone:
            usage.remeasure([repo_id])
    return gone


def remember_files(actor: Actor, repo_id: int, hashes: Iterable[str], readable: QuerySet[Any]) -> None:
    """Notes that `actor` may put these files into this bucket, having been told that they need not be sent.

    The caller has just found them by `known_files`, among `readable`. A batch later succeeds even if their
    source has gone meanwhile.
    """
    if actor.user_id is None:
        return
    moment = clock.now()
    for some in in_pages(hashes):
        with transaction.atomic():
            chosen = [key for key, _ in _chosen(actor, repo_id, some, readable).values()]
            keys = kept(XetFile.objects.filter(pk__in=chosen), "hash").values_list("pk", flat=True)
            FileReceipt.objects.bulk_create(
                [FileReceipt(user_id=actor.user_id, repo_id=repo_id, file_id=key, renewed_at=moment) for key in keys],
                update_conflicts=True, update_fields=["renewed_at"], unique_fields=["user_id", "repo_id", "file"],
            )  # fmt: skip


def linked_files(repo_id: int, hashes: Iterable[str]) -> dict[str, int]:
    """The sizes in bytes of those of these files that the bucket has."""
    sizes: dict[str, int] = {}
    for some in in_pages(hashes):
        rows = XetFile.objects.filter(links__repo_id=repo_id, hash__in=some)
        sizes.update(rows.values_list("hash", "size_bytes"))
    return sizes


def files_behind(repo_id: int, oids: Iterable[str]) -> dict[str, str]:
    """The Xet file hash of each of these objects that the repository has as chunks."""
    found: dict[str, str] = {}
    for some in in_pages(oids):
        rows = ObjectLink.objects.filter(object__sha256__in=some, repo_id=repo_id, xet_file__isnull=False)
        found.update(rows.values_list("object__sha256", "xet_file__hash"))
    return found
