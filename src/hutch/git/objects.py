"""Raw objects: their ids, trees as lists of entries, and sets of new objects stored durably."""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import pygit2
from pygit2.enums import ObjectType

FOLDER_MODE = 0o040000
FILE_MODE = 0o100644
EXECUTABLE_MODE = 0o100755
SYMLINK_MODE = 0o120000
SUBMODULE_MODE = 0o160000

KIND_NAMES = {
    ObjectType.COMMIT: b"commit",
    ObjectType.TREE: b"tree",
    ObjectType.BLOB: b"blob",
    ObjectType.TAG: b"tag",
}

_TREE_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)


class TreeEntry(NamedTuple):
    """One line of a tree: mode, name as its bytes, and the 20 bytes of its object id."""

    mode: int
    name: bytes
    raw_oid: bytes

    @property
    def oid(self) -> str:
        return self.raw_oid.hex()

    @property
    def sort_key(self) -> bytes:
        """Git's order within a tree: folders as if their name ended in a slash."""
        return self.name + b"/" if self.mode == FOLDER_MODE else self.name


def hash_object(kind: ObjectType, data: bytes) -> str:
    """The id that git gives to these bytes."""
    digest = hashlib.sha1(b"%s %d\0" % (KIND_NAMES[kind], len(data)), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


_Line = tuple[bytes, bytes, bytes]
_FOLDER_DIGITS = (b"40000", b"040000")


def read_tree(repo: pygit2.Repository, oid: str) -> list[TreeEntry]:
    """The entries of a tree in git's order; raises KeyError (missing) or ValueError (not a tree)."""
    return [_entry(line) for line in _lines(repo, oid)]


def read_tree_behind(
    repo: pygit2.Repository, oid: str, name: bytes, *, inside: bool
) -> tuple[TreeEntry | None, Iterator[TreeEntry]]:
    """The folder called `name`, if there is one, and the entries that follow `name` in git's order.

    `inside`: `name` is known to be a folder. Entries before it are not turned into objects, so that a late page of
    a huge folder costs no more than the first.
    """
    lines = _lines(repo, oid)
    start = bisect_left(lines, name + b"/", key=_sort_key)
    if start < len(lines) and lines[start][1] == name and lines[start][0] in _FOLDER_DIGITS:
        return _entry(lines[start]), map(_entry, lines[start + 1 :])
    if not inside:
        start = bisect_right(lines, name, key=_sort_key)
    return None, map(_entry, lines[start:])


def _lines(repo: pygit2.Repository, oid: str) -> list[_Line]:
    kind, data = repo.odb.read(oid)
    if kind != ObjectType.TREE:
        raise ValueError(f"{oid} is not a tree")
    return _TREE_ENTRY.findall(data)


def _entry(line: _Line) -> TreeEntry:
    return TreeEntry(int(line[0], 8), line[1], line[2])


def _sort_key(line: _Line) -> bytes:
    return line[1] + b"/" if line[0] in _FOLDER_DIGITS else line[1]


def render_tree(entries: Iterable[TreeEntry]) -> bytes:
    """The bytes of a tree with these entries, sorted."""
    ordered = sorted(entries, key=lambda entry: entry.sort_key)
    return b"".join(b"%o %s\0%s" % (entry.mode, entry.name, entry.raw_oid) for entry in ordered)


def decode_name(name: bytes) -> str:
    """A name or path as str; bytes that are not UTF-8 survive as lone surrogates."""
    return name.decode("utf-8", "surrogateescape")


def encode_name(name: str) -> bytes:
    """The reverse of `decode_name`."""
    return name.encode("utf-8", "surrogateescape")
