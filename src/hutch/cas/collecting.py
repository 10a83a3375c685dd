"""`hutch gc`: removes what nobody needs any more.

Rows go first, each in a transaction that looks once more while it holds the row, then the blobs. A crash in between
leaves blobs without rows, which the next collection takes. Whoever sends something at the same time either finds its
row or is asked to send it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet, Sum

from hutch.cas import checking, dying, hashing, stores
from hutch.cas.dying import Limits
from hutch.cas.models import LargeObject, ObjectLink, Told, XetFile, Xorb
from hutch.cas.queries import kept, on_damage
from hutch.cas.xet import compacting, epochs
from hutch.storage import faults
from hutch.storage.port import Blob

_ROWS = 200
Row = TypeVar("Row", bound=Model)
Turn = Callable[[str], None]
"""Called between two steps with what is done now; may raise to end the collection."""

faults.declare("cas.after_rows_collected")


@dataclass(slots=True)
class Collected:
    """What a collection removed (or would remove), and the bytes that it freed in storage.

    `xet_files` had no bytes of their own. `twins` are blobs of objects that are stored as chunks as well. `strays` are
    blobs without a row. Of a compacted xorb the old form, `compacted_bytes` larger, goes with a later collection.
    """

    objects: int = 0
    object_bytes: int = 0
    twins: int = 0
    twin_bytes: int = 0
    xet_files: int = 0
    xorbs: int = 0
    xorb_bytes: int = 0
    strays: int = 0
    stray_bytes: int = 0
    compacted: int = 0
    compacted_bytes: int = 0

    @property
    def freed_bytes(self) -> int:
        """What storage has more room for."""
        return self.object_bytes + self.twin_bytes + self.xorb_bytes + self.stray_bytes

    def shape(self) -> dict[str, int]:
        """Plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"freed_bytes": self.freed_bytes}


def collect(grace_s: float, turn: Turn) -> Collected:
    """Removes what nobody has needed for `grace_s` seconds. Safe to end at any moment, to repeat and to race."""
    limits, done = Limits.now(grace_s), Collected()
    for step in (_objects, _twins, _move, _files, _xorbs, _compact, _strays):
        step(limits, done, turn)
    return done


def foresee(grace_s: float) -> Collected:
    """What `collect` would do, told by looking alone."""
    limits, done = Limits.now(grace_s), Collected()
    objects, twins, xorbs = dying.objects(limits), dying.twins(limits), dying.xorbs(limits)
    done.objects, done.object_bytes = objects.count(), _bytes(objects.exclude(storage_key=""))
    done.twins, done.twin_bytes = twins.count(), _bytes(twins)
    done.xet_files = dying.files(limits).count()
    done.xorbs, done.xorb_bytes = xorbs.count(), _bytes(xorbs)
    for _, dead in compacting.candidates(limits):
        done.compacted += 1
        done.compacted_bytes += dead
    for blob in _old_strays(limits):
        done.strays += 1
        done.stray_bytes += blob.size
    return done


def _bytes(rows: QuerySet[Row]) -> int:
    return int(rows.aggregate(total=Sum("size_bytes"))["total"] or 0)


def _pages(rows: QuerySet[Row]) -> Iterator[list[int]]:
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    yield from (keys[at : at + _ROWS] for at in range(0, len(keys), _ROWS))


def _held(model: type[Row], keys: list[int]) -> list[int]:
    """Those of the rows that nobody keeps, and that nobody can keep before the transaction ends."""
    rows = model._default_manager.select_for_update(skip_locked=True).filter(pk__in=keys)
    return list(rows.values_list("pk", flat=True))


def _objects(limits: Limits, done: Collected, turn: Turn) -> None:
    for keys in _pages(dying.objects(limits)):
        turn("objects")
        gone = _take_objects(limits, keys)
        faults.point("cas.after_rows_collected")
        done.objects += len(gone)
        for key, size in gone:
            if key and stores.blobs().delete(key, unless_modified_since=limits.settled):
                done.object_bytes += size


