"""Reading what lies at a path of a commit: one entry, a page of a folder, a file's bytes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Self, cast

import pygit2
from pygit2.enums import ObjectType

from hutch.core.errors import EntryNotFound, RevisionNotFound
from hutch.git import pointers, process
from hutch.git.errors import BlobTooLarge, InvalidPath
from hutch.git.objects import (
    FOLDER_MODE,
    SUBMODULE_MODE,
    SYMLINK_MODE,
    TreeEntry,
    decode_name,
    encode_name,
    read_tree,
    read_tree_behind,
)
from hutch.git.paths import MAX_COMPONENTS
from hutch.git.pointers import Pointer

Kind = Literal["file", "folder", "submodule", "symlink"]

# Larger blobs come through a child process, in pieces, instead of through this process' memory.
STREAM_ABOVE_BYTES = 8 << 20

_KINDS: dict[int, Kind] = {FOLDER_MODE: "folder", SUBMODULE_MODE: "submodule", SYMLINK_MODE: "symlink"}


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a path. `size` is the git blob's (0 for folders, submodules); `pointer` if it is LFS."""

    path: str
    kind: Kind
    oid: str
    size: int
    mode: int
    pointer: Pointer | None

    @property
    def content_size(self) -> int:
        """Bytes that a reader gets: those of the large object where the blob is a pointer."""
        return self.size if self.pointer is None else self.pointer.size


def tree_of(repo: pygit2.Repository, commit: str) -> str:
    """The root tree of a commit; raises RevisionNotFound."""
    try:
        return str(repo[commit].peel(pygit2.Commit).tree_id)
    except (KeyError, ValueError, pygit2.GitError):
        raise RevisionNotFound(f"Invalid rev id: {commit!r}", field="revision", value=commit) from None


def entry_at(repo: pygit2.Repository, commit: str, path: str) -> Entry:
    """What lies at `path` ('' is the root folder); raises EntryNotFound, RevisionNotFound."""
    entry = _find(repo, tree_of(repo, commit), path.rstrip("/"))
    if entry is None:
        raise missing(path)
    return entry


def missing(path: str) -> EntryNotFound:
    """The error for a path that is not there."""
    return EntryNotFound(f"Entry not found: {path[:200]!r}", field="path", value=path)


def find_files(repo: pygit2.Repository, commit: str, paths: Iterable[str]) -> dict[str, Entry]:
    """The entries, of any kind, that exist among `paths`, by the path as it was asked for."""
    tree = tree_of(repo, commit)
    found = ((path, _find(repo, tree, path.rstrip("/"))) for path in paths)
    return {path: entry for path, entry in found if entry is not None}


def _find(repo: pygit2.Repository, tree: str, path: str) -> Entry | None:
    if not path:
        return Entry("", "folder", tree, 0, FOLDER_MODE, None)
    if "\0" in path or path.startswith("/") or "//" in path:
        return None
    try:
        found = cast(pygit2.Tree, repo[tree])[path]
    except (KeyError, ValueError, TypeError):
        return None
    return _entry(repo, path, int(found.filemode), str(found.id))


def _entry(repo: pygit2.Repository, path: str, mode: int, oid: str) -> Entry:
    kind = _KINDS.get(mode, "file")
    if kind in ("folder", "submodule"):
        return Entry(path, kind, oid, 0, mode, None)
    _, size = repo.odb.read_header(oid)
    pointer = None
    if kind == "file" and pointers.MIN_POINTER_BYTES <= size <= pointers.MAX_POINTER_BYTES:
        pointer = pointers.parse(repo.odb.read(oid)[1])
    return Entry(path, kind, oid, size, mode, pointer)


def list_entries(
    repo: pygit2.Repository,
    commit: str,
    folder: str = "",
    *,
    recursive: bool = False,
    after: str | None = None,
    limit: int | None = None,
) -> list[Entry]:
    """The entries below `folder`, in git's order, a folder before what it holds.

    A page begins behind the path `after` (the last of the page before), whose predecessors are not read; at most
    `limit` entries. Raises EntryNotFound where `folder` is not a folder, RevisionNotFound.
    """
    return list(islice(walk(repo, commit, folder, recursive=recursive, after=after), limit))


