"""A file's lines grouped by the commits that wrote them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from hutch.git import trees
from hutch.git.blame import MAX_BLAME_BYTES, blame
from hutch.git.history import Commit
from hutch.repos.pages import highlighting
from hutch.repos.reading import contents as reading
from hutch.repos.reading.contents import At, Author


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that stand together, from line `start`, and the commit that wrote them."""

    commit: Commit
    author: Author
    start: int
    lines: list[SafeString]


def parts(here: At, path: str) -> list[Part]:
    """A file's parts in order. Raises EntryNotFound, BlobTooLarge, GitTimeout."""
    hunks = blame(here.git, here.commit, path)
    entry = trees.entry_at(here.git, here.commit, path)
    text = trees.read_blob(here.git, entry.oid, MAX_BLAME_BYTES).decode("utf-8", "replace")
    lines = highlighting.lines_of_blob(entry.oid, text, highlighting.language_of(path))
    authors = reading.authors_of(hunk.commit for hunk in hunks)
    return [
        Part(
            hunk.commit,
            authors[hunk.commit.id],
            hunk.start,
            lines[hunk.start - 1 : hunk.start - 1 + hunk.lines],
        )
        for hunk in hunks
    ]
