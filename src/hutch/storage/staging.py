"""Where uploads lie until they are whole: on the blobs' own file system, so that adoption is a rename."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from hutch.core.errors import BadRequest
from hutch.storage import disk
from hutch.storage.keys import check_upload_id
from hutch.storage.running import RunningDigests
from hutch.storage.upload import StagedFile

if TYPE_CHECKING:
    from hutch.storage.parts import PartFile

RESERVE_BYTES = 64 << 20
_THREADS = 16


class Staging:
    """The staging folder: `incoming/<random>` for streams, `uploads/<id>/` for what comes in pieces."""

    def __init__(self, root: Path, *, reserve_bytes: int = RESERVE_BYTES) -> None:
        self.root = root
        self.reserve_bytes = reserve_bytes
        self.pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="staging")
        # What `parts` shares between the requests of this process.
        self.running = RunningDigests()
        self.writing: dict[tuple[str, int], PartFile] = {}
        self._incoming = root / "incoming"
        self._uploads = root / "uploads"
        for folder in (self._incoming, self._uploads):
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)

    def create(self, expected_size: int | None = None, *, hashing: bool = True) -> StagedFile:
        """Begin an upload of so many bytes (None: unknown). Without `hashing` the caller checks what came.

        Raises InsufficientStorage before a byte is sent if they do not fit beside the reserve.
        """
        if expected_size is not None and expected_size < 0:
            raise BadRequest(
                f"size is {expected_size}; it may not be negative", field="size", value=expected_size, limit=0
            )
        disk.require_room(self.root, expected_size or 0, self.reserve_bytes)
        return StagedFile(
            self.fresh_path(), self.pool, expected_size=expected_size, reserve_bytes=self.reserve_bytes,
            hashing=hashing,
        )  # fmt: skip

    def fresh_path(self) -> Path:
        """A name in the staging folder that nobody has."""
        return self._incoming / uuid.uuid4().hex

    def upload_folder(self, upload_id: str) -> Path:
        """Where the pieces of one upload lie, there or not. Raises BadKey."""
        return self._uploads / check_upload_id(upload_id)

    def sweep(self, older_than_s: float) -> int:
        """Remove uploads into which nothing was written for so many seconds; returns the bytes set free."""
        limit = time.time() - older_than_s
        return sum(
            _remove_if_older(entry, limit) for entry in [*_entries(self._incoming), *_entries(self._uploads)]
        )

    def close(self) -> None:
        """End the threads; uploads under way fail."""
        self.pool.shutdown(wait=True)


def _entries(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.iterdir())


def _remove_if_older(entry: Path, limit: float) -> int:
    try:
        # A re-sent part renews its folder, an appended byte renews the file in it.
        files = [*_entries(entry)] if entry.is_dir() else [entry]
        facts = [file.stat() for file in files]
        newest = max([entry.stat().st_mtime, *(fact.st_mtime for fact in facts)])
    except FileNotFoundError:
        # Finished or aborted while we looked.
        return 0
    if newest > limit:
        return 0
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
    # A file of parts has holes where none has come yet.
    return sum(min(fact.st_size, fact.st_blocks * 512) for fact in facts)