@transaction.atomic
def _take_objects(limits: Limits, keys: list[int]) -> list[tuple[str, int]]:
    rows = dying.objects(limits).filter(pk__in=_held(LargeObject, keys))
    gone = list(rows.values_list("pk", "storage_key", "size_bytes"))
    LargeObject.objects.filter(pk__in=[key for key, *_ in gone]).delete()
    return [(key, size) for _, key, size in gone]


def _twins(limits: Limits, done: Collected, turn: Turn) -> None:
    """The chunks are read once more before the only other copy of them goes."""
    for keys in _pages(dying.twins(limits)):
        for row in LargeObject.objects.select_related("xet_file").filter(pk__in=keys):
            turn("blobs of objects that are chunks as well")
            if row.xet_file is None or not row.storage_key or hashing.check_chunks(row) is not None:
                continue
            same = LargeObject.objects.filter(pk=row.pk, storage_key=row.storage_key, xet_file=row.xet_file)
            if not same.update(storage_key=""):
                continue
            faults.point("cas.after_rows_collected")
            done.twins += 1
            if stores.blobs().delete(row.storage_key, unless_modified_since=limits.settled):
                done.twin_bytes += row.size_bytes


def _move(_limits: Limits, _done: Collected, turn: Turn) -> None:
    """Has objects lie in chunks that somebody has anyway, so that those of who has gone can go."""
    for keys in _pages(dying.movable()):
        for key in keys:
            turn("objects that lie here more than once")
            with transaction.atomic():
                _move_object(key)


def _move_object(key: int) -> None:
    links = ObjectLink.objects.filter(object_id=key).values("xet_file_id")
    found = kept(XetFile.objects.only("pk").filter(~on_damage(), pk__in=links)).first()
    if found is not None:
        dying.movable().filter(pk=key).update(xet_file=found)


def _files(limits: Limits, done: Collected, turn: Turn) -> None:
    for keys in _pages(dying.files(limits)):
        turn("files")
        done.xet_files += _take_files(limits, keys)


@transaction.atomic
def _take_files(limits: Limits, keys: list[int]) -> int:
    # An object may have begun to die since objects were collected: its file waits for the next time.
    rows = dying.files(limits).filter(pk__in=_held(XetFile, keys), objects_of__isnull=True)
    gone = list(rows.values_list("pk", flat=True))
    told = Told.objects.filter(file_id__in=gone).values_list("user_id", flat=True).distinct()
    epochs.begin_anew(told)  # their clients may build on chunks that are not theirs any more
    XetFile.objects.only("pk").filter(pk__in=gone).delete()
    return len(gone)


def _xorbs(limits: Limits, done: Collected, turn: Turn) -> None:
    for keys in _pages(dying.xorbs(limits)):
        turn("xorbs")
        gone = _take_xorbs(limits, keys)
        faults.point("cas.after_rows_collected")
        done.xorbs += len(gone)
        for key, size in gone:  # no other row ever has this key
            stores.blobs().delete(key)
            done.xorb_bytes += size


@transaction.atomic
def _take_xorbs(limits: Limits, keys: list[int]) -> list[tuple[str, int]]:
    rows = dying.xorbs(limits).filter(pk__in=_held(Xorb, keys), users__isnull=True)
    gone = list(rows.values_list("pk", "storage_key", "size_bytes"))
    Xorb.objects.only("pk").filter(pk__in=[key for key, *_ in gone]).delete()
    if gone:  # else a client that has one of them in its cache would fail for weeks
        epochs.begin_anew([epochs.ALL])
    return [(key, size) for _, key, size in gone]


def _compact(limits: Limits, done: Collected, turn: Turn) -> None:
    for key, _ in compacting.candidates(limits):
        turn("xorbs that are half dead")
        freed = compacting.compact(key)
        done.compacted += freed > 0
        done.compacted_bytes += freed


def _strays(limits: Limits, done: Collected, turn: Turn) -> None:
    for blob in _old_strays(limits):
        turn("blobs without a row")
        if checking.is_stray(blob.key) and stores.blobs().delete(
            blob.key, unless_modified_since=limits.stray
        ):
            done.strays += 1
            done.stray_bytes += blob.size


def _old_strays(limits: Limits) -> Iterator[Blob]:
    return (blob for blob in checking.strays() if blob.modified < limits.stray)
