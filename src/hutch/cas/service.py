"""Large objects and who may use them: the verbs that other rooms call.

The order of durability: bytes synced and renamed (storage), then the row, then the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce

from hutch.cas import stores, usage
from hutch.cas.errors import MissingObjects, PointerSizeMismatch
from hutch.cas.models import (
    FileLink,
    FileLock,
    FileReceipt,
    LargeObject,
    ObjectLink,
    Receipt,
    Upload,
    Usage,
    XetFile,
)
from hutch.cas.queries import in_one_go, in_pages, kept
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from hutch.storage import faults
from hutch.storage.keys import content_key
from hutch.storage.port import Staged

SHELF = "lfs"
_RENEW_AFTER = timedelta(hours=1)

_OBJECT_SQL = """
SELECT o.sha256, o.size_bytes, o.storage_key, COALESCE(f.hash, ''), COALESCE(t.hash, '') FROM cas_largeobject o
  JOIN cas_objectlink l ON l.object_id = o.id
  LEFT JOIN cas_xetfile f ON f.id = o.xet_file_id LEFT JOIN cas_xetfile t ON t.id = l.xet_file_id
 WHERE o.sha256 = %s AND l.repo_id = %s"""

faults.declare("cas.after_row")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object that is in storage: its SHA-256 and its size in bytes.

    It is the blob under `key`, or the Xet file `chunks`, or both; `sources` reads it either way. `xet_hash` is what the
    repository's readers are told of: the same file, or "" where it came as plain bytes.
    """

    oid: str
    size: int
    key: str
    chunks: str = ""
    xet_hash: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """An object as one repository has it: the link's key, SHA-256, size in bytes, and since when."""

    id: int
    oid: str
    size: int
    created_at: datetime


def known(
    actor: Actor, repo_id: int, oids: Iterable[str], readable: QuerySet[Any] | None = None
) -> dict[str, int]:
    """The sizes of those objects that `actor` may link into this repository; all others look as if they did not exist.

    An object may be linked if it is linked there already, if the actor holds a receipt for it there, or if it is linked
    in one of the repositories `readable` (a query of repositories whose files the actor may read).
    """
    rule = Q(Exists(ObjectLink.objects.filter(object=OuterRef("pk"), repo_id=repo_id)))
    if actor.user_id is not None:
        rule |= Q(
            Exists(Receipt.objects.filter(object=OuterRef("pk"), repo_id=repo_id, user_id=actor.user_id))
        )
    if readable is not None:
        elsewhere = ObjectLink.objects.filter(object=OuterRef("pk"))
        rule |= Q(Exists(elsewhere.filter(Exists(readable.filter(pk=OuterRef("repo_id"))))))
    sizes: dict[str, int] = {}
    for some in in_pages(oids):
        sizes.update(LargeObject.objects.filter(rule, sha256__in=some).values_list("sha256", "size_bytes"))
    return sizes


def remember(actor: Actor, repo_id: int, oids: Iterable[str], readable: QuerySet[Any] | None = None) -> None:
    """Notes that `actor` may link these objects there, having been told that they need not be sent.

    The caller has just found them by `known`, among `readable`. A commit later succeeds even if the other repository
    has gone meanwhile.
    """
    if actor.user_id is None:
        return
    for some in in_pages(oids):
        linked = ObjectLink.objects.filter(repo_id=repo_id, object__sha256__in=some).values("object_id")
        fresh = Receipt.objects.filter(
            repo_id=repo_id, user_id=actor.user_id, renewed_at__gt=clock.now() - _RENEW_AFTER
        ).values("object_id")
        rows = LargeObject.objects.filter(sha256__in=some).exclude(pk__in=linked).exclude(pk__in=fresh)
        with transaction.atomic():
            chunks = _chunks_for(actor, repo_id, rows.values_list("pk", flat=True), readable)
            keys = kept(rows, "sha256").values_list("pk", flat=True)
            write_receipts(actor.user_id, repo_id, {key: chunks.get(key) for key in keys})


