"""New objects of one commit, held until `store` makes them durable together."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pygit2
from pygit2.enums import ObjectType

from hutch.git import disk_full
from hutch.git.loose import write_loose
from hutch.git.objects import hash_object
from hutch.git.packfile import PackWriter

# Measured: a loose object costs about 1.1 ms (two fsyncs), a pack about 3 ms whatever it holds. But packs slow down
# every later look-up until they are merged, so a small commit stays loose.
MAX_LOOSE_OBJECTS = 8
MAX_HELD_BYTES = 8 << 20


class ObjectBatch:
    """Collects objects in memory, spills into a pack when they get many or large, and stores them on request.

    Use as a context manager: leaving it without `store` drops what was not stored.
    """

    def __init__(self, repo: pygit2.Repository) -> None:
        self._repo = repo
        self._held: dict[str, tuple[ObjectType, bytes]] = {}
        self._held_bytes = 0
        self._spilled: set[str] = set()
        self._pack: PackWriter | None = None

    def add(self, kind: ObjectType, data: bytes) -> str:
        """Take one object and return its id; nothing is in the repository before `store`."""
        oid = hash_object(kind, data)
        if oid in self:
            return oid
        if oid in self._repo:
            # Already there: libgit2 only refreshes its age, so that a collection running now keeps it.
            self._repo.odb.write(kind, data)
            return oid
        self._held[oid] = (kind, data)
        self._held_bytes += len(data)
        if len(self._held) > MAX_LOOSE_OBJECTS or self._held_bytes > MAX_HELD_BYTES:
            self._spill()
        return oid

    def __contains__(self, oid: str) -> bool:
        return oid in self._held or oid in self._spilled

    def __len__(self) -> int:
        return len(self._held) + len(self._spilled)

    def add_blob(self, data: bytes) -> str:
        """Take a file's bytes and return the blob's id."""
        return self.add(ObjectType.BLOB, data)

    def _spill(self) -> None:
        with disk_full.told_apart():
            self._write_out()

    def _write_out(self) -> None:
        if self._pack is None:
            self._pack = PackWriter(Path(self._repo.path))
        for oid, (kind, data) in self._held.items():
            self._pack.add(kind, oid, data)
        self._spilled.update(self._held)
        self._held.clear()
        self._held_bytes = 0

    def store(self) -> None:
        """Put everything into the repository, durably; the batch is empty then and may be used again.

        Raises InsufficientStorage.
        """
        with disk_full.told_apart():
            self._store()
        self._forget()

    def _store(self) -> None:
        if self._pack is not None:
            self._write_out()
            self._pack.finish()
        for kind, data in self._held.values():
            write_loose(Path(self._repo.path), kind, data)

    def _forget(self) -> None:
        self._held.clear()
        self._held_bytes = 0
        self._spilled.clear()
        self._pack = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pack is not None:
            self._pack.discard()
        self._forget()
