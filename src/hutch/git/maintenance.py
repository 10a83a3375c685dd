"""Keeping a repository fast and small while it is in use."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hutch.git import locks, process
from hutch.git.quarantine import FOLDER_PREFIX

REPACK_TIMEOUT_S = 6 * 3600.0
KEEP_UNREACHABLE_S = 14 * 86400.0
ABANDONED_AFTER_S = 86400.0

# Above these a repository is worth a repack: every pack and every loose object is another file to look into.
MANY_PACKS = 20
MANY_LOOSE_OBJECTS = 500

_DRAFTS = ("objects/tmp_*", "objects/??/tmp_*", "objects/pack/tmp_*", "objects/pack/.tmp-*")


@dataclass(frozen=True, slots=True)
class Fill:
    """How many packs and loose objects there are."""

    packs: int
    loose: int

    @property
    def wants_repack(self) -> bool:
        """Whether look-ups have begun to suffer."""
        return self.packs >= MANY_PACKS or self.loose >= MANY_LOOSE_OBJECTS


def fill(path: Path) -> Fill:
    """Count packs and loose objects; cheap enough to ask after each push."""
    packs = sum(1 for _ in (path / "objects" / "pack").glob("*.pack"))
    loose = sum(1 for _ in (path / "objects").glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 38))
    return Fill(packs, loose)


def repack(path: Path, *, timeout_s: float = REPACK_TIMEOUT_S) -> None:
    """Join small packs and loose objects into larger ones, so that sizes grow geometrically.

    Drops no object, reachable or not, and is safe beside readers and writers: the new pack is in place before the
    old ones go. Raises GitFailed, GitTimeout.
    """
    process.run(path, [*_DURABLE, "repack", "-d", "-l", "-q", "--geometric=2"], timeout_s=timeout_s)
    process.run(path, ["prune-packed", "-q"], timeout_s=timeout_s)
    with locks.held(path):
        process.run(path, [*_DURABLE, "pack-refs", "--all"], timeout_s=timeout_s)


def collect(path: Path, *, keep_s: float = KEEP_UNREACHABLE_S, timeout_s: float = REPACK_TIMEOUT_S) -> None:
    """Repack everything and drop what no ref reaches and is older than `keep_s`.

    Younger unreachable objects stay: they may belong to a push or commit that is about to move a ref.
    Raises GitFailed, GitTimeout.
    """
    until = f"{int(time.time() - keep_s)} +0000"
    args = ["repack", "-a", "-d", "-l", "-q", "-A", f"--unpack-unreachable=@{until}"]
    process.run(path, [*_DURABLE, *args], timeout_s=timeout_s)
    process.run(path, ["prune", f"--expire=@{until}"], timeout_s=timeout_s)
    remove_abandoned(path)


def remove_abandoned(path: Path, *, older_than_s: float = ABANDONED_AFTER_S) -> int:
    """Delete what killed processes left (drafts, quarantines of broken pushes); returns how many."""
    before = time.time() - older_than_s
    found = [draft for pattern in _DRAFTS for draft in path.glob(pattern)]
    found += path.glob(f"objects/{FOLDER_PREFIX}*")
    removed = 0
    for draft in found:
        with suppress(FileNotFoundError):
            if draft.stat().st_mtime < before:
                shutil.rmtree(draft) if draft.is_dir() else draft.unlink()
                removed += 1
    return removed


# Packs replace what was durable before: they must be so themselves before anything is deleted.
_DURABLE = ("-c", "core.fsync=committed,reference", "-c", "core.fsyncMethod=fsync", "-c", "pack.threads=1")