def check(
    actor: Actor, repo_id: int, pointers: Iterable[Pointer], readable: QuerySet[Any] | None = None
) -> dict[str, int]:
    """Sizes by oid of what the pointers name, if `actor` may link all of them.

    Raises MissingObjects naming those that do not exist for this actor, PointerSizeMismatch for a wrong size.
    """
    wanted = list(pointers)
    sizes = known(actor, repo_id, (pointer.oid for pointer in wanted), readable)
    missing = sorted({pointer.oid for pointer in wanted} - sizes.keys())
    if missing:
        raise MissingObjects(missing)
    for pointer in wanted:
        if sizes[pointer.oid] != pointer.size:
            raise PointerSizeMismatch(pointer.oid, named=pointer.size, actual=sizes[pointer.oid])
    return sizes


@transaction.atomic
def link(
    actor: Actor, repo_id: int, pointers: Iterable[Pointer], readable: QuerySet[Any] | None = None
) -> None:
    """Makes the objects of these pointers readable in the repository. Runs in the caller's transaction.

    Raises what `check` raises, and then links nothing.
    """
    sizes = check(actor, repo_id, pointers, readable)
    for some in in_pages(sorted(sizes)):
        wanted = LargeObject.objects.filter(sha256__in=some)
        chunks = _chunks_for(actor, repo_id, wanted.values_list("pk", flat=True), readable)
        rows = dict(kept(wanted, "sha256").values_list("sha256", "pk"))
        if gone := set(some) - rows.keys():  # collected since they were checked
            raise MissingObjects(sorted(gone))
        _write_links(repo_id, rows.values(), chunks)
    if sizes:
        usage.remeasure([repo_id])


def _chunks_for(
    actor: Actor, repo_id: int, keys: Iterable[int], readable: QuerySet[Any] | None
) -> dict[int, int]:
    """Where these objects lie as chunks that the actor may know of: Xet files by object, kept. Others are left out."""
    sent = Receipt.objects.filter(repo_id=repo_id, user_id=actor.user_id or 0)
    there = (
        ObjectLink.objects.none()
        if readable is None
        else ObjectLink.objects.filter(repo_id__in=readable.values("pk"))
    )
    found: dict[int, int] = {}
    for some in in_pages(keys):
        for rows in (there, sent):  # the later counts
            known = rows.filter(object_id__in=some, xet_file__isnull=False)
            found.update(known.order_by("-pk").values_list("object_id", "xet_file_id"))
    whole: set[int] = set()
    for some in in_pages(found.values()):
        whole.update(kept(XetFile.objects.filter(pk__in=some), "hash").values_list("pk", flat=True))
    return {key: file for key, file in found.items() if file in whole}


def _write_links(repo_id: int, keys: Iterable[int], chunks: Mapping[int, int]) -> None:
    """Links objects; one that was linked as plain bytes gets its chunks."""
    links = [ObjectLink(repo_id=repo_id, object_id=key, xet_file_id=chunks.get(key)) for key in keys]
    plain = list(ObjectLink.objects.filter(repo_id=repo_id, object_id__in=list(chunks), xet_file=None))
    for link in plain:
        link.xet_file_id = chunks[link.object_id]
    ObjectLink.objects.bulk_update(plain, ["xet_file"])
    ObjectLink.objects.bulk_create(links, ignore_conflicts=True)


def object_of(repo_id: int, oid: str) -> StoredObject | None:
    """The object, if it is linked in the repository. Plain SQL: every download begins here."""
    with connection.cursor() as cursor:
        cursor.execute(_OBJECT_SQL, [oid, repo_id])
        row = cursor.fetchone()
    return StoredObject(*row) if row else None


def objects_of(repo_id: int, oids: Iterable[str]) -> dict[str, StoredObject]:
    """Those of the objects that are linked in the repository."""
    found: dict[str, StoredObject] = {}
    for some in in_pages(oids):
        rows = LargeObject.objects.filter(sha256__in=some, links__repo_id=repo_id)
        found.update({row[0]: StoredObject(*row) for row in stored_rows(rows)})
    return found


def all_objects_of(repo_id: int) -> Iterator[StoredObject]:
    """Every object linked in the repository, newest link first."""
    rows = LargeObject.objects.filter(links__repo_id=repo_id).order_by("-links__id")
    for row in stored_rows(rows).iterator():
        yield StoredObject(*row)


def stored_rows(rows: QuerySet[LargeObject]) -> QuerySet[LargeObject, tuple[Any, ...]]:
    """What a StoredObject is made of; the rows are those of one repository, by its links."""
    behind, told = Coalesce("xet_file__hash", Value("")), Coalesce("links__xet_file__hash", Value(""))
    return rows.values_list("sha256", "size_bytes", "storage_key", behind, told)


