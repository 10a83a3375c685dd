"""Commits made through the API: blobs, the tree they change, the commit object. No ref moves here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import pygit2
from pygit2.enums import ObjectType

from hutch.core.errors import BadRequest
from hutch.git.loose import write_loose, write_loose_stream
from hutch.git.object_batch import ObjectBatch
from hutch.git.objects import FILE_MODE, FOLDER_MODE, SUBMODULE_MODE
from hutch.git.tree_edit import TreeEditor
from hutch.git.trees import blob_size, entry_at, tree_of

__all__ = [
    "Change",
    "Copy",
    "Delete",
    "DeleteFolder",
    "ObjectBatch",
    "Put",
    "Signature",
    "build_tree",
    "commit",
    "squash",
    "write_blob",
]


@dataclass(frozen=True, slots=True)
class Put:
    """Place a file: `blob` is its bytes, or the id of a blob that the repository or the batch has."""

    path: str
    blob: str | bytes
    mode: int = FILE_MODE


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove the file at `path`."""

    path: str


@dataclass(frozen=True, slots=True)
class DeleteFolder:
    """Remove the folder at `path` and all below; a slash at its end is accepted."""

    path: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Place what lies at `src_path` of `src_commit` (a file or a folder of this repository) at `dst_path`."""

    src_commit: str
    src_path: str
    dst_path: str


Change = Put | Delete | DeleteFolder | Copy


@dataclass(frozen=True, slots=True)
class Signature:
    """Who, and when (with a time zone)."""

    name: str
    email: str
    when: datetime


def write_blob(repo: pygit2.Repository, source: bytes | BinaryIO) -> str:
    """Store one file's bytes (a stream must be able to seek) durably; returns the blob's id.

    For many small ones use an ObjectBatch.
    """
    path = Path(repo.path)
    if isinstance(source, bytes):
        return write_loose(path, ObjectType.BLOB, source)
    return write_loose_stream(path, source)


def build_tree(
    repo: pygit2.Repository,
    base_commit: str | None,
    changes: Iterable[Change],
    *,
    batch: ObjectBatch | None = None,
) -> str:
    """Apply `changes`, in their order, to the tree of `base_commit` (None: an empty one) and return the new tree.

    Costs as much as the changes and the folders on their way. Without `batch` the new objects are durable when
    this returns; with one they wait for its `store`. Raises EntryNotFound (a delete or copy of nothing),
    InvalidPath, PathCollision, BadRequest.
    """
    editor = TreeEditor(repo, None if base_commit is None else tree_of(repo, base_commit))
    with _own_or(batch, repo) as objects:
        for change in changes:
            _apply(repo, editor, change, objects)
        return editor.write(objects)


@contextmanager
def _own_or(batch: ObjectBatch | None, repo: pygit2.Repository) -> Iterator[ObjectBatch]:
    if batch is not None:
        yield batch
        return
    with ObjectBatch(repo) as own:
        yield own
        own.store()


def _apply(repo: pygit2.Repository, editor: TreeEditor, change: Change, batch: ObjectBatch) -> None:
    match change:
        case Put(path, bytes() as data, mode):
            editor.put(path, batch.add_blob(data), mode)
        case Put(path, str() as oid, mode):
            if oid not in batch:
                blob_size(repo, oid)
            editor.put(path, oid, mode)
        case Delete(path):
            editor.delete(path)
        case DeleteFolder(path):
            editor.delete_folder(path)
        case Copy(src_commit, src_path, dst_path):
            source = entry_at(repo, src_commit, src_path)
            if source.mode == FOLDER_MODE:
                editor.place_folder(dst_path.rstrip("/"), source.oid)
            elif source.mode == SUBMODULE_MODE:
                raise BadRequest("A submodule cannot be copied", field="srcPath", value=src_path)
            else:
                editor.put(dst_path, source.oid, _normal_mode(source.mode))


# Old repositories hold files of mode 664, which git reads as 644 and its fsck complains about.
def _normal_mode(mode: int) -> int:
    return FILE_MODE if mode == 0o100664 else mode


def commit(
    repo: pygit2.Repository,
    tree: str,
    parents: Sequence[str],
    message: str,
    author: Signature,
    committer: Signature | None = None,
    *,
    batch: ObjectBatch | None = None,
) -> str:
    """Make a commit object and return its id; no ref moves. Durable when this returns, or with `batch.store()`."""
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    lines += [f"author {_person(author)}", f"committer {_person(committer or author)}", "", _clean(message)]
    with _own_or(batch, repo) as objects:
        return objects.add(ObjectType.COMMIT, "\n".join(lines).encode("utf-8", "replace"))


def _person(who: Signature) -> str:
    if who.when.tzinfo is None:
        raise ValueError("a signature's time needs a zone")
    offset = who.when.utcoffset()
    minutes = 0 if offset is None else int(offset.total_seconds() // 60)
    zone = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}{abs(minutes) % 60:02d}"
    return f"{_plain(who.name) or 'unknown'} <{_plain(who.email)}> {max(0, int(who.when.timestamp()))} {zone}"


# What would end the field early, and what git's own porcelain strips from a name's ends.
def _plain(text: str) -> str:
    return "".join(c for c in text if c >= " " and c not in "<>\x7f").strip(" .,:;\"'\\")


def _clean(message: str) -> str:
    text = message.replace("\0", "").replace("\r\n", "\n").strip("\n")
    return text + "\n"


def squash(repo: pygit2.Repository, commit_id: str, message: str, who: Signature) -> str:
    """A commit without parents that has the tree of `commit_id`; returns its id."""
    return commit(repo, tree_of(repo, commit_id), [], message, who)
