"""Whether what is stored of Xet is whole: xorbs read chunk by chunk and hashed, files held against the chunk tables.

Only looks. What is seen while somebody else works on the same row is looked at again before it is called damage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from hutch.cas import stores
from hutch.cas.models import DedupeChunk, FileXorb, XetFile, Xorb
from hutch.cas.problems import Problem
from hutch.cas.queries import by_key
from hutch.cas.xet import spans
from hutch.cas.xet.reading import FileReader
from hutch.cas.xet.spans import Spans
from hutch.core.errors import HutchError
from hutch.storage.errors import BlobNotFound
from hutch.xet import files, hashes
from hutch.xet.errors import DamagedRecord, DamagedXorb
from hutch.xet.files import Term
from hutch.xet.frames import Decoder
from hutch.xet.xorb import XorbIndex, read_chunk

_XORBS, _FILES = 16, 200
Progress = Callable[[int], None]


@dataclass(slots=True)
class Look:
    """What was seen of a xorb. `index` is its chunk table, None where that itself is wrong; `bad`: its bad chunks."""

    row: Xorb
    index: XorbIndex | None = None
    bad: list[int] = field(default_factory=list)
    problem: Problem | None = None

    def blame(self, detail: str, *, missing: bool = False, key: str = "") -> None:
        """Keeps the first thing that is wrong."""
        if self.problem is None:
            self.problem = Problem("missing" if missing else "damaged", self.row.hash, key, detail, "xorb")


def check_xorbs(progress: Progress | None = None) -> Iterator[Problem]:
    """Reads and hashes every chunk of every xorb; yields what is wrong. `progress` gets the stored size of each."""
    for row in by_key(Xorb.objects.all(), _XORBS):
        found = look(row)
        if found.problem is not None:
            yield found.problem
        if progress is not None:
            progress(row.size_bytes)


def check_files(progress: Progress | None = None) -> Iterator[Problem]:
    """Holds every file against the chunk tables of its xorbs; yields what is wrong. `progress` gets each one's size."""
    for row in by_key(XetFile.objects.all(), _FILES):
        problem = check_file(row)
        if problem is not None:
            yield problem
        if progress is not None:
            progress(row.size_bytes)


def look(row: Xorb) -> Look:
    """Reads a whole xorb; memory for one chunk. A xorb that was replaced or collected meanwhile is no problem."""
    found = _look(row)
    if found.problem is None:
        return found
    again = Xorb.objects.filter(pk=row.pk).first()
    return _look(again) if again is not None else Look(row)


def _look(row: Xorb) -> Look:
    found = Look(row)
    try:
        index = XorbIndex.unpack(bytes(row.index))
    except DamagedRecord as error:
        found.blame(error.message)
        return found
    if hashes.to_hex(index.xorb_hash()) != row.hash:
        found.blame("its chunk table makes another xorb")
        return found
    found.index = index
    _look_at_blob(found, index)
    if (row.size_bytes, row.raw_bytes, row.chunks) != (index.data_bytes, index.raw_bytes, index.count):
        found.blame("its row has other sizes than its chunk table")
    _look_at_offers(found, index)
    if row.damaged:
        found.blame("it was marked as damaged, and is whole")
    return found


def _look_at_blob(found: Look, index: XorbIndex) -> None:
    row = found.row
    blob = stores.blobs().stat(row.storage_key)
    if blob is None:
        found.bad = list(range(index.count))
        found.blame("storage has no such blob", missing=True, key=row.storage_key)
        return
    frames = _Frames(row.storage_key, blob.size)
    try:
        for chunk in range(index.count):
            if wrong := frames.check(index, chunk):
                found.bad.append(chunk)
                found.blame(wrong, key=row.storage_key)
    finally:
        frames.close()
    if blob.size != index.data_bytes:
        found.blame(f"it has {blob.size} bytes instead of {index.data_bytes}", key=row.storage_key)


class _Frames:
    """The frames of a blob, one after the other, also behind one that the disk cannot read."""

    def __init__(self, key: str, size: int) -> None:
        self._key, self._size = key, size
        self._decoder = Decoder()
        self._stream: BinaryIO | None = None
        self._at = 0

    def check(self, index: XorbIndex, chunk: int) -> str:
        """What is wrong with a chunk; empty if nothing is."""
        start, end = index.frame_range(chunk, chunk + 1)
        try:
            frame = self._read(start, end)
            read_chunk(frame, index, chunk, decoder=self._decoder, verify=True)
        except DamagedXorb as error:
            self._decoder = Decoder()
            return error.message
        except BlobNotFound:
            return f"chunk {chunk} went away while it was read"
        except OSError as error:
            self.close()
            return f"chunk {chunk} cannot be read at byte {start}: {error.strerror}"
        return ""

    def _read(self, start: int, end: int) -> bytes:
        if self._stream is None or self._at != start:
            self.close()
            self._stream = stores.blobs().open(self._key, min(start, self._size))
        self._at = end
        data = b""
        while len(data) < end - start and (more := self._stream.read(end - start - len(data))):
            data += more
        return data

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _look_at_offers(found: Look, index: XorbIndex) -> None:
    wrong = wrong_offers(found.row.pk, index)
    if wrong:
        found.blame(f"{len(wrong)} of its chunks are offered from a place where another stands")


def wrong_offers(xorb: int, index: XorbIndex) -> list[int]:
    """The rows that offer a chunk of a xorb from where it does not stand."""
    rows = DedupeChunk.objects.filter(xorb_id=xorb).values_list("pk", "chunk", "position")
    return [
        key
        for key, chunk, at in rows.iterator()
        if not 0 <= at < index.count or hashes.to_hex(index.hash(at)) != chunk
    ]


def check_file(row: XetFile) -> Problem | None:
    """What is wrong with a file's row, if anything; its bytes are those of its xorbs, which `look` reads."""
    problem = _check_file(row)
    if problem is None:
        return None
    again = XetFile.objects.filter(pk=row.pk).first()
    return _check_file(again) if again is not None else None


def _check_file(row: XetFile) -> Problem | None:
    try:
        terms = files.unpack_terms(bytes(row.terms))
        found = files.hash_of(terms, FileReader(terms, loads=True).index_of)
    except HutchError as error:
        return _of_file(row, error.message)
    if hashes.to_hex(found) != row.hash:
        return _of_file(row, f"its chunks make the file {hashes.to_hex(found)}")
    if files.size_of(terms) != row.size_bytes:
        return _of_file(row, f"it has {files.size_of(terms)} bytes, its row says {row.size_bytes}")
    if runs_of(terms) != _noted_runs(row):
        return _of_file(row, "the rows that say which chunks it uses are not those of its terms")
    return None


def runs_of(terms: list[Term]) -> dict[str, Spans]:
    """Which chunks of which xorbs terms use, by the xorb's hash."""
    runs: dict[str, Spans] = {}
    for term in terms:
        runs.setdefault(hashes.to_hex(term.xorb), []).append((term.start, term.end))
    return {name: spans.merged(parts) for name, parts in runs.items()}


def _noted_runs(row: XetFile) -> dict[str, Spans]:
    rows = FileXorb.objects.filter(file=row).values_list("xorb__hash", "ranges")
    return {name: spans.merged(spans.from_text(text)) for name, text in rows}


def _of_file(row: XetFile, detail: str) -> Problem:
    return Problem("damaged", row.hash, "", detail, "file")
