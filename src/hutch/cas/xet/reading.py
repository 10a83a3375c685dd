"""Xet files as plain bytes: for LFS, Range requests, pages, and whatever else knows nothing of chunks."""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import BinaryIO

from hutch.cas import stores
from hutch.cas.models import FileLink, XetFile
from hutch.cas.queries import on_damage
from hutch.cas.xet import xorbs
from hutch.cas.xet.xorbs import Table
from hutch.core import threads
from hutch.core.errors import NotFound
from hutch.xet import files, hashes
from hutch.xet.errors import UnknownXorb
from hutch.xet.files import Run, Term
from hutch.xet.xorb import XorbIndex, read_frames

_KEPT_INDEXES = 16  # of up to 330 KB each


class FileReader:
    """A file's bytes in any order, in order best. Chunk tables are loaded as they are needed, and a few are kept.

    `load` asks the database, `read` the disk alone: a wire calls each in its own kind of thread.
    """

    def __init__(self, terms: list[Term], *, loads: bool = False, verify: bool = True) -> None:
        """With `loads`, `read` itself asks the database for what it lacks. Without `verify` no chunk is hashed."""
        self._terms, self._loads, self._verify = terms, loads, verify
        self._ends = list(accumulate(term.raw_bytes for term in terms))
        self._tables: OrderedDict[bytes, Table] = OrderedDict()
        self._running: Iterator[bytes] = iter(())
        self._at = -1
        self._rest = b""

    @property
    def size(self) -> int:
        """In bytes."""
        return self._ends[-1] if self._ends else 0

    def lacks(self, start: int, count: int) -> set[bytes]:
        """The xorbs whose chunk tables must be loaded before these bytes can be read."""
        if count <= 0:
            return set()
        first = bisect_right(self._ends, start)
        last = bisect_right(self._ends, start + count - 1)
        return {term.xorb for term in self._terms[first : last + 1]} - self._tables.keys()

    def load(self, names: Iterable[bytes]) -> None:
        """Loads chunk tables. Raises UnknownXorb."""
        by_hash = {hashes.to_hex(name): name for name in names}
        for text, table in xorbs.tables(by_hash).items():
            self._tables[by_hash[text]] = table

    def read(self, start: int, count: int) -> bytes:
        """Exactly these bytes. Raises UnknownXorb for a chunk table that was not loaded, BlobNotFound, DamagedXorb."""
        return b"".join(self.pieces(start, count))

    def pieces(self, start: int, count: int) -> Iterator[bytes | memoryview]:
        """As `read`, chunk by chunk: who only looks at the bytes need not have them joined. Run it to its end."""
        if start != self._at:
            self._running = files.read_range(
                self._terms, self.index_of, self.open_xorb, start, self.size, verify=self._verify
            )
            self._rest = b""
        left, piece = count, self._rest
        while len(piece) < left:
            yield piece
            left -= len(piece)
            piece = next(self._running)
        self._at, self._rest = start + count, piece[left:]
        yield memoryview(piece)[:left]

    def forget(self) -> None:
        """Lets go of chunk tables beyond the few that are kept."""
        while len(self._tables) > _KEPT_INDEXES:
            self._tables.popitem(last=False)

    def table_of(self, name: bytes) -> Table:
        """A xorb's chunk table, and where its blob lies. Raises UnknownXorb."""
        if self._loads and name not in self._tables:
            self.forget()
            self.load([name])
        table = self._tables.get(name)
        if table is None:
            raise UnknownXorb(
                f"The xorb {hashes.to_hex(name)} is gone", field="xorb", value=hashes.to_hex(name)
            )
        return table

    def index_of(self, name: bytes) -> XorbIndex:
        """A xorb's chunk table. Raises UnknownXorb."""
        return self.table_of(name).index

    def verify(self, name: bytes, run: Run) -> None:
        """Reads and hashes a run of chunks. Raises UnknownXorb, BlobNotFound, DamagedXorb."""
        with self.open_xorb(name, run.byte_start, run.byte_end) as stream:
            for _ in read_frames(stream, run.start, run.end, self.index_of(name), verify=True):
                pass

    def open_xorb(self, name: bytes, start: int, end: int) -> BinaryIO:
        """Bytes of a stored xorb. Raises UnknownXorb, BlobNotFound."""
        return stores.blobs().open(self.table_of(name).storage_key, start, end)


class FilePieces:
    """A file for `cas.sending`: reads ahead of the database's answers never more than one piece."""

    def __init__(self, reader: FileReader) -> None:
        self._reader = reader

    async def read(self, start: int, count: int) -> bytes:
        """Exactly these bytes, or an error that ends the answer."""
        if lacking := self._reader.lacks(start, count):
            await threads.run(self._reader.load, lacking)
        piece = await threads.run_disk(self._reader.read, start, count)
        self._reader.forget()
        return piece


def terms_of(name: str) -> list[Term]:
    """The terms of a file that is here; of one that lies here more than once, whole ones. Raises NotFound."""
    rows = XetFile.objects.filter(hash=name).order_by(on_damage(), "pk")
    packed = rows.values_list("terms", flat=True).first()
    if packed is None:
        raise NotFound("The file is gone", field="hash", value=name)
    return files.unpack_terms(bytes(packed))


def pieces(name: str) -> FilePieces:
    """A file by its hash, for whoever may read it; that was decided before. Raises NotFound."""
    return FilePieces(FileReader(terms_of(name)))


def source_of(repo_id: int, name: str) -> FilePieces:
    """A file of a bucket. Raises NotFound unless it is linked there."""
    if not FileLink.objects.filter(repo_id=repo_id, file__hash=name).exists():
        raise NotFound("The file is gone", field="hash", value=name)
    return pieces(name)


def read(name: str, start: int, end: int) -> bytes:
    """Bytes `start` to `end` (exclusive) of a file, for heads of files and the like. Raises NotFound."""
    reader = FileReader(terms_of(name), loads=True)
    end = min(end, reader.size)
    return reader.read(start, end - start) if start < end else b""


def stream(terms: list[Term], *, verify: bool = False) -> Iterator[bytes]:
    """All bytes of a file, chunk by chunk, each xorb's table loaded when it is come to; for checks and jobs."""
    reader = FileReader(terms, loads=True)
    return files.read_range(terms, reader.index_of, reader.open_xorb, verify=verify)
