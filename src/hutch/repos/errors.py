"""This room's branch of the error tree.

BadRequest
├── InvalidName        a name that no repository may have
└── InvalidCommit      a line of a commit's body, named by its number
Forbidden
├── ProtectedBranch    this branch moves forward only, or by pull request only
├── QuotaExceeded      the namespace's storage is used up
└── GatedRepo          files are for those who were granted access (401 to nobody)
Conflict
├── RepoExists         the name is taken; `url` says by what
├── RefBusy            another move of the same ref is under way, or won
└── MergeConflict      files that both sides changed
"""

from __future__ import annotations

from collections.abc import Sequence

from hutch.core.errors import BadRequest, Conflict, Forbidden, Unauthorized


class InvalidName(BadRequest):
    """No repository may have this name."""

    code = "InvalidName"


class InvalidCommit(BadRequest):
    """A line of the commit's body is malformed."""

    def __init__(
        self, line: int, message: str, *, field: str | None = None, value: object = None, limit: object = None
    ) -> None:
        super().__init__(f"line {line}: {message}", field=field, value=value, limit=limit)
        self.line = line

    def body(self) -> dict[str, object]:
        """Adds the number of the line, from 1."""
        return {**super().body(), "line": self.line}


class ProtectedBranch(Forbidden):
    """This branch is protected."""

    code = "ProtectedBranch"


class QuotaExceeded(Forbidden):
    """The storage of this namespace is used up."""

    code = "QuotaExceeded"


class GatedRepo(Forbidden):
    """Access to this repository's files is restricted: ask for it first."""

    code = "GatedRepo"


class GatedForNobody(Unauthorized):
    """Access to this repository's files is restricted: sign in and ask for it."""

    code = "GatedRepo"


class RepoExists(Conflict):
    """A repository of this name exists already."""

    code = "RepoExists"

    def __init__(self, url: str) -> None:
        super().__init__("You already created this repository, or one of that name exists", field="name")
        self.url = url

    def body(self) -> dict[str, object]:
        """Adds the address, which huggingface_hub reads with `exist_ok=True`."""
        return {**super().body(), "url": self.url}


class RefBusy(Conflict):
    """Another change to this branch won or is under way: try again."""

    code = "RefBusy"


class MergeConflict(Conflict):
    """Both sides changed the same files."""

    code = "MergeConflict"

    def __init__(self, paths: Sequence[str]) -> None:
        super().__init__(
            f"Both sides changed the same files: {', '.join(paths[:20])}", field="files", limit=len(paths)
        )
        self.paths = tuple(paths)

    def body(self) -> dict[str, object]:
        """Adds the files' names."""
        return {**super().body(), "filesWithConflicts": list(self.paths)}
