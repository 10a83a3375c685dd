"""This room's branch of the error tree.

BadRequest
├── InvalidPath        a path that cannot stand in a tree
├── InvalidRefName     a name that cannot be a ref
├── PathCollision      two paths that cannot live in one checkout
├── PatternsTooCostly  patterns that take too long to be held against paths
└── InvalidPack        a push whose pack is broken, lying or incomplete
PayloadTooLarge
├── PackTooLarge
└── BlobTooLarge
Conflict
├── RefMoved           compare-and-swap lost
└── RefConflict        `a` and `a/b` cannot both be refs
Unavailable
├── RepositoryBusy     the repository's lock was not had in time
└── GitTimeout         a git child ran past its limit
GitFailed              a git child failed for a reason of ours
"""

from __future__ import annotations

from hutch.core.errors import BadRequest, Conflict, HutchError, PayloadTooLarge, Unavailable


class InvalidPath(BadRequest):
    """This path cannot stand in a repository."""

    code = "InvalidPath"


class InvalidRefName(BadRequest):
    """This is not a name for a branch or tag."""

    code = "InvalidRefName"


class PathCollision(BadRequest):
    """Two paths cannot live in one checkout."""

    code = "PathCollision"


class PatternsTooCostly(BadRequest):
    """The patterns of .gitattributes or .gitignore take too long: make them simpler, or send fewer files at once."""

    code = "PatternsTooCostly"


class InvalidPack(BadRequest):
    """The pack that was pushed is broken or incomplete."""

    code = "InvalidPack"


class PackTooLarge(PayloadTooLarge):
    """The pack that was pushed is too large."""

    code = "PackTooLarge"


class BlobTooLarge(PayloadTooLarge):
    """The file is too large for this."""

    code = "BlobTooLarge"


class RefMoved(Conflict):
    """The ref is no longer where it was expected."""

    code = "RefMoved"

    def __init__(self, name: str, message: str = "") -> None:
        super().__init__(message or f"{name} has moved meanwhile", field="ref", value=name)
        self.name = name


class RefConflict(Conflict):
    """One ref's name is a folder of another's."""

    code = "RefConflict"


class RepositoryBusy(Unavailable):
    """Another change to this repository is taking too long."""

    code = "RepositoryBusy"


class GitTimeout(Unavailable):
    """Git took too long."""

    code = "GitTimeout"


class GitFailed(HutchError):
    """Git failed."""

    code = "GitFailed"
