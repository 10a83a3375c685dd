"""Puts right what a check found: out of other copies if there are any, else so that the next upload brings it back.

Nothing is put in place that was not hashed before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from hutch.cas import hashing, stores
from hutch.cas.dying import SETTLING
from hutch.cas.models import DedupeChunk, FileXorb, LargeObject, ObjectLink, XetFile, Xorb
from hutch.cas.problems import Problem
from hutch.cas.xet import copies, epochs, scrubbing, spans, storing
from hutch.cas.xet.reading import FileReader
from hutch.cas.xet.scrubbing import Look
from hutch.core import clock
from hutch.core.errors import HutchError
from hutch.storage import faults
from hutch.xet import files, hashes
from hutch.xet.xorb import XorbIndex

faults.declare("cas.after_damage_marked")


def mend(problem: Problem) -> str:
    """Puts a problem right as far as that can be done; a sentence that says what was done."""
    verbs: dict[str, Callable[[str], str]] = {"xorb": _mend_xorb, "file": _mend_file, "object": _mend_object}
    return verbs[problem.what](problem.oid)


# ---------------------------------------------------------------- xorbs


def _mend_xorb(name: str) -> str:
    row = Xorb.objects.filter(hash=name).first()
    if row is None:
        return "it was collected meanwhile"
    found = scrubbing.look(row)
    if found.problem is None:
        return "it is whole now"
    if found.index is None:
        return _mend_table(row) or _give_up(row)
    _mend_offers(row, found.index)
    if found.bad:
        return _mend_table(row) or _rebuild(found, found.index) or _give_up(row)
    if _has_right_size(row, found.index):
        sizes = {"size_bytes": found.index.data_bytes, "raw_bytes": found.index.raw_bytes}
        Xorb.objects.filter(pk=row.pk, storage_key=row.storage_key).update(
            damaged=False, checked_at=clock.now(), chunks=found.index.count, **sizes
        )
        return "its row was written anew"
    return _rebuild(found, found.index) or _give_up(row)


def _has_right_size(row: Xorb, index: XorbIndex) -> bool:
    blob = stores.blobs().stat(row.storage_key)
    return blob is not None and blob.size == index.data_bytes


def _mend_offers(row: Xorb, index: XorbIndex) -> None:
    with transaction.atomic():
        DedupeChunk.objects.filter(pk__in=scrubbing.wrong_offers(row.pk, index)).delete()
        storing.offer(row.pk, index)


def _mend_table(row: Xorb) -> str:
    """A new chunk table out of the blob, if that is whole."""
    try:
        with stores.blobs().open(row.storage_key) as file:
            index = storing.scan_bytes(file.read(), row.hash)
    except (HutchError, OSError):
        return ""
    with transaction.atomic():
        DedupeChunk.objects.filter(xorb_id=row.pk).delete()
        Xorb.objects.filter(pk=row.pk, storage_key=row.storage_key).update(
            damaged=False, **storing.columns(row.storage_key, index, row.touched_at)
        )
        storing.offer(row.pk, index)
    return "its chunk table was made anew from its blob"


def _give_up(row: Xorb) -> str:
    """What cannot be rebuilt is offered to nobody, and clients forget that it was here."""
    with transaction.atomic():
        same = Xorb.objects.filter(pk=row.pk, storage_key=row.storage_key, damaged=False)
        if same.update(damaged=True):
            epochs.begin_anew([epochs.ALL])
    faults.point("cas.after_damage_marked")
    return "no other copy of its bad chunks is here: it is marked, and replaced by whoever sends it again"


def _rebuild(found: Look, index: XorbIndex) -> str:
    """The xorb out of its good frames and copies of the bad ones, in a blob of its own; empty if a chunk is nowhere."""
    row = found.row
    bad, places = set(found.bad), copies.of(row, index, found.bad)
    with stores.staging().create(hashing=False) as file:
        for chunk in range(index.count):
            if chunk in bad:
                frame = copies.frame(places, index.hash(chunk))
            else:
                place = index.frame_range(chunk, chunk + 1)
                frame = copies.Copy(row.storage_key, *place, is_frame=True).data()
            if not frame:
                return ""
            file.write(frame)
        staged, fresh = storing.scan_staged(file.finish(), row.hash)
    # So that the blob that is here is not taken for the same.
    Xorb.objects.filter(pk=row.pk, storage_key=row.storage_key).update(damaged=True)
    storing.store(staged, row.hash, fresh)
    return f"{len(found.bad)} of its {index.count} chunks were put in again from other copies"


# ---------------------------------------------------------------- files and objects


def _mend_file(name: str) -> str:
    """Which chunks a file uses is told twice; its terms are right if they make its hash."""
    told = [
        _mend_terms(row, problem)
        for row in XetFile.objects.filter(hash=name)
        if (problem := scrubbing.check_file(row))
    ]
    return "; ".join(dict.fromkeys(told)) or "it is whole now, or gone"


def _mend_terms(row: XetFile, problem: Problem) -> str:
    try:
        terms = files.unpack_terms(bytes(row.terms))
        found = files.hash_of(terms, FileReader(terms, loads=True).index_of)
    except HutchError:
        terms, found = [], b""
    if found != hashes.from_hex(row.hash) or files.size_of(terms) != row.size_bytes:
        return f"it cannot be put together from what is here ({problem.detail}): send it again"
    keys = dict(Xorb.objects.filter(hash__in=scrubbing.runs_of(terms)).values_list("hash", "pk"))
    runs = scrubbing.runs_of(terms)
    with transaction.atomic():
        FileXorb.objects.filter(file=row).delete()
        FileXorb.objects.bulk_create(
            [
                FileXorb(file=row, xorb_id=keys[xorb], ranges=spans.to_text(parts))
                for xorb, parts in runs.items()
            ]
        )
    return "the rows that say which chunks it uses were written anew"


def _mend_object(oid: str) -> str:
    """Of an object that is stored in both ways, the bad one goes."""
    row = LargeObject.objects.select_related("xet_file").filter(sha256=oid).first()
    if row is None or not row.storage_key or row.xet_file is None:
        return ""
    began = clock.now()
    blob_is_bad, chunks_are_bad = hashing.check_blob(row) is not None, hashing.check_chunks(row) is not None
    if blob_is_bad == chunks_are_bad:
        return ""
    return _drop_blob(row, began) if blob_is_bad else _drop_file(row)


def _drop_blob(row: LargeObject, began: datetime) -> str:
    same = LargeObject.objects.filter(pk=row.pk, storage_key=row.storage_key, xet_file=row.xet_file)
    if not same.update(storage_key=""):
        return ""
    stores.blobs().delete(row.storage_key, unless_modified_since=began - SETTLING)
    return "its blob was dropped in favour of its chunks, which are whole"


def _drop_file(row: LargeObject) -> str:
    """A file that is none would be taken for proven when it is sent again."""
    with transaction.atomic():
        file = XetFile.objects.select_for_update().filter(pk=row.xet_file_id).first()
        if file is None or file.links.exists():
            return ""
        LargeObject.objects.filter(xet_file=file).exclude(storage_key="").update(xet_file=None)
        if LargeObject.objects.filter(xet_file=file).exists():
            return ""
        ObjectLink.objects.filter(xet_file=file).update(xet_file=None)
        file.delete()
    return "its chunks were dropped in favour of its blob, which is whole"
