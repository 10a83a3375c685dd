"""History without certain files: every commit that a ref reaches is made anew where it held one of them."""

from __future__ import annotations

from collections.abc import Iterable

import pygit2
from pygit2.enums import ObjectType, SortMode

from hutch.git.commits import ObjectBatch
from hutch.git.objects import FOLDER_MODE, TreeEntry, read_tree, render_tree
from hutch.git.refs import Ref, RefUpdate, commit_of


def without_blobs(
    git: pygit2.Repository, refs: Iterable[Ref], blobs: set[str], batch: ObjectBatch
) -> list[RefUpdate]:
    """The moves that take blobs out of all that the refs reach; the new objects wait in `batch`.

    A folder that holds nothing else goes too; a commit keeps its author, dates and message but no signature, which
    would not hold any more. Costs as much as the distinct folders of the whole history.
    """
    rewriter = _Rewriter(git, {bytes.fromhex(blob) for blob in blobs}, batch)
    moves = []
    for ref in refs:
        new = rewriter.target(ref.target)
        if new != ref.target:
            moves.append(RefUpdate(ref.name, ref.target, new))
    return moves


class _Rewriter:
    def __init__(self, git: pygit2.Repository, blobs: set[bytes], batch: ObjectBatch) -> None:
        self._git = git
        self._blobs = blobs
        self._batch = batch
        self._trees: dict[bytes, bytes | None] = {}
        self._commits: dict[str, str] = {}

    def target(self, oid: str) -> str:
        """Where a ref that points to a commit or an annotated tag shall point."""
        commit = commit_of(self._git, oid)
        if commit is None:
            return oid
        new = self._history(commit)
        kind, data = self._git.odb.read(oid)
        if kind != ObjectType.TAG:
            return new
        return oid if new == commit else self._batch.add(ObjectType.TAG, _with_links(data, {commit: new}))

    def _history(self, head: str) -> str:
        walker = self._git.walk(head, SortMode.TOPOLOGICAL | SortMode.REVERSE)
        for known in self._commits:
            walker.hide(known)
        for found in walker:
            self._commit(str(found.id), str(found.tree_id), [str(parent) for parent in found.parent_ids])
        return self._commits[head]

    def _commit(self, oid: str, tree: str, parents: list[str]) -> None:
        new_tree = self._tree(bytes.fromhex(tree))
        links = {tree: new_tree.hex() if new_tree else self._batch.add(ObjectType.TREE, b"")}
        links |= {parent: self._commits[parent] for parent in parents}
        if all(old == new for old, new in links.items()):
            self._commits[oid] = oid
            return
        data = self._git.odb.read(oid)[1]
        self._commits[oid] = self._batch.add(ObjectType.COMMIT, _with_links(data, links))

    # None: nothing is left in the folder. By hand instead of by recursion a hostile depth would not matter; git's own
    # limit on paths (4,096 bytes) keeps it under Python's.
    def _tree(self, raw_oid: bytes) -> bytes | None:
        if raw_oid in self._trees:
            return self._trees[raw_oid]
        entries = read_tree(self._git, raw_oid.hex())
        kept: list[TreeEntry] = []
        for entry in entries:
            inner = self._tree(entry.raw_oid) if entry.mode == FOLDER_MODE else entry.raw_oid
            if inner is not None and inner not in self._blobs:
                kept.append(entry._replace(raw_oid=inner))
        if kept == entries:
            new: bytes | None = raw_oid
        elif kept:
            new = bytes.fromhex(self._batch.add(ObjectType.TREE, render_tree(kept)))
        else:
            new = None
        self._trees[raw_oid] = new
        return new


# The header of a commit or tag with other ids in it, and without a signature (a header whose lines go on indented).
def _with_links(data: bytes, links: dict[str, str]) -> bytes:
    head, blank, message = data.partition(b"\n\n")
    lines: list[bytes] = []
    inside_signature = False
    for line in head.split(b"\n"):
        inside_signature = line.startswith(b"gpgsig") or (inside_signature and line.startswith(b" "))
        if inside_signature:
            continue
        word, space, value = line.partition(b" ")
        if word in (b"tree", b"parent", b"object"):
            value = links.get(value.decode(), value.decode()).encode()
        lines.append(word + space + value)
    return b"\n".join(lines) + blank + message
