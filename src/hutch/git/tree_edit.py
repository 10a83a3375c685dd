"""Applying changes to a tree: only the folders on their way are read and written."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pygit2
from pygit2.enums import ObjectType

from hutch.core.errors import BadRequest
from hutch.git.errors import InvalidPath, PathCollision
from hutch.git.object_batch import ObjectBatch
from hutch.git.objects import (
    EXECUTABLE_MODE,
    FILE_MODE,
    FOLDER_MODE,
    SYMLINK_MODE,
    TreeEntry,
    decode_name,
    encode_name,
    read_tree,
    render_tree,
)
from hutch.git.paths import check_path, fold
from hutch.git.trees import check_depth, missing

PUT_MODES = (FILE_MODE, EXECUTABLE_MODE, SYMLINK_MODE)


class Folder:
    """A folder under change: entries as they were, or folders under change themselves."""

    def __init__(self, entries: Iterable[TreeEntry], path: str) -> None:
        self.path = path
        self.children: dict[bytes, TreeEntry | Folder] = {entry.name: entry for entry in entries}
        self._folded: dict[str, bytes] | None = None

    def set(self, name: bytes, child: TreeEntry | Folder) -> None:
        """Put a child, refusing a new name that some file system would mix up with one that is there."""
        if name not in self.children:
            key = fold(decode_name(name))
            twin = self._names_by_fold().get(key)
            if twin is not None and twin in self.children:
                raise _collision(self.path + decode_name(name), self.path + decode_name(twin))
            self._names_by_fold()[key] = name
        self.children[name] = child

    def _names_by_fold(self) -> dict[str, bytes]:
        if self._folded is None:
            self._folded = {fold(decode_name(name)): name for name in self.children}
        return self._folded


def _collision(new: str, old: str) -> PathCollision:
    return PathCollision(
        f"{new!r} and {old!r} differ only by case or Unicode form: no checkout on every system can hold both",
        field="path",
        value=new,
    )


class TreeEditor:
    """One tree under change. Changes apply in the order given, each to what the ones before it left."""

    def __init__(self, repo: pygit2.Repository, tree: str | None) -> None:
        self._repo = repo
        self._root = Folder([] if tree is None else read_tree(repo, tree), "")

    def put(self, path: str, oid: str, mode: int) -> None:
        """Place a blob; raises InvalidPath, PathCollision, and BadRequest where a file and a folder would clash."""
        check_path(path)
        if mode not in PUT_MODES:
            raise BadRequest(f"A file cannot have the mode {mode:o}", field="mode", value=f"{mode:o}")
        self._place(path, TreeEntry(mode, _last(path), bytes.fromhex(oid)))

    def place_folder(self, path: str, tree: str) -> None:
        """Place a whole tree where there is no file; it replaces a folder that is there."""
        check_path(path)
        check_depth(self._repo, [tree], above=path.count("/") + 1)
        self._place(path, TreeEntry(FOLDER_MODE, _last(path), bytes.fromhex(tree)))

    def _place(self, path: str, entry: TreeEntry) -> None:
        folder = self._open_parent(path)
        present = folder.children.get(entry.name)
        if present is not None and _is_folder(present) != (entry.mode == FOLDER_MODE):
            kind = "folder" if _is_folder(present) else "file"
            raise InvalidPath(f"{path!r} is a {kind} already", field="path", value=path)
        folder.set(entry.name, entry)

    def delete(self, path: str) -> None:
        """Remove a file; raises EntryNotFound where there is none."""
        self._remove(path, folder=False)

    def delete_folder(self, path: str) -> None:
        """Remove a folder and all that it holds ('' and '/' mean everything); raises EntryNotFound."""
        if not path.strip("/"):
            self._root = Folder([], "")
            return
        self._remove(path.rstrip("/"), folder=True)

    def _remove(self, path: str, *, folder: bool) -> None:
        trail = self._trail(path)
        name = _last(path)
        if trail is None or name not in trail[-1].children or _is_folder(trail[-1].children[name]) != folder:
            raise missing(path)
        del trail[-1].children[name]
        for parent, child in reversed(list(pairwise(trail))):
            if not child.children:
                del parent.children[_last(child.path[:-1])]

    def _trail(self, path: str) -> list[Folder] | None:
        trail = [self._root]
        for part in path.split("/")[:-1]:
            child = self._descend(trail[-1], encode_name(part))
            if child is None:
                return None
            trail.append(child)
        return trail

    def _descend(self, folder: Folder, name: bytes) -> Folder | None:
        child = folder.children.get(name)
        if child is None or not _is_folder(child):
            return None
        if isinstance(child, TreeEntry):
            child = Folder(read_tree(self._repo, child.oid), f"{folder.path}{decode_name(name)}/")
            folder.children[name] = child
        return child

    def _open_parent(self, path: str) -> Folder:
        folder = self._root
        for part in path.split("/")[:-1]:
            name = encode_name(part)
            if name not in folder.children:
                folder.set(name, Folder([], f"{folder.path}{part}/"))
            child = self._descend(folder, name)
            if child is None:
                file = folder.path + part
                raise InvalidPath(f"{path!r} cannot be: {file!r} is a file", field="path", value=path)
            folder = child
        return folder

    def write(self, batch: ObjectBatch) -> str:
        """Add the changed trees to the batch and return the root's id (the empty tree's where nothing is left)."""
        return _write(self._root, batch)


def _write(folder: Folder, batch: ObjectBatch) -> str:
    lines = []
    for name, child in folder.children.items():
        if isinstance(child, Folder):
            lines.append(TreeEntry(FOLDER_MODE, name, bytes.fromhex(_write(child, batch))))
        else:
            lines.append(child)
    return batch.add(ObjectType.TREE, render_tree(lines))


def _is_folder(child: TreeEntry | Folder) -> bool:
    return isinstance(child, Folder) or child.mode == FOLDER_MODE


def _last(path: str) -> bytes:
    return encode_name(path.rsplit("/", 1)[-1])
