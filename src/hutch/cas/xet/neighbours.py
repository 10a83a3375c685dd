"""Chunks that stand in stored xorbs already, as the hub itself looks for them when it cuts an object up.

A chunk in about a thousand is offered for the whole hub; from there the file around it is walked along, xorb by xorb,
as clients do with what they are told (`dedupe`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q

from hutch.cas.models import DedupeChunk, FileLink, FileXorb, ObjectLink, XetFile
from hutch.cas.queries import in_pages
from hutch.cas.xet import links, rights, spans, xorbs
from hutch.cas.xet.spans import Spans
from hutch.cas.xet.xorbs import Table
from hutch.core.permissions import NOBODY
from hutch.xet import files, hashes

_KEPT = 48  # xorbs: some 50,000 chunks, 10 MB
_AHEAD = 12
_MOST_PLACES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk stands: the xorb's hash, and the position."""

    xorb: bytes
    position: int


def rule_for(repo_ids: Sequence[int], file: str = "file_id") -> Q:
    """Files that whoever reads an object of these repositories may know of: everybody may, or each of them has it.

    Else somebody could send bytes, wait for them to be cut, and see whether a stranger has the same. `file` names a
    file's key in the query.
    """
    rule = Q(pk__gt=0)
    for repo_id in repo_ids:
        direct = FileLink.objects.filter(file=OuterRef(file), repo_id=repo_id)
        behind = ObjectLink.objects.filter(xet_file=OuterRef(file), repo_id=repo_id)
        rule &= Q(Exists(direct)) | Q(Exists(behind))
    return rule | links.in_readable(rights.readable_by(NOBODY), file)


class Neighbours:
    """The xorbs around the last hits, while one object is cut up; asks the database once in a thousand chunks."""

    def __init__(self, rule: Q) -> None:
        self._rule = rule
        self._tables: OrderedDict[bytes, tuple[Table, Spans]] = OrderedDict()
        self._places: dict[bytes, Place] = {}
        self._after: dict[bytes, list[bytes]] = {}

    def find(self, chunk: bytes, *, is_first: bool) -> Place | None:
        """Where a chunk stands, if it is near the last hits, or offered (`is_first`: it begins the object)."""
        place = self._places.get(chunk)
        if place is None and (is_first or hashes.is_dedupe_eligible(chunk)):
            self._look_around(chunk)
            place = self._places.get(chunk)
        if place is not None:
            self._go_on(place.xorb)
            place = self._places.get(chunk)
        return place

    def has(self, xorb: bytes, position: int, chunk: bytes) -> bool:
        """Whether the chunk stands there too: the next of a run, or the one before."""
        self._go_on(xorb)
        table, usable = self._tables.get(xorb, (None, []))
        return (
            table is not None
            and 0 <= position < table.index.count
            and spans.covers(usable, position, position + 1)
            and table.index.hash(position) == chunk
        )

    def before(self, place: Place, chunk: bytes) -> Place | None:
        """Where the chunk stands, if it does right before a place or near it."""
        if self.has(place.xorb, place.position - 1, chunk):
            return Place(place.xorb, place.position - 1)
        return self._places.get(chunk)

    def add(self, name: bytes) -> None:
        """A xorb of the object's own: all of it may be used."""
        for table in xorbs.tables([hashes.to_hex(name)]).values():
            self._keep(name, table, [(0, table.index.count)])

    def _look_around(self, chunk: bytes) -> None:
        rows = DedupeChunk.objects.filter(chunk=hashes.to_hex(chunk), xorb__damaged=False).order_by("-pk")
        for key, position in list(rows.values_list("xorb_id", "position")[:_MOST_PLACES]):
            uses = FileXorb.objects.filter(self._rule, xorb_id=key).order_by("-pk")
            for file, ranges in uses.values_list("file_id", "ranges")[:_MOST_PLACES]:
                if spans.covers(spans.from_text(ranges), position, position + 1):
                    self._walk(file, xorbs.name_of(key))
                    return

    def _walk(self, file: int, own: str) -> None:
        """Loads the xorbs of a file around one of them, and notes those behind."""
        packed = XetFile.objects.filter(pk=file).values_list("terms", flat=True).first()
        terms = files.unpack_terms(bytes(packed)) if packed is not None else []
        names = list(dict.fromkeys(term.xorb for term in terms))
        at = names.index(hashes.from_hex(own)) if hashes.from_hex(own) in names else 0
        self._load(names[max(0, at - 1) :])

    def _load(self, names: list[bytes]) -> None:
        now, later = names[:_AHEAD], names[_AHEAD:]
        found = xorbs.tables(hashes.to_hex(name) for name in now if name not in self._tables)
        usable = self._usable(table.id for table in found.values() if not table.damaged)
        for text, table in found.items():
            if table.id in usable:
                self._keep(hashes.from_hex(text), table, usable[table.id])
        if later and now:
            self._after[now[-1]] = later

    def _go_on(self, xorb: bytes) -> None:
        """Who has come to the last of what is loaded will soon need what is behind it."""
        if xorb in self._after:
            self._load(self._after.pop(xorb))

    def _usable(self, keys: Iterable[int]) -> dict[int, Spans]:
        runs: dict[int, Spans] = {}
        for some in in_pages(keys):
            uses = FileXorb.objects.filter(self._rule, xorb_id__in=some)
            for key, ranges in uses.values_list("xorb_id", "ranges").distinct().iterator():
                runs[key] = spans.merged([*runs.get(key, []), *spans.from_text(ranges)])
        return runs

    def _keep(self, name: bytes, table: Table, usable: Spans) -> None:
        self._tables[name] = (table, usable)
        for start, end in usable:
            for position, chunk in enumerate(table.index.hashes(start, end), start):
                self._places.setdefault(chunk, Place(name, position))
        while len(self._tables) > _KEPT:
            gone, (old, _) = self._tables.popitem(last=False)
            self._after.pop(gone, None)
            for chunk in old.index.hashes():
                if self._places.get(chunk, Place(b"", 0)).xorb == gone:
                    del self._places[chunk]
