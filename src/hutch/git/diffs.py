"""What differs between two commits: files, and the lines of those that are text and not too large."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pygit2

from hutch.git import pointers, process
from hutch.git.history import Commit, between, find_commit, merge_base
from hutch.git.objects import SUBMODULE_MODE, decode_name
from hutch.git.pointers import Pointer
from hutch.git.trees import blob_size

Status = Literal["added", "deleted", "modified", "renamed", "copied", "type-changed"]

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
DIFF_TIMEOUT_S = 60.0
RENAME_LIMIT = 400

_ZERO = "0" * 40
_STATUSES: dict[str, Status] = {
    "A": "added",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "type-changed",
}


@dataclass(frozen=True, slots=True)
class Line:
    """`origin` is ' ', '+' or '-'; the numbers count from 1, None on the side that lacks the line."""

    origin: str
    old_number: int | None
    new_number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines around one change, with git's own header."""

    header: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """One file that differs. `truncated`: its lines are left out, or end early, because of a limit."""

    old_path: str | None
    new_path: str | None
    status: Status
    old_oid: str | None
    new_oid: str | None
    old_mode: int
    new_mode: int
    old_size: int = 0
    new_size: int = 0
    binary: bool = False
    truncated: bool = False
    additions: int = 0
    deletions: int = 0
    hunks: tuple[Hunk, ...] = ()
    old_pointer: Pointer | None = None
    new_pointer: Pointer | None = None

    @property
    def path(self) -> str:
        """The path to call the file by: the new one, for a deleted file the old one."""
        return self.new_path or self.old_path or ""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a diff is worked out; the list of files goes on past the lines."""

    files: int = 1000
    files_with_lines: int = 200
    file_bytes: int = 512 << 10
    file_lines: int = 3000
    lines: int = 20_000
    line_characters: int = 2000
    context_lines: int = 3


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Diff:
    """The files that differ, at most `limits.files` of the `total_files`."""

    files: list[FileDiff]
    total_files: int

    @property
    def truncated(self) -> bool:
        """Whether a limit left something out."""
        return self.total_files > len(self.files) or any(file.truncated for file in self.files)


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `head` has that `base` lacks, seen from where they parted (None where they never met)."""

    merge_base: str | None
    ahead: list[Commit]
    diff: Diff


def diff(repo: pygit2.Repository, old: str | None, new: str, *, limits: Limits = DEFAULT_LIMITS) -> Diff:
    """The difference of two commits (old None: of nothing and `new`), renames found.

    Raises RevisionNotFound, GitTimeout.
    """
    listed = list(_changed_files(repo, _tree(repo, old), _tree(repo, new)))
    files: list[FileDiff] = []
    lines_left = limits.lines
    for position, file in enumerate(listed[: limits.files]):
        if position >= limits.files_with_lines or lines_left <= 0:
            files.append(replace(file, truncated=True))
            continue
        detailed = _with_lines(repo, file, limits, lines_left)
        lines_left -= sum(len(hunk.lines) for hunk in detailed.hunks)
        files.append(detailed)
    return Diff(files, len(listed))


def diff_of_commit(repo: pygit2.Repository, commit: str, *, limits: Limits = DEFAULT_LIMITS) -> Diff:
    """What a commit changed against its first parent."""
    parents = find_commit(repo, commit).parent_ids
    return diff(repo, str(parents[0]) if parents else None, commit, limits=limits)


def compare(repo: pygit2.Repository, base: str, head: str, *, limits: Limits = DEFAULT_LIMITS) -> Comparison:
    """The commits and changes of `head` since it left `base` (git's `base...head`)."""
    meeting = merge_base(repo, base, head)
    return Comparison(meeting, between(repo, base, head), diff(repo, meeting, head, limits=limits))