def walk(
    repo: pygit2.Repository,
    commit: str,
    folder: str = "",
    *,
    recursive: bool = True,
    after: str | None = None,
) -> Iterator[Entry]:
    """`list_entries` as a lazy sequence."""
    folder = folder.strip("/")
    root = entry_at(repo, commit, folder)
    if root.kind != "folder":
        raise missing(folder)
    prefix = folder + "/" if folder else ""
    behind = _cursor(prefix, after)
    for path, entry in _walk_tree(repo, root.oid, prefix, recursive, behind):
        yield _entry(repo, path, entry.mode, entry.oid)


def _cursor(prefix: str, after: str | None) -> list[bytes]:
    if after is None or not after.startswith(prefix):
        return []
    return encode_name(after[len(prefix) :]).strip(b"/").split(b"/")


def _walk_tree(
    repo: pygit2.Repository, tree: str, prefix: str, recursive: bool, behind: list[bytes]
) -> Iterator[tuple[str, TreeEntry]]:
    if prefix.count("/") > 2 * MAX_COMPONENTS:  # from before there was a limit
        raise InvalidPath(
            f"Folders lie too deep in one another: {prefix[:200]!r}", field="path", limit=MAX_COMPONENTS
        )
    rest: Iterable[TreeEntry]
    if behind:
        opened, rest = read_tree_behind(repo, tree, behind[0], inside=len(behind) > 1)
        if opened is not None and recursive:
            path = prefix + decode_name(opened.name) + "/"
            yield from _walk_tree(repo, opened.oid, path, recursive, behind[1:])
    else:
        rest = read_tree(repo, tree)
    for entry in rest:
        path = prefix + decode_name(entry.name)
        yield path, entry
        if recursive and entry.mode == FOLDER_MODE:
            yield from _walk_tree(repo, entry.oid, path + "/", recursive, [])


def check_depth(repo: pygit2.Repository, roots: Iterable[str], *, above: int = 0) -> None:
    """Raises InvalidPath if folders of these trees lie deeper than a path may name, with `above` parts before them.

    Reads every folder below once for each depth at which it lies.
    """
    level, depth = set(roots), above
    while level:
        depth += 1
        if depth > MAX_COMPONENTS:
            raise InvalidPath(
                f"Folders lie deeper than {MAX_COMPONENTS} in one another", field="path", limit=MAX_COMPONENTS
            )
        level = {entry.oid for oid in level for entry in read_tree(repo, oid) if entry.mode == FOLDER_MODE}


def folder_size(repo: pygit2.Repository, commit: str, folder: str = "") -> int:
    """Bytes of all files below `folder`, large objects at their own size."""
    return sum(entry.content_size for entry in walk(repo, commit, folder))


def read_blob(repo: pygit2.Repository, oid: str, max_bytes: int) -> bytes:
    """A whole blob; raises BlobTooLarge above `max_bytes`, before reading, and EntryNotFound."""
    size = blob_size(repo, oid)
    if size > max_bytes:
        message = f"The file has {size} bytes, the limit here is {max_bytes}"
        raise BlobTooLarge(message, value=size, limit=max_bytes)
    return repo.odb.read(oid)[1]


def blob_size(repo: pygit2.Repository, oid: str) -> int:
    """Bytes of a blob, from its header; raises EntryNotFound where there is no such blob."""
    try:
        kind, size = repo.odb.read_header(oid)
    except (KeyError, ValueError):
        kind, size = ObjectType.INVALID, 0
    if kind != ObjectType.BLOB:
        raise EntryNotFound(f"Entry not found: {oid!r}", field="oid", value=oid)
    return size


def open_blob(repo: pygit2.Repository, oid: str) -> BinaryIO | BlobStream:
    """A blob as a stream to `read(n)` and `close()`; above 8 MiB its bytes never lie in memory at once."""
    if blob_size(repo, oid) <= STREAM_ABOVE_BYTES:
        return BytesIO(repo.odb.read(oid)[1])
    return BlobStream(Path(repo.path), oid)


class BlobStream:
    """A large blob read from `git cat-file`; closing early ends the child."""

    def __init__(self, path: Path, oid: str) -> None:
        self._child = process.stream(path, ["cat-file", "blob", oid])
        self._output = self._child.__enter__()

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, b'' at the end."""
        return self._output.read(size)

    def close(self) -> None:
        """End the child and release its pipe."""
        self._child.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
