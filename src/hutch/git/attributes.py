"""Which paths are large objects: `filter=lfs` in the `.gitattributes` files of a commit, by git's own rules."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from posixpath import basename

import pygit2

from hutch.core.errors import EntryNotFound
from hutch.git.default_attributes import DATASET_GITATTRIBUTES, DEFAULT_GITATTRIBUTES
from hutch.git.errors import BlobTooLarge
from hutch.git.objects import encode_name
from hutch.git.trees import find_files, read_blob, tree_of
from hutch.git.wildmatch import matcher

__all__ = ["DATASET_GITATTRIBUTES", "DEFAULT_GITATTRIBUTES", "Rules", "lfs_rules", "rules_of"]

FILE_NAME = ".gitattributes"
# Longer lines git ignores (CVE-2022-41903); a longer file cannot be meant.
MAX_LINE_BYTES = 2047
MAX_FILE_BYTES = 1 << 20

_BLANK = b" \t\r\n"
_MACRO = b"[attr]"
_GLOB = re.compile(rb"[*?\[\\]")
_NO_ENDING = re.compile(rb"[*?\[\\/]")
_BRACKET = re.compile(rb"[\[\\]")
_STARS = re.compile(rb"[*?]")
_ATTRIBUTE = re.compile(rb"([-!]?)([A-Za-z0-9_.][A-Za-z0-9_.-]*)(?:=(.*))?", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_QUOTED = re.compile(rb'"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7]{2}))*)"')
_QUOTED_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)

# The state of an attribute: True, False (`-filter`), None (`!filter`), or the bytes after `=`.
_State = bytes | bool | None
_Assignments = list[tuple[bytes, _State]]


@dataclass(frozen=True, slots=True)
class _Rule:
    matches: Callable[[bytes], bool]
    assignments: _Assignments
    # of a run of `*.ending` lines that say the same: one look answers for all of them
    endings: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class _File:
    rules: list[_Rule]
    macros: dict[bytes, _Assignments]


class Rules:
    """The attributes of one commit. Files in folders are read when a path below them is asked for, once."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._files: dict[str, _File] = {}

    def is_lfs(self, path: str) -> bool:
        """Whether git would hand the file at `path` to LFS; the file need not exist."""
        return self.value(path, "filter") == b"lfs"

    def value(self, path: str, attribute: str) -> _State:
        """The state of one attribute: its value's bytes, True (set), False (unset) or None (unspecified)."""
        wanted = attribute.encode()
        macros = self._file("").macros
        raw = encode_name(path)
        folders = path.split("/")[:-1]
        for depth in range(len(folders), -1, -1):
            folder = "/".join(folders[:depth])
            inner = raw[len(encode_name(folder)) + 1 :] if folder else raw
            for rule in reversed(self._file(folder).rules):
                found = _look_up(rule, inner, wanted, macros)
                if found is not None:
                    return found[0]
        return None

    def _file(self, folder: str) -> _File:
        known = self._files.get(folder)
        if known is None:
            data = self._read(f"{folder}/{FILE_NAME}" if folder else FILE_NAME)
            known = self._files[folder] = _parse(data or b"", top=not folder)
        return known


def lfs_rules(repo: pygit2.Repository, commit: str | None) -> Rules:
    """The rules of a commit (None: of a repository without commits, where nothing is LFS)."""
    if commit is None:
        return Rules(lambda _path: None)
    tree_of(repo, commit)

    def read(path: str) -> bytes | None:
        entry = find_files(repo, commit, [path]).get(path)
        if entry is None or entry.kind != "file":
            return None
        try:
            return read_blob(repo, entry.oid, MAX_FILE_BYTES)
        except (BlobTooLarge, EntryNotFound):
            return None

    return Rules(read)


def rules_of(text: bytes) -> Rules:
    """The rules of a single top-level `.gitattributes` with this content."""
    return Rules(lambda path: text if path == FILE_NAME else None)