def raw_diff(repo: pygit2.Repository, old: str | None, new: str) -> Iterator[bytes]:
    """The difference as `git diff` prints it, in pieces."""
    args = [
        "diff-tree",
        "-r",
        "-M",
        f"-l{RENAME_LIMIT}",
        "-p",
        "--full-index",
        "--no-ext-diff",
        "--no-textconv",
    ]
    path, trees = Path(repo.path), [_tree(repo, old), _tree(repo, new)]
    with process.stream(path, [*args, *trees], timeout_s=DIFF_TIMEOUT_S) as out:
        while piece := out.read(1 << 16):
            yield piece


def _tree(repo: pygit2.Repository, commit: str | None) -> str:
    return EMPTY_TREE if commit is None else str(find_commit(repo, commit).tree_id)


def _changed_files(repo: pygit2.Repository, old_tree: str, new_tree: str) -> Iterator[FileDiff]:
    args = ["diff-tree", "-r", "-M", f"-l{RENAME_LIMIT}", "--raw", "-z", "--no-abbrev", old_tree, new_tree]
    words = iter(process.run(Path(repo.path), args, timeout_s=DIFF_TIMEOUT_S).split(b"\0")[:-1])
    for head in words:
        old_mode, new_mode, old_oid, new_oid, letter = head.decode().lstrip(":").split(" ")
        status = _STATUSES.get(letter[0], "modified")
        first = decode_name(next(words))
        second = decode_name(next(words)) if status in ("renamed", "copied") else first
        yield FileDiff(
            old_path=None if status == "added" else first,
            new_path=None if status == "deleted" else second,
            status=status,
            old_oid=None if old_oid == _ZERO else old_oid,
            new_oid=None if new_oid == _ZERO else new_oid,
            old_mode=int(old_mode, 8),
            new_mode=int(new_mode, 8),
        )


def _with_lines(repo: pygit2.Repository, file: FileDiff, limits: Limits, lines_left: int) -> FileDiff:
    if SUBMODULE_MODE in (file.old_mode, file.new_mode):
        return file
    old_size, new_size = _size(repo, file.old_oid), _size(repo, file.new_oid)
    sized = replace(file, old_size=old_size, new_size=new_size)
    if max(old_size, new_size) > limits.file_bytes:
        return replace(sized, truncated=True)
    old, new = _bytes(repo, file.old_oid), _bytes(repo, file.new_oid)
    patch = pygit2.Patch.create_from(old, new, context_lines=limits.context_lines)
    _, additions, deletions = patch.line_stats
    hunks, truncated = _hunks(patch, min(limits.file_lines, lines_left), limits.line_characters)
    return replace(
        sized,
        binary=patch.delta.is_binary or b"\0" in old[:8000] or b"\0" in new[:8000],
        truncated=truncated,
        additions=additions,
        deletions=deletions,
        hunks=hunks,
        old_pointer=pointers.parse(old),
        new_pointer=pointers.parse(new),
    )


def _size(repo: pygit2.Repository, oid: str | None) -> int:
    return 0 if oid is None else blob_size(repo, oid)


def _bytes(repo: pygit2.Repository, oid: str | None) -> bytes:
    return b"" if oid is None else repo.odb.read(oid)[1]


def _hunks(patch: pygit2.Patch, max_lines: int, max_characters: int) -> tuple[tuple[Hunk, ...], bool]:
    hunks = []
    left = max_lines
    for hunk in patch.hunks:
        lines = [_line(line, max_characters) for line in hunk.lines[:left] if line.origin in " +-"]
        hunks.append(Hunk(hunk.header.rstrip("\n"), lines))
        left -= len(hunk.lines)
        if left < 0:
            return tuple(hunks), True
    return tuple(hunks), False


def _line(line: pygit2.DiffLine, max_characters: int) -> Line:
    text = line.raw_content.decode("utf-8", "replace").rstrip("\n")
    old = line.old_lineno if line.old_lineno > 0 else None
    new = line.new_lineno if line.new_lineno > 0 else None
    return Line(line.origin, old, new, text[:max_characters])
