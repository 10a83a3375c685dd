"""Shards as clients upload them: which files are made of which terms, and which chunks the new xorbs have.

Nothing in a shard is believed before `files.check_file` and `files.check_xorb` have held it against stored xorbs; here
only its form is checked. Every count is held against the bytes that are there before anything is made of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hutch.xet import shard_format as form
from hutch.xet.buffers import Buffer
from hutch.xet.errors import BadShard
from hutch.xet.hashes import is_dedupe_eligible, to_hex
from hutch.xet.index import MAX_CHUNKS
from hutch.xet.shard_build import build_dedupe, build_upload
from hutch.xet.terms import Term

MAX_SHARD_BYTES: Final = 64 * 1024 * 1024
"""What the specification lets a client upload at once."""

__all__ = [
    "MAX_SHARD_BYTES",
    "FileEntry",
    "Shard",
    "Term",
    "XorbEntry",
    "build_dedupe",
    "build_upload",
    "parse",
]


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file, as its sender describes it."""

    hash: bytes
    terms: list[Term]
    range_hashes: list[bytes] | None = None
    """A verification hash for each term; without them the file is not accepted."""
    sha256: str | None = None
    """64 lower-case hexadecimal digits, unproven: the content decides."""


@dataclass(frozen=True, eq=False, slots=True)
class XorbEntry:
    """A xorb, as its sender describes it."""

    hash: bytes
    raw_bytes: int
    disk_bytes: int
    """As the sender counts them: hf_xet says 0, or the stored size."""
    table: NDArray = field(repr=False)
    """[n] records of `shard_format.CHUNK`."""

    @property
    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        """(hash, offset in the uncompressed xorb, raw length), in bytes."""
        for row in self.table:
            yield row["hash"].tobytes(), int(row["offset"]), int(row["length"])

    def dedupe_chunks(self) -> list[bytes]:
        """The hashes of the chunks that others may ask for across the hub: marked by the sender or eligible by hash."""
        eligible = (self.table["flags"] & form.DEDUPE_CHUNK) != 0
        rows = [row.tobytes() for row in self.table["hash"]]
        return [
            h for h, marked in zip(rows, eligible.tolist(), strict=True) if marked or is_dedupe_eligible(h)
        ]


@dataclass(frozen=True, slots=True)
class Shard:
    """What one upload says."""

    files: list[FileEntry]
    xorbs: list[XorbEntry]

    @property
    def named_chunks(self) -> int:
        """Chunks that all its files name, repeats included: what checking them will cost, about 1 µs each."""
        return sum(term.end - term.start for entry in self.files for term in entry.terms)


def parse(buffer: Buffer) -> Shard:
    """Read a shard from bytes or an mmap; the result holds no view on it.

    Raises BadShard, naming field, value and limit, for anything that `shard_format` does not describe: another tag or
    version, an unknown flag, a count beyond the bytes that are there, bytes after the end.
    """
    with memoryview(buffer) as view:
        if len(view) > MAX_SHARD_BYTES:
            raise _bad("size", 0, len(view), MAX_SHARD_BYTES)
        reader = _Reader(view)
        reader.header()
        files = list(reader.files())
        xorbs_at = reader.at
        xorbs = list(reader.xorbs())
        reader.footer(xorbs_at)
    return Shard(files, xorbs)


def _bad(name: str, at: int, value: object, limit: object) -> BadShard:
    return BadShard(
        f"Shard: {name} {value} at byte {at}, allowed is {limit}", field=name, value=value, limit=limit
    )


