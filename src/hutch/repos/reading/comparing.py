"""Two revisions side by side: the commits between them and the files that differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hutch.core import clock
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor
from hutch.git import diffs, history, refs, repository
from hutch.git.diffs import Diff, FileDiff
from hutch.git.history import Commit
from hutch.repos.api.shapes import Shape, readable
from hutch.repos.reading import contents as reading
from hutch.repos.reading.contents import At
from hutch.repos.wires.resolving import canonical_revision


@dataclass(frozen=True, slots=True)
class Compared:
    """`head` against `base`: what `head` has that `base` lacks. `old` is the commit whose tree the files start from."""

    here: At
    base: str
    head: str
    merge_base: str | None
    old: str | None
    commits: list[Commit]


def compare(actor: Actor, type_: str, full_name: str, spec: str) -> Compared:
    """Compares `base..head` (the two trees) or `base...head` (head against where it left base).

    Raises RepoNotFound, RevisionNotFound, BadRequest for another form.
    """
    base, dots, head = spec.partition("...") if "..." in spec else spec.partition("..")
    if not base or not head or not dots:
        raise BadRequest("compare takes base..head or base...head", field="compare", value=spec)
    here = reading.at(actor, type_, full_name, head)
    from_commit = refs.resolve(here.git, canonical_revision(base)).commit
    meeting = history.merge_base(here.git, from_commit, here.commit)
    old = from_commit if dots == ".." else meeting
    ahead = history.between(here.git, from_commit, here.commit)
    return Compared(here, from_commit, here.commit, meeting, old, ahead)


def changes(compared: Compared) -> Diff:
    """The files that differ, with their lines as far as the limits go."""
    return diffs.diff(compared.here.git, compared.old, compared.head)


def raw(compared: Compared) -> Iterator[bytes]:
    """The difference as `git diff` prints it. It may be read in other threads than this one."""
    return diffs.raw_diff(repository.open(compared.here.row.path), compared.old, compared.head)


def commit_with_diff(here: At) -> tuple[Commit, Diff]:
    """The commit itself and what it changed against its first parent."""
    return history.read_commit(here.git, here.commit), diffs.diff_of_commit(here.git, here.commit)


def file_shape(file: FileDiff) -> Shape:
    """A file that differs, without its lines."""
    shape: Shape = {
        "path": readable(file.path),
        "status": file.status,
        "additions": file.additions,
        "deletions": file.deletions,
        "isBinary": file.binary,
        "truncated": file.truncated,
    }
    if file.old_path is not None and file.old_path != file.path:
        shape["oldPath"] = readable(file.old_path)
    for side, oid, size, pointer in (
        ("old", file.old_oid, file.old_size, file.old_pointer),
        ("new", file.new_oid, file.new_size, file.new_pointer),
    ):
        if oid is not None:
            shape[side] = {"oid": oid, "size": pointer.size if pointer else size}
            if pointer is not None:
                shape[side]["lfs"] = {"oid": pointer.oid, "size": pointer.size}
    return shape


def compared_shape(compared: Compared, diff: Diff) -> Shape:
    """The JSON of a comparison."""
    return {
        "base": compared.base,
        "head": compared.head,
        "mergeBase": compared.merge_base,
        "commits": [
            {"id": commit.id, "title": commit.title, "date": clock.iso(commit.date)}
            for commit in compared.commits
        ],
        "files": [file_shape(file) for file in diff.files],
        "totalFiles": diff.total_files,
        "truncated": diff.truncated,
    }
