"""Xorbs that are here, looked up by their hash. Whether anybody may know of them is asked of `rights`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hutch.cas.models import Xorb
from hutch.cas.queries import in_pages
from hutch.core import clock
from hutch.storage.errors import BlobNotFound
from hutch.storage.keys import check_key, content_key
from hutch.xet.errors import UnknownXorb
from hutch.xet.xorb import XorbIndex

SHELF = "xorbs"


@dataclass(frozen=True, slots=True)
class StoredXorb:
    """A xorb's row: its key in the database, its key in storage, its sizes in bytes. The index is read apart."""

    id: int
    hash: str
    storage_key: str
    size: int
    chunks: int
    damaged: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A xorb's row's key, where its blob lies, and the chunk table that is true of that blob."""

    id: int
    storage_key: str
    damaged: bool
    index: XorbIndex


def find(names: Iterable[str]) -> dict[str, StoredXorb]:
    """The rows of those xorbs that are here, by hash."""
    found: dict[str, StoredXorb] = {}
    columns = ("pk", "hash", "storage_key", "size_bytes", "chunks", "damaged")
    for some in in_pages(names):
        rows = Xorb.objects.filter(hash__in=some).values_list(*columns)
        found.update({row[1]: StoredXorb(*row) for row in rows})
    return found


def tables(names: Iterable[str]) -> dict[str, Table]:
    """The chunk tables of those xorbs that are here, by hash. Up to 330 KB each: ask for a few."""
    found: dict[str, Table] = {}
    for some in in_pages(names):
        rows = Xorb.objects.filter(hash__in=some).values_list("hash", "pk", "storage_key", "damaged", "index")
        for name, key, place, damaged, packed in rows:
            found[name] = Table(key, place, damaged, XorbIndex.unpack(bytes(packed)))
    return found


def index_of(key: int) -> XorbIndex:
    """The chunk table of a xorb, by its row's key. Raises UnknownXorb if it was collected."""
    return XorbIndex.unpack(bytes(_column(key, "index")))


def name_of(key: int) -> str:
    """The hash of a xorb, by its row's key. Raises UnknownXorb if it was collected."""
    return str(_column(key, "hash"))


def _column(key: int, name: str) -> Any:
    value = Xorb.objects.filter(pk=key).values_list(name, flat=True).first()
    if value is None:
        raise UnknownXorb("This xorb is gone", field="xorb")
    return value


def touch(keys: Iterable[int]) -> None:
    """Notes that clients were told of these xorbs, so that a collector leaves them alone for its grace time."""
    for some in in_pages(sorted(keys)):
        Xorb.objects.filter(pk__in=some).update(touched_at=clock.now())


def blob_name(storage_key: str) -> str:
    """What a fetch address calls a blob: the last part of its key."""
    return storage_key.rpartition("/")[2]


def blob_key(name: str) -> str:
    """The inverse of `blob_name`. Raises BlobNotFound for what it cannot have given."""
    key = f"{content_key(SHELF, name[:64]).rpartition('/')[0]}/{name}"
    if "/" in name:
        raise BlobNotFound(key)
    return check_key(key)
