"""Xorbs of which files use less than half: what is alive moves to a new xorb, the old one dies by the usual rules.

It dies no sooner than after the grace time, since what was given out still names it. Frames are copied as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from django.db import transaction
from django.db.models import QuerySet
from numpy.typing import NDArray

from hutch.cas import dying, stores
from hutch.cas.dying import Limits
from hutch.cas.models import DedupeChunk, FileXorb, XetFile, Xorb
from hutch.cas.queries import in_pages, kept
from hutch.cas.xet import spans, storing, xorbs
from hutch.cas.xet.spans import Spans
from hutch.core import clock
from hutch.core.errors import HutchError
from hutch.storage import faults
from hutch.storage.port import Staged
from hutch.xet import files, hashes
from hutch.xet.files import Term
from hutch.xet.frames import Decoder
from hutch.xet.xorb import XorbIndex, read_chunk

_ROWS = 500
_FILES = 20
_DEAD_PART = 0.5
_NOWHERE = -1

faults.declare("cas.before_compaction_rows", "cas.after_compaction_rows")


def candidates(limits: Limits) -> Iterator[tuple[int, int]]:
    """Xorbs of whose stored bytes files use less than half, and on which nobody builds now: row's key, dead bytes."""
    rows = list(dying.shrinkable(limits).order_by("pk").values_list("pk", "chunks", "size_bytes"))
    for at in range(0, len(rows), _ROWS):
        page = rows[at : at + _ROWS]
        runs = _runs((key for key, *_ in page), _alive(limits))
        for key, chunks, size in page:
            if runs[key] and not spans.covers(runs[key], 0, chunks):
                dead = size - _stored_bytes(key, runs[key], size)
                if dead > _DEAD_PART * size:
                    yield key, dead


def compact(key: int) -> int:
    """Moves what is alive of a xorb to a new one; by how many bytes that is smaller. 0: it could not be done now.

    Safe to end at any moment: a new xorb to which nothing moved dies, an old one from which all moved does too.
    """
    row, live = Xorb.objects.filter(pk=key, damaged=False).first(), _runs([key], FileXorb.objects.all())[key]
    if row is None or not live:
        return 0
    index = XorbIndex.unpack(bytes(row.index))
    copied = _copy(row, index, live)
    if copied is None:
        return 0
    staged, name, new_index = copied
    new = storing.store(staged, name, new_index)
    faults.point("cas.before_compaction_rows")
    moved = _move(row, index, live, new)
    faults.point("cas.after_compaction_rows")
    return row.size_bytes - new_index.data_bytes if moved else 0


def _alive(limits: Limits) -> QuerySet[FileXorb]:
    return FileXorb.objects.exclude(file__in=dying.files(limits).values("pk"))


def _runs(keys: Iterable[int], uses: QuerySet[FileXorb]) -> dict[int, Spans]:
    """The chunks that files use, by the xorb's key; `keys` are few."""
    found: dict[int, Spans] = {key: [] for key in keys}
    for key, text in uses.filter(xorb_id__in=found).values_list("xorb_id", "ranges").iterator():
        found[key] = spans.merged([*found[key], *spans.from_text(text)])
    return found


def _stored_bytes(key: int, live: Spans, size: int) -> int:
    """Stored bytes of these chunks; all of the xorb's `size` if it was collected meanwhile, or its table is broken."""
    try:
        index = xorbs.index_of(key)
    except HutchError:
        return size
    places = (index.frame_range(start, end) for start, end in live)
    return sum(end - start for start, end in places)


def _copy(row: Xorb, index: XorbIndex, live: Spans) -> tuple[Staged, str, XorbIndex] | None:
    """A staged xorb of the live chunks, each of them hashed; None if one is damaged."""
    decoder = Decoder()
    names, raw, stored = [], [], []
    try:
        with stores.staging().create(hashing=False) as file:
            for start, end in live:
                with stores.blobs().open(row.storage_key, *index.frame_range(start, end)) as source:
                    for chunk in range(start, end):
                        first, last = index.frame_range(chunk, chunk + 1)
                        frame = source.read(last - first)
                        read_chunk(frame, index, chunk, decoder=decoder, verify=True)
                        file.write(frame)
                        stored.append(last - first)
                names.append(bytes(index.joined(start, end)))
                raw += index.raw_lengths[start:end].tolist()
            staged = file.finish()
    except (HutchError, OSError):  # a check finds and tells it
        return None
    made = XorbIndex.of_lengths(b"".join(names), raw, stored)
    return staged, hashes.to_hex(made.xorb_hash()), made