def links_of(repo_id: int, *, before: int | None = None, limit: int = 1000) -> list[Linked]:
    """What is linked in the repository, newest link first, from the link with key `before` on."""
    rows = ObjectLink.objects.filter(repo_id=repo_id).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = rows.values_list("pk", "object__sha256", "object__size_bytes", "created_at")[:limit]
    return [Linked(*row) for row in found]


def receive(user_id: int, repo_id: int, staged: Staged) -> StoredObject:
    """Takes a staged file that `user_id` sent for this repository: into storage, then its row and the receipt.

    Who may send was decided when the upload's address was signed. Safe to repeat and to race; durable on return.
    """
    key = content_key(SHELF, staged.sha256)
    stores.blobs().put(key, staged)
    _write_object(user_id, repo_id, key, staged)
    faults.point("cas.after_row")
    return StoredObject(staged.sha256, staged.size, key)


@in_one_go
def _write_object(user_id: int, repo_id: int, key: str, staged: Staged) -> None:
    stored = {"storage_key": key, "checked_at": clock.now()}
    row = LargeObject(sha256=staged.sha256, size_bytes=staged.size, **stored)
    LargeObject.objects.bulk_create([row], ignore_conflicts=True)
    found = kept(LargeObject.objects.only("pk").filter(sha256=staged.sha256)).get()
    LargeObject.objects.filter(pk=found.pk, storage_key="").update(**stored)
    write_receipts(user_id, repo_id, {found.pk: None})


def store_bytes(user_id: int, repo_id: int, data: bytes) -> StoredObject:
    """Stores bytes that the server made for a user, as if the user had sent them; link them by a commit."""
    with stores.staging().create(len(data)) as file:
        file.write(data)
        return receive(user_id, repo_id, file.finish())


def stored_bytes(repo_id: int) -> int:
    """Bytes of all objects linked in the repository, each counted once."""
    total = ObjectLink.objects.filter(repo_id=repo_id).aggregate(total=Sum("object__size_bytes"))["total"]
    return int(total or 0)


def stored_bytes_by_repo(repo_ids: Iterable[int]) -> dict[int, int]:
    """`stored_bytes` of many repositories at once; those without objects are left out."""
    rows = (
        ObjectLink.objects.filter(repo_id__in=list(repo_ids))
        .values("repo_id")
        .annotate(total=Sum("object__size_bytes"))
    )
    return {row["repo_id"]: int(row["total"]) for row in rows}


def unlink(repo_id: int, oids: Iterable[str]) -> int:
    """Takes objects from a repository, receipts too, so that a collector may remove them; how many links went."""
    gone = 0
    with transaction.atomic():
        for some in in_pages(oids):
            keys = list(LargeObject.objects.filter(sha256__in=some).values_list("pk", flat=True))
            Receipt.objects.filter(repo_id=repo_id, object_id__in=keys).delete()
            gone += ObjectLink.objects.filter(repo_id=repo_id, object_id__in=keys).delete()[0]
        if gone:
            usage.remeasure([repo_id])
    return gone


def forget_repo(repo_id: int) -> None:
    """Removes all that the room knows of a repository that is being deleted; runs in the caller's transaction."""
    for model in (ObjectLink, Receipt, Upload, FileLock, FileLink, FileReceipt, Usage):
        model.objects.filter(repo_id=repo_id).delete()


def write_receipts(user_id: int, repo_id: int, objects: Mapping[int, int | None]) -> None:
    """Notes that a user may commit these objects to a repository, each as the Xet file beside it, if there is one."""
    moment = clock.now()
    rows = [
        Receipt(user_id=user_id, repo_id=repo_id, object_id=key, xet_file_id=file, renewed_at=moment)
        for key, file in sorted(objects.items())
    ]
    for known in (True, False):  # bytes that come again as they are leave the chunks known
        Receipt.objects.bulk_create(
            [row for row in rows if (row.xet_file_id is not None) == known],
            update_conflicts=True, update_fields=["renewed_at", *(["xet_file"] if known else [])],
            unique_fields=["user_id", "repo_id", "object"],
        )  # fmt: skip
