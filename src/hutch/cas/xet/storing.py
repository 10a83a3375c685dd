"""Xorbs on their way into storage: checked, then the blob, then the row, then the answer.

A blob is written once under a name of its own, and the row says which it is: two senders may have compressed the same
chunks differently, and a row's chunk table is true of its own blob alone.
"""

from __future__ import annotations

import mmap
import os
import secrets
from dataclasses import replace
from datetime import datetime
from typing import BinaryIO

from django.db import transaction

from hutch.cas import stores
from hutch.cas.models import DedupeChunk, Xorb, XorbReceipt
from hutch.cas.queries import in_one_go, kept
from hutch.cas.xet import rights, spans, xorbs
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.storage import faults
from hutch.storage.keys import content_key
from hutch.storage.port import Staged
from hutch.xet import hashes, xorb
from hutch.xet.errors import BadXorb
from hutch.xet.xorb import XorbIndex

_NAME_BYTES = 8

faults.declare("cas.after_xorb_blob", "cas.after_xorb_row")


def scan(staged: Staged, name: str) -> tuple[Staged, XorbIndex]:
    """Checks what came as the xorb `name`, and cuts off a footer, which is not kept.

    Raises BadHash, BadXorb; the caller removes the file then. Reads by a map of the file: memory does not grow.
    """
    with staged.path.open("r+b") as file:
        index = _scan_file(file, staged.size, hashes.from_hex(name))
        if index.data_bytes == staged.size:
            return staged, index
        os.ftruncate(file.fileno(), index.data_bytes)
        os.fsync(file.fileno())
    return replace(staged, size=index.data_bytes), index


def scan_staged(staged: Staged, name: str) -> tuple[Staged, XorbIndex]:
    """As `scan`; the file is gone if it raises."""
    try:
        return scan(staged, name)
    except BaseException:
        staged.path.unlink(missing_ok=True)
        raise


def scan_bytes(data: bytes, name: str) -> XorbIndex:
    """Checks bytes as the xorb `name`, without a footer. Raises BadXorb."""
    index = xorb.scan(data, hashes.from_hex(name))
    if index.data_bytes != len(data):
        raise BadXorb("Something stands behind the last chunk", field="size", value=len(data))
    return index


def _scan_file(file: BinaryIO, size: int, name: bytes) -> XorbIndex:
    if size == 0:  # nothing can be mapped
        return xorb.scan(b"", name)
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        mapped.madvise(mmap.MADV_SEQUENTIAL)
        return xorb.scan(mapped, name)


def receive(actor: Actor, staged: Staged, name: str, index: XorbIndex) -> bool:
    """Takes a checked xorb that the actor sent: into storage, then its row and the receipt. Durable on return.

    True if it is new to this actor, whoever else may have sent it. Safe to repeat and to race.
    """
    known = _is_known(actor, name)
    store(staged, name, index, sender=actor.user_id or 0)
    faults.point("cas.after_xorb_row")
    return not known


def store(staged: Staged, name: str, index: XorbIndex, *, sender: int | None = None) -> int:
    """Has a checked xorb in storage; the key of its row. The staged file is gone. Safe to repeat and to race.

    One that is here and whole is kept and counts as young again; a damaged or lost one is replaced. `sender` gets a
    receipt.
    """
    found = _renew(name, sender)
    if found is not None:
        staged.path.unlink(missing_ok=True)
        return found
    key = fresh_key(name)
    stores.blobs().put(key, staged)
    faults.point("cas.after_xorb_blob")
    row, unused_key = _write(name, key, index, sender)
    if unused_key:
        stores.blobs().delete(unused_key)
    return row


def fresh_key(name: str) -> str:
    """Where a blob of this xorb may lie that is about to be written; no other has this key, ever."""
    return f"{content_key(xorbs.SHELF, name)}.{secrets.token_hex(_NAME_BYTES)}"


def offer_first(xorb_id: int, position: int, chunk: bytes) -> None:
    """Lets clients find a file by its first chunk, whichever that is."""
    row = DedupeChunk(chunk=hashes.to_hex(chunk), xorb_id=xorb_id, position=position)
    DedupeChunk.objects.bulk_create([row], ignore_conflicts=True)


def offer(xorb_id: int, index: XorbIndex) -> None:
    """Lets clients find those chunks of a xorb that they ask for: one of about a thousand."""
    DedupeChunk.objects.bulk_create(
        [
            DedupeChunk(chunk=hashes.to_hex(chunk), xorb_id=xorb_id, position=position)
            for position, chunk in enumerate(index.hashes())
            if hashes.is_dedupe_eligible(chunk)
        ],
        ignore_conflicts=True,
    )


def _renew(name: str, sender: int | None) -> int | None:
    """The row's key, if the xorb is here and whole."""
    with transaction.atomic():
        row = kept(Xorb.objects.defer("index").filter(hash=name, damaged=False)).first()
        if row is None or not _is_there(row):
            return None
        Xorb.objects.filter(pk=row.pk).update(touched_at=clock.now())
        _note_sender(row.pk, sender)
        return row.pk


@in_one_go
def _write(name: str, key: str, index: XorbIndex, sender: int | None) -> tuple[int, str]:
    """Has the row tell of this blob, unless it tells of another that is whole: its key, and that of the other blob."""
    fresh = columns(key, index, clock.now())
    Xorb.objects.bulk_create([Xorb(hash=name, **fresh)], ignore_conflicts=True)
    row = kept(Xorb.objects.defer("index")).get(hash=name)
    _note_sender(row.pk, sender)
    unused_key = ""
    if row.storage_key != key:
        if not row.damaged and _is_there(row):
            Xorb.objects.filter(pk=row.pk).update(touched_at=fresh["touched_at"])
            return row.pk, key
        Xorb.objects.filter(pk=row.pk).update(**fresh, damaged=False)
        unused_key = row.storage_key
    offer(row.pk, index)
    return row.pk, unused_key


def columns(key: str, index: XorbIndex, moment: datetime) -> dict[str, object]:
    """What a row says of the blob `key`, which was checked just now; `moment`: when somebody last sent it."""
    return {
        "storage_key": key, "size_bytes": index.data_bytes, "raw_bytes": index.raw_bytes, "chunks": index.count,
        "index": index.pack(), "touched_at": moment, "checked_at": clock.now(),
    }  # fmt: skip


def _is_there(row: Xorb) -> bool:
    blob = stores.blobs().stat(row.storage_key)
    return blob is not None and blob.size == row.size_bytes


def _note_sender(row: int, sender: int | None) -> None:
    if sender is None:
        return
    XorbReceipt.objects.bulk_create(
        [XorbReceipt(user_id=sender, xorb_id=row, renewed_at=clock.now())],
        update_conflicts=True, update_fields=["renewed_at"], unique_fields=["user_id", "xorb"],
    )  # fmt: skip


def _is_known(actor: Actor, name: str) -> bool:
    """Whether the actor may use all of it: an answer that tells nothing about anybody else's."""
    stored = xorbs.find([name]).get(name)
    if stored is None:
        return False
    usable = rights.usable(actor, [stored.id]).get(stored.id, [])
    return spans.covers(usable, 0, stored.chunks)
