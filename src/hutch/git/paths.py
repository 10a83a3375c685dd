"""Which paths may enter a repository: only those that every git on every platform can check out."""

from __future__ import annotations

import re
import unicodedata

from hutch.git.errors import InvalidPath

MAX_PATH_BYTES = 4096
MAX_COMPONENT_BYTES = 255
# Folders in folders: what walks them down does so one call in another.
MAX_COMPONENTS = 128

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# Code points that HFS+ ignores when it compares names (Apple TN1150), so that `.g<200c>it` opens `.git`.
_IGNORED_BY_HFS = re.compile(r"[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")


def check_path(path: str) -> str:
    """Return `path` if it may stand in a tree, else raise InvalidPath with field, value and rule or limit."""
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        raise _refusal(path, "is not valid Unicode") from None
    if size > MAX_PATH_BYTES:
        raise InvalidPath(
            f"The path is {size} bytes long, the limit is {MAX_PATH_BYTES}",
            field="path",
            value=path,
            limit=MAX_PATH_BYTES,
        )
    if not path:
        raise _refusal(path, "is empty")
    if path.startswith("/"):
        raise _refusal(path, "is absolute")
    components = path.split("/")
    if len(components) > MAX_COMPONENTS:
        raise InvalidPath(
            f"The path has {len(components)} parts, the limit is {MAX_COMPONENTS}",
            field="path",
            value=path,
            limit=MAX_COMPONENTS,
        )
    for component in components:
        _check_component(path, component)
    return path


def _check_component(path: str, component: str) -> None:
    if len(component.encode()) > MAX_COMPONENT_BYTES:
        raise InvalidPath(
            f"A part of the path is longer than {MAX_COMPONENT_BYTES} bytes",
            field="path",
            value=path,
            limit=MAX_COMPONENT_BYTES,
        )
    if not component:
        raise _refusal(path, "has an empty part ('//' or a '/' at its end)")
    if component in (".", ".."):
        raise _refusal(path, f"has the part {component!r}")
    if "\\" in component:
        raise _refusal(path, "has a backslash")
    if _CONTROL.search(component):
        raise _refusal(path, "has a control character")
    if reads_as_dot_git(component):
        raise _refusal(path, f"has the part {component!r}, which some system takes for '.git'")


def reads_as_dot_git(component: str) -> bool:
    """Whether any file system in use opens `.git` by this name (case, NTFS short names and streams, HFS+)."""
    visible = _IGNORED_BY_HFS.sub("", component)
    for seen in (visible, unicodedata.normalize("NFKC", visible)):
        # NTFS drops trailing dots and spaces and reads what follows a colon as a stream of the same file.
        if seen.casefold().split(":")[0].rstrip(". ") in (".git", "git~1"):
            return True
    return False


def fold(path: str) -> str:
    """A key that two paths share if a case-insensitive or normalising file system would mix them up."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _refusal(path: str, rule: str) -> InvalidPath:
    return InvalidPath(f"The path {path[:200]!r} {rule}", field="path", value=path)
