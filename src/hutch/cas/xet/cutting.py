"""Objects that came as a blob, cut into chunks afterwards: what is stored already is not stored again.

The object gets its Xet file once the chunks, read back, have its SHA-256. Ended at any moment, nothing of it counts,
and the next time begins anew: the same chunks make the same xorbs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from hutch.cas import hashing, stores, usage
from hutch.cas.models import LargeObject, ObjectLink, XetFile, Xorb
from hutch.cas.queries import in_one_go, in_pages, kept, on_damage
from hutch.cas.xet import neighbours, registering, storing, xorbs
from hutch.cas.xet.neighbours import Neighbours, Place
from hutch.cas.xet.reading import FileReader
from hutch.core.errors import HutchError, InsufficientStorage
from hutch.storage import faults
from hutch.xet import files, frames, hashes
from hutch.xet.chunking import Chunker
from hutch.xet.files import Term
from hutch.xet.xorb import MAX_CHUNKS, MAX_RAW_BYTES, XorbIndex

_READ_BYTES = 1 << 20
_TRIES = 3
Turn = Callable[[int], None]
"""Called with the bytes of the object that were read since the last call; may raise to end the work."""

faults.declare("cas.before_cut_rows", "cas.after_cut_rows")


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of an object: its bytes, those that had to be stored, and why it was left as it is (or "")."""

    size_bytes: int
    stored_bytes: int
    left: str = ""


def cut(row: LargeObject, turn: Turn) -> Cut:
    """Cuts an object up. Memory for one xorb of raw bytes."""
    repos = list(ObjectLink.objects.filter(object=row).values_list("repo_id", flat=True).order_by("repo_id"))
    if not repos:
        return Cut(row.size_bytes, 0, "no repository has it")
    run = _Run(Neighbours(neighbours.rule_for(repos)))
    try:
        for data in _pieces(row.storage_key):
            run.take(data)
            turn(len(data))
        terms = run.finish()
        faults.point("cas.before_cut_rows")
        left = _attach(row, repos, terms)
    except InsufficientStorage:
        raise
    except HutchError as error:
        return Cut(row.size_bytes, run.stored_bytes, f"it cannot be cut up: {error.message}")
    faults.point("cas.after_cut_rows")
    return Cut(row.size_bytes, run.stored_bytes, left)


def _pieces(key: str) -> Iterator[bytes]:
    """A blob's bytes. Raises BlobNotFound, and HutchError for one that the disk cannot read."""
    with stores.blobs().open(key) as file:
        while True:
            try:
                data = file.read(_READ_BYTES)
            except OSError as error:
                raise HutchError(f"its blob cannot be read: {error.strerror}") from error
            if not data:
                return
            yield data


@dataclass(slots=True)
class _Part:
    """A run of chunks of a xorb; `xorb` is empty for the one that is being filled."""

    xorb: bytes
    start: int
    end: int
    raw_bytes: int


@dataclass(slots=True)
class _Filling:
    """Chunks for a new xorb, not compressed yet: the last ones may turn out to stand elsewhere."""

    chunks: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    used_again: set[int] = field(default_factory=set)
    raw_bytes: int = 0

    def add(self, chunk: bytes, name: bytes) -> int:
        self.chunks.append(chunk)
        self.hashes.append(name)
        self.places[name] = len(self.chunks) - 1
        self.raw_bytes += len(chunk)
        return len(self.chunks) - 1

    def take_back(self) -> int:
        """Removes the last chunk; its length."""
        chunk, name = self.chunks.pop(), self.hashes.pop()
        del self.places[name]
        self.raw_bytes -= len(chunk)
        return len(chunk)

    def is_full(self, size: int) -> bool:
        return len(self.chunks) >= MAX_CHUNKS or self.raw_bytes + size > MAX_RAW_BYTES


