"""What the torture's writers meant to write, and what the hub acknowledged: kept durably, as the hub must keep it."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

# sent: unknown, the answer never came; acked: must be there; refused or gone: must not be there.
State = Literal["sent", "acked", "refused", "gone"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that a commit brings."""

    sha256: str
    size: int
    is_large: bool


def file_of(content: bytes, *, is_large: bool) -> File:
    """What the ledger keeps of a file's bytes."""
    return File(hashlib.sha256(content).hexdigest(), len(content), is_large)


@dataclass(slots=True)
class Write:
    """One thing that a writer asked for.

    `kind` is commit (of `files` to `branch`), object, part, offset, ref (`branch` is its full name, `answer` where it
    shall be, empty for nowhere) or repo (`answer` is "there" or empty). `answer` is also the commit of a commit.
    """

    number: int
    kind: str
    repo: str = ""
    branch: str = ""
    files: dict[str, File] = field(default_factory=dict)
    url: str = ""
    oid: str = ""
    size: int = 0
    answer: str = ""
    state: State = "sent"
    is_checked: bool = False

    @property
    def mark(self) -> str:
        """What stands in the message of the commit, so that it is known again."""
        return f"[write {self.number}]"

    def __str__(self) -> str:
        what = {path: f"{file.sha256[:8]} {file.size}" for path, file in self.files.items()}
        where = f"{self.repo} {self.branch} {self.url[-20:]}".strip()
        return f"{self.mark} {self.kind} {where} {what or ''} {self.oid} {self.size or ''} -> {self.answer or '?'}"


class Ledger:
    """All writes of a run, in memory and line by line in a file that is synced before the writer goes on."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self.writes: dict[int, Write] = {}

    def plan(self, kind: str, **fields: object) -> Write:
        """A write that is about to be sent."""
        with self._lock:
            write = Write(next(self._numbers), kind, **fields)  # type: ignore[arg-type]
            self.writes[write.number] = write
            self._note(write)
        return write

    def settle(self, write: Write, state: State, answer: str = "") -> None:
        """What became of a write."""
        with self._lock:
            write.state = state
            write.answer = answer or write.answer
            self._note(write)

    def of(self, *kinds: str) -> list[Write]:
        """The writes of some kinds, oldest first."""
        with self._lock:
            return [write for write in self.writes.values() if write.kind in kinds]

    def count(self, state: State) -> int:
        """How many writes are in that state."""
        with self._lock:
            return sum(write.state == state for write in self.writes.values())

    def forget(self, repo: str) -> None:
        """Drops what was written to a repository that has been deleted since."""
        with self._lock:
            for write in self._in(repo):
                del self.writes[write.number]

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def _in(self, repo: str) -> Iterator[Write]:
        yield from [write for write in self.writes.values() if write.repo == repo and write.kind != "repo"]

    def _note(self, write: Write) -> None:
        self._file.write(json.dumps(asdict(write)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
