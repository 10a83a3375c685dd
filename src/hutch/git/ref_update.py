"""Moving refs: all or nothing, compare-and-swap, durable before it returns."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2
from pygit2.enums import ObjectType

from hutch.core.errors import BadRequest
from hutch.git import disk_full, locks, process
from hutch.git.errors import RefConflict, RefMoved
from hutch.git.ref_names import TAGS, check_ref_name
from hutch.git.repository import fsync_folder
from hutch.git.repository import open as open_repository

_ZERO = "0" * 40
_OID = re.compile(r"[0-9a-f]{40}")
_QUOTED_REF = re.compile(r"'?(refs/[^\s':]+)'?")
_LOCK_LEFT_BEHIND = re.compile(r"Unable to create '([^']+\.lock)': File exists")
_ONE_IS_A_FOLDER = re.compile(r"cannot create|cannot process|there are still refs under|Not a directory")
_GRACE_FOR_FOREIGN_LOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """Move `name` from `old` to `new`. `old=None`: it must not exist yet. `new=None`: delete it."""

    name: str
    old: str | None
    new: str | None


def update(path: Path, updates: Sequence[RefUpdate], *, wait_s: float = locks.DEFAULT_WAIT_S) -> None:
    """Apply all updates or none, durably; the objects must already be in place and durable.

    Raises RefMoved (naming the ref) where a ref is not at its `old`, RefConflict where `a` and `a/b` would
    both be, InvalidRefName, RepositoryBusy, BadRequest (a malformed hash, a ref named twice, a branch on
    something that is no commit).
    """
    if not updates:
        return
    repo = open_repository(path)
    _check(repo, updates)
    with locks.held(path, wait_s):
        if len(updates) == 1 and updates[0].old is not None and updates[0].new is not None:
            _move_one(path, repo, updates[0])
        else:
            _transaction(path, updates)


def _check(repo: pygit2.Repository, updates: Sequence[RefUpdate]) -> None:
    seen: set[str] = set()
    for each in updates:
        check_ref_name(each.name)
        if each.name in seen:
            raise BadRequest(f"{each.name} stands twice in one update", field="ref", value=each.name)
        seen.add(each.name)
        for oid in (each.old, each.new):
            if oid is not None and not _OID.fullmatch(oid):
                raise BadRequest("A commit hash has 40 hexadecimal digits", field="oid", value=oid)
        if each.new is not None:
            _check_target(repo, each.name, each.new)


def _check_target(repo: pygit2.Repository, name: str, oid: str) -> None:
    try:
        kind, _ = repo.odb.read_header(oid)
    except KeyError:
        raise BadRequest(f"{name} cannot point to {oid}: it is not there", field="oid", value=oid) from None
    if kind != ObjectType.COMMIT and not name.startswith(TAGS):
        raise BadRequest(f"{name} can point to commits only", field="oid", value=oid)


# In process, for the hot case of a commit to a branch: libgit2 compares under git's own lock file, fsyncs the
# file and its folder, and costs a tenth of a child process.
def _move_one(path: Path, repo: pygit2.Repository, wanted: RefUpdate) -> None:
    try:
        ref = repo.lookup_reference(wanted.name)
    except KeyError:
        raise RefMoved(wanted.name, f"{wanted.name} does not exist any more") from None
    if str(ref.target) != wanted.old:
        raise RefMoved(wanted.name)
    try:
        ref.set_target(str(wanted.new))
    except (pygit2.GitError, OSError, ValueError):
        # A lock file left behind, or a foreign writer: git itself says which.
        _transaction(path, [wanted])


def _transaction(path: Path, updates: Sequence[RefUpdate]) -> None:
    script = "".join(["start\n", *(_line(each) for each in updates), "prepare\ncommit\n"]).encode()
    complaint = _update_ref(path, script)
    left_behind = _LOCK_LEFT_BEHIND.search(complaint)
    if left_behind:
        _remove_stale_lock(path, Path(left_behind.group(1)))
        complaint = _update_ref(path, script)
    if complaint:
        raise disk_full.error() if disk_full.is_full_at(path, complaint) else _reason(complaint, updates)
    _fsync_names(path, [each.name for each in updates])


def _update_ref(path: Path, script: bytes) -> str:
    args = [*process.DURABLE, "-c", "core.filesRefLockTimeout=1000", "update-ref", "--no-deref", "--stdin"]
    done = process.run_raw(path, args, stdin=script)
    # unlike `process.words` this still names the lock file; it is shown to nobody as it is
    return "" if done.returncode == 0 else done.stderr.decode("utf-8", "replace")[:4000] or "no reason given"


def _line(each: RefUpdate) -> str:
    if each.new is None:
        return f"delete {each.name} {each.old or _ZERO}\n" if each.old else f"verify {each.name} {_ZERO}\n"
    return f"update {each.name} {each.new} {each.old or _ZERO}\n"


# Every writer of refs holds `locks.held`, so a lock file that is still there belongs to a process that was
# killed, or to an operator's own git, which needs it for milliseconds.
def _remove_stale_lock(path: Path, lock: Path) -> None:
    time.sleep(_GRACE_FOR_FOREIGN_LOCK_S)
    if lock.is_relative_to(path):
        lock.unlink(missing_ok=True)


def _reason(complaint: str, updates: Sequence[RefUpdate]) -> Exception:
    names = {each.name for each in updates}
    named = next((found for found in _QUOTED_REF.findall(complaint) if found in names), updates[0].name)
    if _ONE_IS_A_FOLDER.search(complaint):
        both = f"{named} cannot be beside the other refs: one would be a folder of another"
        return RefConflict(both, field="ref", value=named)
    if "cannot lock ref" in complaint:
        return RefMoved(named)
    return process.failure("git update-ref failed", complaint.encode())


def _fsync_names(path: Path, names: Sequence[str]) -> None:
    folders: set[Path] = {path}
    for name in names:
        folder = (path / name).parent
        while folder != path:
            folders.add(folder)
            folder = folder.parent
    for folder in folders:
        if folder.is_dir():
            fsync_folder(folder)
