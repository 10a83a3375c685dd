"""Moving refs: all or nothing, compare-and-swap, durable before it returns."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pygit2

from hutch.core.errors import BadRequest
from hutch.git import locks, process
from hutch.git.errors import GitFailed, RefConflict, RefMoved
from hutch.git.ref_names import check_ref_name
from hutch.git.repository import fsync_folder
from hutch.git.repository import open as open_repository

_ZERO = "0" * 40
_OID = re.compile(r"[0-9a-f]{40}")
_QUOTED_REF = re.compile(r"'?(refs/[^\s':]+)'?")
_LOCK_LEFT_BEHIND = re.compile(r"Unable to create '([^']+\.lock)': File exists")
_GRACE_FOR_FOREIGN_LOCK_S = 1.0


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """Move `name` from `old` to `new`. `old=None`: it must not exist yet. `new=None`: delete it."""

    name: str
    old: str | None
    new: str | None


def update(path: Path, updates: Sequence[RefUpdate], *, wait_s: float = locks.DEFAULT_WAIT_S) -> None:
    """Apply all updates or none, durably; the objects must already be in place and durable.

    Raises RefMoved (naming the ref) where a ref is not at its `old`, RefConflict where `a` and `a/b` would both be,
    InvalidRefName, BadRequest for a malformed hash or a ref named twice, RepositoryBusy.
    """
    _check(updates)
    if not updates:
        return
    with locks.held(path, wait_s):
        if len(updates) == 1 and updates[0].old is not None and updates[0].new is not None:
            _move_one(path, updates[0].name, updates[0].old, updates[0].new)
        else:
            _transaction(path, updates)
            _fsync_names(path, [each.name for each in updates])


def _check(updates: Sequence[RefUpdate]) -> None:
    seen: set[str] = set()
    for each in updates:
        check_ref_name(each.name)
        if each.name in seen:
            raise BadRequest(f"{each.name} stands twice in one update", field="ref", value=each.name)
        seen.add(each.name)
        for oid in (each.old, each.new):
            if oid is not None and not _OID.fullmatch(oid):
                raise BadRequest("A commit hash has 40 hexadecimal digits", field="oid", value=oid)


# In process, for the hot case of a commit to a branch: libgit2 compares under git's own lock file, fsyncs file and
# folder, and costs a tenth of a child process.
def _move_one(path: Path, name: str, old: str, new: str) -> None:
    repo = open_repository(path)
    try:
        ref = repo.lookup_reference(name)
    except KeyError:
        raise RefMoved(name, f"{name} does not exist any more") from None
    if str(ref.target) != old:
        raise RefMoved(name)
    if new not in repo:
        raise GitFailed(f"{name} cannot move to {new}: the repository does not have it")
    try:
        ref.set_target(new)
    except pygit2.GitError as refused:
        if "lock" not in str(refused):
            raise RefMoved(name) from refused
        _transaction(path, [RefUpdate(name, old, new)])
        _fsync_names(path, [name])


def _transaction(path: Path, updates: Sequence[RefUpdate]) -> None:
    script = "".join(["start\n", *(_line(each) for each in updates), "prepare\ncommit\n"]).encode()
    args = [*process.DURABLE, "-c", "core.filesRefLockTimeout=1000", "update-ref", "--no-deref", "--stdin"]
    done = process.run_raw(path, args, stdin=script)
    complaint = done.stderr.decode("utf-8", "replace")
    left_behind = _LOCK_LEFT_BEHIND.search(complaint)
    if done.returncode != 0 and left_behind:
        _remove_stale_lock(path, Path(left_behind.group(1)))
        done = process.run_raw(path, args, stdin=script)
        complaint = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        raise _reason(complaint, updates)


def _line(each: RefUpdate) -> str:
    if each.new is None:
        return f"delete {each.name} {each.old or _ZERO}\n" if each.old else f"verify {each.name} {_ZERO}\n"
    return f"update {each.name} {each.new} {each.old or _ZERO}\n"


# Every writer of refs holds `locks.held`, so a lock file that is still there belongs to a process that was killed,
# or to an operator's own git, which needs it for milliseconds.
def _remove_stale_lock(path: Path, lock: Path) -> None:
    time.sleep(_GRACE_FOR_FOREIGN_LOCK_S)
    if lock.is_relative_to(path):
        lock.unlink(missing_ok=True)


def _reason(complaint: str, updates: Sequence[RefUpdate]) -> Exception:
    names = {each.name for each in updates}
    named = [found for found in _QUOTED_REF.findall(complaint) if found in names]
    if "cannot create" in complaint or "cannot process" in complaint or "cannot lock ref" not in complaint:
        if "cannot create" in complaint or "cannot process" in complaint:
            return RefConflict(
                f"{named[0] if named else 'A ref'} and another ref cannot both exist: one is a folder of the other",
                field="ref",
                value=named[0] if named else None,
            )
        return GitFailed(f"git update-ref failed: {process.words(complaint.encode())}")
    return RefMoved(named[0] if named else updates[0].name)


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
