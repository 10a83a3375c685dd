"""What `resolve` and `raw` answer with: one file of one revision, found by at most one walk down the tree."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pygit2

from hutch.accounts import actors
from hutch.cas import service as cas
from hutch.cas import sources
from hutch.cas.sending import Content
from hutch.cas.service import StoredObject
from hutch.core.errors import EntryNotFound, NotFound, RevisionNotFound
from hutch.core.permissions import Actor
from hutch.git import refs, trees
from hutch.git.pointers import Pointer
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.reading.opened import opened
from hutch.repos.wires import content_types
from hutch.repos.wires.content_types import ContentType
from hutch.storage.port import SignedUrl

_SHA = re.compile(r"[0-9a-f]{40}")
# A regular file whose name tells nothing is looked into, up to this size, to know text from bytes.
_SNIFFED_BLOB_BYTES = 1 << 20


class EntryMissing(EntryNotFound):
    """Entry not found, at a commit that is known: clients then remember that there is nothing."""

    def __init__(self, path: str, commit: str) -> None:
        super().__init__(f"Entry not found: {path[:200]!r}", field="path", value=path)
        self.commit = commit

    def headers(self) -> dict[str, str]:
        """Adds the commit, by which huggingface_hub files the absence (`.no_exist`)."""
        return {**super().headers(), "X-Repo-Commit": self.commit}


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a commit. `pointer` if its bytes lie in large-object storage."""

    repo: RepoRow
    actor: Actor
    commit: str
    is_pinned: bool
    """Whether it was asked for by commit hash, so that the answer never changes."""
    path: str
    oid: str
    size: int
    pointer: Pointer | None
    content: ContentType

    @property
    def etag(self) -> str:
        """Quoted: the SHA-256 of a large object, else the git blob's id."""
        return f'"{self.pointer.oid if self.pointer else self.oid}"'


def canonical_revision(revision: str) -> str:
    """Expands `~parquet`, as DuckDB writes `refs/convert/parquet`."""
    return f"refs/convert/{revision[1:]}" if revision.startswith("~") else revision


def find_file(
    headers: Mapping[str, str], type_: str, full_name: str, revision: str, path: str, *, is_raw: bool
) -> FoundFile:
    """The file that a request with these headers asks for; raw is the blob itself, even of a pointer.

    Raises RepoNotFound, RevisionNotFound, EntryMissing, Unauthorized.
    """
    actor = actors.identify(headers)
    row = find_repo(actor, type_, full_name, "repo.read")
    revision = canonical_revision(revision)
    git = opened_or_empty(row, revision)
    commit = refs.resolve(git, revision).commit
    try:
        entry = trees.entry_at(git, commit, path)
    except EntryNotFound:
        raise EntryMissing(path, commit) from None
    if entry.kind in ("folder", "submodule"):
        raise EntryMissing(path, commit)
    pointer = None if is_raw else entry.pointer
    sample = None
    if pointer is None and entry.size <= _SNIFFED_BLOB_BYTES and not content_types.is_known(path):
        sample = git.odb.read(entry.oid)[1][: content_types.SNIFF_BYTES]
    return FoundFile(
        row, actor, commit, _SHA.fullmatch(revision) is not None, path, entry.oid,
        pointer.size if pointer else entry.size, pointer, content_types.of(path, sample),
    )  # fmt: skip


def opened_or_empty(row: RepoRow, revision: str) -> pygit2.Repository:
    """The git data of a repository; where nothing was written yet no revision exists."""
    try:
        return opened(row.path)
    except NotFound:
        raise RevisionNotFound(f"Invalid rev id: {revision!r}", field="revision", value=revision) from None


def object_behind(found: FoundFile) -> StoredObject | None:
    """The large object of a found file; None for what lies in git. Raises NotFound where it is gone."""
    if found.pointer is None:
        return None
    stored = cas.object_of(found.repo.id, found.pointer.oid)
    if stored is None:
        raise NotFound("The bytes of this file were never uploaded", field="oid", value=found.pointer.oid)
    return stored


def content_of(
    found: FoundFile, stored: StoredObject | None, headers: Mapping[str, str]
) -> Content | SignedUrl:
    """The bytes of a found file, or where else they may be read under those response headers."""
    if stored is None:
        data = opened(found.repo.path).odb.read(found.oid)[1]
        return Content(data, found.size, found.etag, found.content.media_type)
    place = sources.source(stored, headers)
    if isinstance(place, SignedUrl):
        return place
    return Content(place, found.size, found.etag, found.content.media_type)


def resolve_commit(row: RepoRow, revision: str) -> tuple[pygit2.Repository, str]:
    """The git repository and the commit that a revision means. Raises RevisionNotFound."""
    revision = canonical_revision(revision)
    git = opened_or_empty(row, revision)
    return git, refs.resolve(git, revision).commit
