"""Xorbs as they are stored: taken in once they were checked, and looked up by their hash."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import BinaryIO

from django.db import transaction

from hutch.cas import stores
from hutch.cas.models import DedupeChunk, Xorb, XorbReceipt
from hutch.cas.queries import in_pages
from hutch.cas.xet import rights, spans
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.storage import faults
from hutch.storage.keys import content_key
from hutch.storage.port import Staged
from hutch.xet import hashes, xorb
from hutch.xet.xorb import XorbIndex

SHELF = "xorbs"

faults.declare("cas.after_xorb_row")


@dataclass(frozen=True, slots=True)
class StoredXorb:
    """A xorb's row: its key in the database, its key in storage, its sizes in bytes. The index is read apart."""

    id: int
    hash: str
    storage_key: str
    size: int
    chunks: int


def scan(staged: Staged, name: str) -> tuple[Staged, XorbIndex]:
    """Checks what came as the xorb `name`, and cuts off a footer, which is not kept.

    Raises BadHash, BadXorb; the caller removes the file then. Reads by a map of the file: memory does not grow.
    """
    with staged.path.open("r+b") as file:
        index = _scan(file, staged.size, hashes.from_hex(name))
        if index.data_bytes == staged.size:
            return staged, index
        os.ftruncate(file.fileno(), index.data_bytes)
        os.fsync(file.fileno())
    return replace(staged, size=index.data_bytes), index


def _scan(file: BinaryIO, size: int, name: bytes) -> XorbIndex:
    if size == 0:  # nothing can be mapped
        return xorb.scan(b"", name)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.madvise(mmap.MADV_SEQUENTIAL)
        return xorb.scan(mapped, name)


def receive(actor: Actor, staged: Staged, name: str, index: XorbIndex) -> bool:
    """Takes a checked xorb that the actor sent: into storage, then its row and the receipt. Durable on return.

    True if it is new to this actor, whoever else may have sent it. Safe to repeat and to race.
    """
    key = key_of(name)
    known = _is_known(actor, name)
    # A blob whose row says that it is damaged is removed first, since the same size would be taken for the same bytes.
    if Xorb.objects.filter(hash=name, damaged=True).exists():
        stores.blobs().delete(key)
    stores.blobs().put(key, staged)
    moment = clock.now()
    with transaction.atomic():
        row = Xorb(
            hash=name, storage_key=key, size_bytes=index.data_bytes, raw_bytes=index.raw_bytes,
            chunks=index.count, index=index.pack(), touched_at=moment,
        )  # fmt: skip
        Xorb.objects.bulk_create([row], ignore_conflicts=True)
        stored = Xorb.objects.defer("index").get(hash=name)
        Xorb.objects.filter(pk=stored.pk).update(damaged=False, touched_at=moment)
        _offer(stored.pk, index)
        XorbReceipt.objects.bulk_create(
            [XorbReceipt(user_id=actor.user_id or 0, xorb_id=stored.pk, renewed_at=moment)],
            update_conflicts=True, update_fields=["renewed_at"], unique_fields=["user_id", "xorb"],
        )  # fmt: skip
    faults.point("cas.after_xorb_row")
    return not known


def key_of(name: str) -> str:
    """Where a xorb lies in storage."""
    return content_key(SHELF, name)


def size_of(name: str) -> int | None:
    """The stored bytes of a xorb; None if it is not here."""
    return Xorb.objects.filter(hash=name).values_list("size_bytes", flat=True).first()


def find(names: Iterable[str]) -> dict[str, StoredXorb]:
    """The rows of those xorbs that are here, by hash. Whether anybody may know that is asked of `rights`."""
    found: dict[str, StoredXorb] = {}
    columns = ("pk", "hash", "storage_key", "size_bytes", "chunks")
    for some in in_pages(names):
        rows = Xorb.objects.filter(hash__in=some).values_list(*columns)
        found.update({row[1]: StoredXorb(*row) for row in rows})
    return found


def index_of(key: int) -> XorbIndex:
    """The chunk table of a xorb, by its row's key."""
    return XorbIndex.unpack(bytes(Xorb.objects.values_list("index", flat=True).get(pk=key)))


def name_of(key: int) -> str:
    """The hash of a xorb, by its row's key."""
    return Xorb.objects.values_list("hash", flat=True).get(pk=key)


def touch(keys: Iterable[int]) -> None:
    """Notes that clients were told of these xorbs, so that a collector leaves them alone for its grace time."""
    for some in in_pages(sorted(keys)):
        Xorb.objects.filter(pk__in=some).update(touched_at=clock.now())


def offer_first(xorb_id: int, position: int, chunk: bytes) -> None:
    """Lets clients find a file by its first chunk, whichever that is."""
    row = DedupeChunk(chunk=hashes.to_hex(chunk), xorb_id=xorb_id, position=position)
    DedupeChunk.objects.bulk_create([row], ignore_conflicts=True)


def _offer(xorb_id: int, index: XorbIndex) -> None:
    chunks = enumerate(index.hashes(0, index.count))
    DedupeChunk.objects.bulk_create(
        [
            DedupeChunk(chunk=hashes.to_hex(chunk), xorb_id=xorb_id, position=position)
            for position, chunk in chunks
            if hashes.is_dedupe_eligible(chunk)
        ],
        ignore_conflicts=True,
    )


def _is_known(actor: Actor, name: str) -> bool:
    """Whether the actor may use all of it: an answer that tells nothing about anybody else's."""
    stored = find([name]).get(name)
    if stored is None:
        return False
    usable = rights.usable(actor, [stored.id]).get(stored.id, [])
    return spans.covers(usable, 0, stored.chunks)