class _Reader:
    """Goes through a shard once, from the front."""

    def __init__(self, view: memoryview) -> None:
        self.view, self.at = view, 0
        self._xorbs: dict[bytes, bytes] = {}

    def _take(self, record: struct.Struct, name: str) -> tuple:
        """The next record's fields."""
        self._need(record.size, name)
        self.at += record.size
        return record.unpack_from(self.view, self.at - record.size)

    def _need(self, size_bytes: int, name: str) -> None:
        if size_bytes > len(self.view) - self.at:
            raise _bad(
                f"size of {name}", self.at, size_bytes, f"{len(self.view) - self.at} bytes that are there"
            )

    def header(self) -> None:
        tag, version, _footer_bytes = self._take(form.HEADER, "header")
        if tag != form.TAG:
            raise _bad("tag", 0, tag.hex(), form.TAG.hex())
        if version != form.HEADER_VERSION:
            raise _bad("version", 32, version, form.HEADER_VERSION)

    def files(self) -> Iterator[FileEntry]:
        while True:
            file_hash, flags, count = self._take(form.FILE, "file")
            if file_hash == form.BOOKEND_HASH:
                return
            if flags & ~(form.VERIFICATION | form.METADATA):
                raise _bad("file flags", self.at - 16, hex(flags), hex(form.VERIFICATION | form.METADATA))
            verified, described = bool(flags & form.VERIFICATION), bool(flags & form.METADATA)
            self._need((count * (1 + verified) + described) * form.RECORD_BYTES, f"{count} terms")
            terms = [self._term() for _ in range(count)]
            ranges = [self._hash() for _ in range(count)] if verified else None
            yield FileEntry(file_hash, terms, ranges, to_hex(self._hash()) if described else None)

    def _term(self) -> Term:
        xorb, flags, raw_bytes, start, end = self._take(form.TERM, "term")
        if flags:
            raise _bad("term flags", self.at - 16, hex(flags), 0)
        if not start < end <= MAX_CHUNKS:
            raise _bad("chunk range", self.at - 8, f"{start}-{end}", f"0-{MAX_CHUNKS}, at least one chunk")
        return Term(self._xorbs.setdefault(xorb, xorb), start, end, raw_bytes)

    def _hash(self) -> bytes:
        (value,) = self._take(form.HASH, "hash")
        return value

    def xorbs(self) -> Iterator[XorbEntry]:
        while True:
            xorb_hash, flags, count, raw_bytes, disk_bytes = self._take(form.XORB, "xorb")
            if xorb_hash == form.BOOKEND_HASH:
                return
            if flags:
                raise _bad("xorb flags", self.at - 16, hex(flags), 0)
            if not 0 < count <= MAX_CHUNKS:
                raise _bad("xorb chunks", self.at - 12, count, f"1 to {MAX_CHUNKS}")
            yield XorbEntry(xorb_hash, raw_bytes, disk_bytes, self._chunks(count))

    def _chunks(self, count: int) -> NDArray:
        size_bytes = count * form.RECORD_BYTES
        self._need(size_bytes, f"{count} chunks")
        # Copied to bytes first: an array on the view would keep an mmap from being closed.
        table = np.frombuffer(bytes(self.view[self.at : self.at + size_bytes]), form.CHUNK)
        unknown = np.flatnonzero(table["flags"] & ~np.uint32(form.DEDUPE_CHUNK))
        if len(unknown):
            at = self.at + int(unknown[0]) * form.RECORD_BYTES + 40
            raise _bad("chunk flags", at, hex(table["flags"][unknown[0]]), hex(form.DEDUPE_CHUNK))
        self.at += size_bytes
        return table

    def footer(self, xorbs_at: int) -> None:
        """Nothing, or lookup tables and a footer that agree with what was read; nothing of them is used."""
        tables_at, end = self.at, len(self.view)
        if tables_at == end:
            return
        self.at = end - form.FOOTER.size
        if self.at < tables_at:
            raise _bad("size of footer", tables_at, end - tables_at, f"0 or at least {form.FOOTER.size}")
        version, files_at, cas_at, *rest = self._take(form.FOOTER, "footer")
        if version != form.FOOTER_VERSION:
            raise _bad("footer version", end - form.FOOTER.size, version, form.FOOTER_VERSION)
        said = (files_at, cas_at, rest[-1], _tables_bytes(rest))
        found = (form.HEADER.size, xorbs_at, end - form.FOOTER.size, end - form.FOOTER.size - tables_at)
        if said != found:
            raise _bad("footer offsets (files, xorbs, footer, tables)", end - form.FOOTER.size, said, found)


def _tables_bytes(rest: list[int]) -> int:
    """The size of the three lookup tables, by their entries in a footer."""
    return sum(entries * size for entries, size in zip(rest[1:6:2], form.LOOKUP_ENTRY_BYTES, strict=True))