class _Run:
    """One object on its way through the chunker."""

    def __init__(self, known: Neighbours) -> None:
        self.stored_bytes = 0
        self._known = known
        self._chunker = Chunker()
        self._parts: list[_Part] = []
        self._filling = _Filling()

    def take(self, data: bytes) -> None:
        for chunk in self._chunker.feed(data):
            self._place(chunk)

    def finish(self) -> list[Term]:
        for chunk in self._chunker.finish():
            self._place(chunk)
        self._flush()
        return [Term(part.xorb, part.start, part.end, part.raw_bytes) for part in self._parts]

    def _place(self, chunk: bytes) -> None:
        name = hashes.chunk_hash(chunk)
        last = self._parts[-1] if self._parts else None
        if last is not None and last.xorb and self._known.has(last.xorb, last.end, name):
            self._append(last.xorb, last.end, len(chunk))
            return
        at = self._filling.places.get(name)
        if at is not None:
            self._filling.used_again.add(at)
            self._append(b"", at, len(chunk))
            return
        place = self._known.find(name, is_first=last is None)
        if place is not None:
            self._walk_back(place)
            self._append(place.xorb, place.position, len(chunk))
            return
        if self._filling.is_full(len(chunk)):
            self._flush()
        self._append(b"", self._filling.add(chunk, name), len(chunk))

    def _append(self, xorb: bytes, position: int, size: int) -> None:
        last = self._parts[-1] if self._parts else None
        if last is not None and (last.xorb, last.end) == (xorb, position):
            last.end += 1
            last.raw_bytes += size
        else:
            self._parts.append(_Part(xorb, position, position + 1, size))

    def _walk_back(self, place: Place) -> None:
        """The chunks before a hit may stand there, too: only now is that known."""
        filling, back = self._filling, list[tuple[Place, int]]()
        while self._may_take_back():
            before = self._known.before(place, filling.hashes[-1])
            if before is None:
                break
            size = filling.take_back()
            last = self._parts[-1]
            last.end, last.raw_bytes = last.end - 1, last.raw_bytes - size
            if last.start == last.end:
                self._parts.pop()
            back.append((before, size))
            place = before
        for place, size in reversed(back):
            self._append(place.xorb, place.position, size)

    def _may_take_back(self) -> bool:
        """Whether the last chunk is the last that was filled in, and stands nowhere else in the object."""
        filling = self._filling
        at = len(filling.hashes) - 1
        last = self._parts[-1] if self._parts else None
        is_last = last is not None and not last.xorb and last.end == at + 1
        return at >= 0 and is_last and at not in filling.used_again

    def _flush(self) -> None:
        """Stores what was filled, and begins a new xorb."""
        filling = self._filling
        if not filling.chunks:
            return
        lengths = []
        with stores.staging().create(hashing=False) as file:
            for chunk in filling.chunks:
                frame = frames.encode(chunk)
                lengths.append(len(frame))
                file.write(frame)
            staged = file.finish()
        index = XorbIndex.of_lengths(b"".join(filling.hashes), [len(c) for c in filling.chunks], lengths)
        name = index.xorb_hash()
        storing.store(staged, hashes.to_hex(name), index)
        self.stored_bytes += index.data_bytes
        for part in self._parts:
            part.xorb = part.xorb or name
        self._known.add(name)
        self._filling = _Filling()


def _attach(row: LargeObject, repos: list[int], terms: list[Term]) -> str:
    """Gives the object its file, proven; or says why not."""
    name = files.hash_of(terms, FileReader(terms, loads=True).index_of)
    for _ in range(_TRIES):
        # One that is here and known to all of them keeps its own terms: those are what must be proven.
        there = XetFile.objects.filter(neighbours.rule_for(repos, "pk"), hash=hashes.to_hex(name))
        packed = there.exclude(on_damage()).order_by("pk").values_list("terms", flat=True).first()
        proven = bytes(packed) if packed is not None else files.pack_terms(terms)
        problem = hashing.check_terms(row, files.unpack_terms(proven))
        if problem is not None:
            return problem.detail
        if (left := _write(row, repos, name, proven)) is not None:
            return left
    return "its rows changed all the time"


@in_one_go
def _write(row: LargeObject, repos: list[int], name: bytes, proven: bytes) -> str | None:
    """Why the object is left as it is, or ""; None if what was proven is not what would count."""
    terms = files.unpack_terms(proven)
    keys = _keys_of({term.xorb for term in terms})
    if registering.keep_xorbs(keys.values()) != set(keys.values()) or not keys:
        return None
    first = xorbs.index_of(keys[terms[0].xorb]).hash(terms[0].start)
    known = neighbours.rule_for(repos, "pk")
    file = registering.write_file(name, row.size_bytes, terms, keys, first, known)
    if bytes(XetFile.objects.values_list("terms", flat=True).get(pk=file)) != proven:
        return None
    same = kept(LargeObject.objects.filter(pk=row.pk, storage_key=row.storage_key, xet_file=None))
    if same.first() is None:
        return "it changed meanwhile"
    LargeObject.objects.filter(pk=row.pk).update(xet_file_id=file)
    ObjectLink.objects.filter(object=row, repo_id__in=repos, xet_file=None).update(xet_file_id=file)
    usage.remeasure_users([row.pk])
    return ""


def _keys_of(names: set[bytes]) -> dict[bytes, int]:
    """The rows' keys by hash; those that are gone are missing, so that nothing is written."""
    found: dict[bytes, int] = {}
    for some in in_pages(hashes.to_hex(name) for name in names):
        rows = Xorb.objects.filter(hash__in=some).values_list("hash", "pk")
        found.update({hashes.from_hex(text): key for text, key in rows})
    return found if found.keys() == names else {}
