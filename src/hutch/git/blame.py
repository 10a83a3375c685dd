"""Which commit wrote each line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pygit2

from hutch.git import process
from hutch.git.errors import BlobTooLarge
from hutch.git.history import Commit, read_commit
from hutch.git.trees import entry_at, missing

MAX_BLAME_BYTES = 2 << 20
BLAME_TIMEOUT_S = 30.0

_GROUP = re.compile(rb"([0-9a-f]{40}) \d+ (\d+) (\d+)\n?")


@dataclass(frozen=True, slots=True)
class Hunk:
    """`lines` lines from line `start` (counted from 1) that `commit` wrote."""

    commit: Commit
    start: int
    lines: int


def blame(repo: pygit2.Repository, commit: str, path: str) -> list[Hunk]:
    """The file's lines by the commits that wrote them, in order, covering each line once.

    Raises EntryNotFound (also for a folder), BlobTooLarge above 2 MiB, GitTimeout, RevisionNotFound.
    """
    entry = entry_at(repo, commit, path)
    if entry.kind != "file":
        raise missing(path)
    if entry.size > MAX_BLAME_BYTES:
        raise BlobTooLarge(
            f"The file has {entry.size} bytes, blame goes up to {MAX_BLAME_BYTES}",
            value=entry.size,
            limit=MAX_BLAME_BYTES,
        )
    args = ["blame", "--porcelain", commit, "--", entry.path]
    printed = process.run(Path(repo.path), args, timeout_s=BLAME_TIMEOUT_S)
    known: dict[str, Commit] = {}
    hunks = []
    for line in printed.split(b"\n"):
        found = None if line.startswith(b"\t") else _GROUP.fullmatch(line)
        if found:
            oid = found.group(1).decode()
            author = known.setdefault(oid, known.get(oid) or read_commit(repo, oid))
            hunks.append(Hunk(author, int(found.group(2)), int(found.group(3))))
    return hunks
