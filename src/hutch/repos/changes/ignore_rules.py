"""Which paths a `.gitignore` leaves out, by git's rules (gitignore(5)), for files that are not committed yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

from hutch.git.wildmatch import Malformed, matcher

MAX_BYTES = 1 << 20
MAX_RULES = 5_000
# those that need a matcher; literal names and `*.ending` cost next to nothing
MAX_GLOBS = 300

_GLOB = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class _Rule:
    matches: Callable[[bytes], bool]
    folders_only: bool
    excludes: bool


class IgnoreRules:
    """The rules of one top-level `.gitignore`; the last that matches counts."""

    def __init__(self, text: bytes) -> None:
        lines = text[:MAX_BYTES].removeprefix(b"\xef\xbb\xbf").split(b"\n")
        globs = [line for line in lines[:MAX_RULES] if _GLOB.search(line.lstrip(b"*"))]
        too_many = set(globs[MAX_GLOBS:])
        rules = (_rule(line) for line in lines[:MAX_RULES] if line not in too_many)
        self._rules = [rule for rule in rules if rule is not None]

    def ignores(self, path: str) -> bool:
        """Whether the file at `path` is left out: itself, or with a folder that holds it."""
        if not self._rules:
            return False
        parts = path.encode("utf-8", "surrogateescape").split(b"/")
        trail = list(accumulate(parts, lambda above, name: above + b"/" + name))
        return any(self._decides(place, is_folder=place is not trail[-1]) for place in trail)

    def _decides(self, path: bytes, *, is_folder: bool) -> bool:
        for rule in reversed(self._rules):
            if (is_folder or not rule.folders_only) and rule.matches(path):
                return rule.excludes
        return False


def _rule(line: bytes) -> _Rule | None:
    pattern = _without_trailing_spaces(line.rstrip(b"\r"))
    if not pattern or pattern.startswith(b"#"):
        return None
    excludes = not pattern.startswith(b"!")
    pattern = pattern if excludes else pattern[1:]
    pattern = pattern[1:] if pattern.startswith((b"\\#", b"\\!")) else pattern
    folders_only = pattern.endswith(b"/")
    pattern = pattern.rstrip(b"/")
    if not pattern:
        return None
    try:
        return _Rule(_matching(pattern), folders_only, excludes)
    except Malformed:
        return None


# A slash anywhere but at the end ties a pattern to the top folder; without one only the last part counts.
def _matching(pattern: bytes) -> Callable[[bytes], bool]:
    if b"/" in pattern:
        whole = pattern.removeprefix(b"/")
        return matcher(whole, pathname=True) if _GLOB.search(whole) else whole.__eq__
    if not _GLOB.search(pattern):
        return lambda path: path.rsplit(b"/", 1)[-1] == pattern
    if pattern.startswith(b"*") and not _GLOB.search(pattern[1:]):
        return lambda path: path.rsplit(b"/", 1)[-1].endswith(pattern[1:])
    glob = matcher(pattern, pathname=False)
    return lambda path: glob(path.rsplit(b"/", 1)[-1])


def _without_trailing_spaces(line: bytes) -> bytes:
    bare = line.rstrip(b" ")
    return bare + b" " if bare.endswith(b"\\") and bare != line else bare