@transaction.atomic
def _move(row: Xorb, index: XorbIndex, live: Spans, new: int) -> bool:
    """Has all files that use the old xorb use the new one. False if others came that use more of it, or it changed."""
    there = list(kept(Xorb.objects.filter(pk__in=[row.pk, new], damaged=False).only("storage_key", "hash")))
    if [one.storage_key for one in there if one.pk == row.pk] != [row.storage_key] or len(there) != 2:
        return False
    uses = dict(
        FileXorb.objects.filter(xorb_id=row.pk)
        .order_by("file__hash", "file_id")
        .values_list("file_id", "ranges")
    )
    places = _places(index, live)
    if any(
        (places[start:end] == _NOWHERE).any()
        for text in uses.values()
        for start, end in spans.from_text(text)
    ):
        return False
    target = next(hashes.from_hex(one.hash) for one in there if one.pk == new)
    for some in in_pages(uses):
        hold = kept(XetFile.objects.filter(pk__in=some), "hash")
        found = list(hold.values_list("pk", flat=True))  # some may have been collected since
        for at in range(0, len(found), _FILES):
            for file in XetFile.objects.filter(pk__in=found[at : at + _FILES]):
                _move_file(file, hashes.from_hex(row.hash), target, places)
        _move_uses(row.pk, new, {file: uses[file] for file in found}, places)
    _move_offers(row.pk, new, places)
    Xorb.objects.filter(pk=row.pk).update(touched_at=clock.now())
    return True


def _places(index: XorbIndex, live: Spans) -> NDArray[np.int64]:
    """[count] where each chunk stands in the new xorb; _NOWHERE."""
    places = np.full(index.count, _NOWHERE, np.int64)
    at = 0
    for start, end in live:
        places[start:end] = np.arange(at, at + end - start)
        at += end - start
    return places


def _move_file(file: XetFile, old: bytes, new: bytes, places: NDArray[np.int64]) -> None:
    def moved(term: Term) -> Term:
        if term.xorb != old:
            return term
        start = int(places[term.start])
        return Term(new, start, start + term.end - term.start, term.raw_bytes)

    terms = files.pack_terms(moved(term) for term in files.unpack_terms(bytes(file.terms)))
    XetFile.objects.filter(pk=file.pk).update(terms=terms)


def _move_uses(old: int, new: int, uses: dict[int, str], places: NDArray[np.int64]) -> None:
    known = dict(FileXorb.objects.filter(xorb_id=new, file_id__in=uses).values_list("file_id", "ranges"))
    rows = []
    for file, text in uses.items():
        runs = [
            (int(places[start]), int(places[start]) + end - start) for start, end in spans.from_text(text)
        ]
        merged = spans.merged([*runs, *spans.from_text(known.get(file, ""))])
        rows.append(FileXorb(file_id=file, xorb_id=new, ranges=spans.to_text(merged)))
    FileXorb.objects.filter(xorb_id=old, file_id__in=uses).delete()
    FileXorb.objects.bulk_create(
        rows,
        batch_size=_ROWS,
        update_conflicts=True,
        update_fields=["ranges"],
        unique_fields=["file", "xorb"],
    )


def _move_offers(old: int, new: int, places: NDArray[np.int64]) -> None:
    offered = DedupeChunk.objects.filter(xorb_id=old).values_list("chunk", "position")
    DedupeChunk.objects.bulk_create(
        [
            DedupeChunk(chunk=chunk, xorb_id=new, position=int(places[position]))
            for chunk, position in offered
            if places[position] != _NOWHERE
        ],
        ignore_conflicts=True,
    )
    DedupeChunk.objects.filter(xorb_id=old).delete()