def _look_up(
    rule: _Rule, path: bytes, wanted: bytes, macros: dict[bytes, _Assignments]
) -> tuple[_State] | None:
    if not any(name == wanted or name in macros for name, _ in rule.assignments) or not rule.matches(path):
        return None
    return _assigned(rule.assignments, wanted, macros, frozenset())


# From the right, as git does: the last word on an attribute counts, and a macro that is set speaks in its place.
def _assigned(
    assignments: _Assignments, wanted: bytes, macros: dict[bytes, _Assignments], inside: frozenset[bytes]
) -> tuple[_State] | None:
    for name, state in reversed(assignments):
        if name == wanted:
            return (state,)
        if state is True and name in macros and name not in inside:
            found = _assigned(macros[name], wanted, macros, inside | {name})
            if found is not None:
                return found
    return None


def _parse(data: bytes, *, top: bool) -> _File:
    rules: list[_Rule] = []
    macros: dict[bytes, _Assignments] = {}
    for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        text = line.lstrip(_BLANK)
        if not text or text.startswith(b"#") or len(line) > MAX_LINE_BYTES:
            continue
        name, rest = _split_name(text)
        assignments = _assignments(rest)
        if assignments is None:
            continue
        if name.startswith(_MACRO) and len(name) > len(_MACRO):
            if top:
                macros[name[len(_MACRO) :]] = assignments
        elif not name.startswith(b"!"):
            _add(rules, name, assignments)
    return _File(rules, macros)


# A new repository has eighty such lines, and each file of an upload is held against all of them.
def _add(rules: list[_Rule], name: bytes, assignments: _Assignments) -> None:
    if not name.startswith(b"*") or _NO_ENDING.search(name[1:]):
        rules.append(_Rule(_pattern(name), assignments))
        return
    endings: tuple[bytes, ...] = (name[1:],)
    if rules and rules[-1].endings and rules[-1].assignments == assignments:
        endings = rules.pop().endings + endings
    rules.append(_Rule(lambda path: path.endswith(endings), assignments, endings))


def _split_name(text: bytes) -> tuple[bytes, bytes]:
    quoted = _QUOTED.match(text)
    if quoted:
        return _QUOTED_ESCAPE.sub(_unescape, quoted.group(1)), text[quoted.end() :]
    name = re.split(rb"[ \t\r\n]", text, maxsplit=1)[0]
    return name, text[len(name) :]


def _unescape(found: re.Match[bytes]) -> bytes:
    code = found.group(1)
    return bytes([int(code, 8)]) if len(code) == 3 else _ESCAPES.get(code, code)


# None where one attribute has a name that git refuses: git then ignores the whole line.
def _assignments(text: bytes) -> _Assignments | None:
    assignments: _Assignments = []
    for word in text.split():
        found = _ATTRIBUTE.fullmatch(word)
        if found is None:
            return None
        sign, name, value = found.groups()
        state: _State = {b"-": False, b"!": None}[sign] if sign else (True if value is None else value)
        assignments.append((name, state))
    return assignments


def _pattern(pattern: bytes) -> Callable[[bytes], bool]:
    if pattern.endswith(b"/"):
        return lambda _path: False
    if b"/" not in pattern:
        return _base_name_pattern(pattern)
    pattern = pattern.removeprefix(b"/")
    found = _GLOB.search(pattern)
    if found is None:
        return lambda path: path == pattern
    # Git compares what stands before the first wildcard literally and hands on only the rest, so that `a**/b`
    # (unlike its documentation) crosses folders: that rest begins with `**`.
    literal, rest = pattern[: found.start()], matcher(pattern[found.start() :], pathname=True)
    return lambda path: path.startswith(literal) and rest(path[len(literal) :])


def _base_name_pattern(pattern: bytes) -> Callable[[bytes], bool]:
    if not _GLOB.search(pattern):
        inner = b"/" + pattern
        return lambda path: path == pattern or path.endswith(inner)
    glob = matcher(pattern, pathname=False)
    # what stands between stars must stand in the path too: that is seen at once, and most paths lack it
    literal = b"" if _BRACKET.search(pattern) else max(_STARS.split(pattern), key=len)
    return lambda path: literal in path and glob(basename(path))
