"""The rows of a file. Runs in the caller's transaction, which keeps the xorbs first (`keep_xorbs`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from django.db.models import Q

from hutch.cas.models import FileXorb, XetFile, Xorb
from hutch.cas.queries import in_pages, kept
from hutch.cas.xet import spans, storing
from hutch.cas.xet.spans import Spans
from hutch.core import clock
from hutch.xet import files, hashes
from hutch.xet.files import Term


def keep_xorbs(keys: Iterable[int]) -> set[int]:
    """Those of the xorbs that are here and whole; no collector takes them before the transaction ends."""
    there: set[int] = set()
    for some in in_pages(sorted(keys)):
        there.update(kept(Xorb.objects.filter(pk__in=some, damaged=False)).values_list("pk", flat=True))
    return there


def write_file(
    name: bytes, size: int, terms: Sequence[Term], keys: Mapping[bytes, int], first: bytes, known: Q
) -> int:
    """A file's rows; its key. `keys` are those of the xorbs' rows, `first` is the hash of its first chunk.

    Of one that is here and `known`, whoever came first has said where the chunks lie, unless there they are damaged.
    """
    moment, packed = clock.now(), files.pack_terms(terms)
    rows = XetFile.objects.filter(known, hash=hashes.to_hex(name)).defer("terms")
    stored = kept(rows).first()
    if stored is None:
        stored = XetFile.objects.create(
            hash=hashes.to_hex(name), size_bytes=size, terms=packed, touched_at=moment
        )
    XetFile.objects.filter(pk=stored.pk).update(touched_at=moment)
    if stored.uses.filter(xorb__damaged=True).exists():
        stored.uses.all().delete()
        XetFile.objects.filter(pk=stored.pk).update(terms=packed)
    if not stored.uses.exists():
        _write_uses(stored.pk, terms, keys, first)
    return stored.pk


def _write_uses(file_id: int, terms: Sequence[Term], keys: Mapping[bytes, int], first: bytes) -> None:
    runs: dict[bytes, Spans] = {}
    for term in terms:
        runs.setdefault(term.xorb, []).append((term.start, term.end))
    FileXorb.objects.bulk_create(
        [
            FileXorb(file_id=file_id, xorb_id=keys[name], ranges=spans.to_text(spans.merged(parts)))
            for name, parts in runs.items()
        ],
        ignore_conflicts=True,
    )
    if terms:
        storing.offer_first(keys[terms[0].xorb], terms[0].start, first)
