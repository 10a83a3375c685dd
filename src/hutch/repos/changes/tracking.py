"""Keeping `.gitattributes` true: a large object whose path no rule names gets a line, so that git fetches it too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pygit2

from hutch.core.errors import EntryNotFound
from hutch.git import attributes
from hutch.git.attributes import MAX_FILE_BYTES
from hutch.git.errors import BlobTooLarge
from hutch.git.trees import find_files, read_blob

NAME = ".gitattributes"
_LFS = "filter=lfs diff=lfs merge=lfs -text"
# so many new files of one kind get one line for all
_FILES_A_KIND = 8
_SPECIAL = str.maketrans({char: "\\" + char for char in "*?[]\\"})


def completed(git: pygit2.Repository, parent: str, large: Iterable[str], own: bytes | None) -> bytes | None:
    """The `.gitattributes` that names all these paths, or None if the one that is there does.

    `own` is what the same commit puts there itself.
    """
    rules = attributes.lfs_rules(git, parent) if own is None else attributes.rules_of(own)
    missing = [path for path in large if not rules.is_lfs(path)]
    if not missing:
        return None
    text = own if own is not None else _present(git, parent)
    lines = "".join(f"{pattern} {_LFS}\n" for pattern in _patterns(missing))
    return text + (b"" if not text or text.endswith(b"\n") else b"\n") + lines.encode()


def _present(git: pygit2.Repository, parent: str) -> bytes:
    entry = find_files(git, parent, [NAME]).get(NAME)
    if entry is None or entry.kind != "file":
        return b""
    try:
        return read_blob(git, entry.oid, MAX_FILE_BYTES)
    except (BlobTooLarge, EntryNotFound):
        return b""


def _patterns(paths: list[str]) -> list[str]:
    kinds = Counter(_ending(path) for path in paths)
    common = {ending for ending, count in kinds.items() if ending and count >= _FILES_A_KIND}
    singles = [_literal(path) for path in paths if _ending(path) not in common]
    return [*(_quoted("*" + ending.translate(_SPECIAL)) for ending in sorted(common)), *singles]


def _ending(path: str) -> str:
    name = path.rsplit("/", 1)[-1]
    stem, dot, ending = name.rpartition(".")
    return f".{ending}" if stem and dot and ending else ""


def _literal(path: str) -> str:
    return _quoted((path if "/" in path else "/" + path).translate(_SPECIAL))


# git reads a name in double quotes as C would; paths hold no control characters
def _quoted(pattern: str) -> str:
    if not any(char in pattern for char in ' "') and not pattern.startswith(("#", "!", "[attr]")):
        return pattern
    return '"' + pattern.replace("\\", "\\\\").replace('"', '\\"') + '"'
