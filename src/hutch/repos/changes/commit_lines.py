"""The body of a commit request: one JSON object a line, read line by line.

Keys as clients of the public hub send them (huggingface_hub 2.4.0, `_commit_api.py`): `header` first, then `file`,
`lfsFile`, `deletedFile`, `deletedFolder`; and `copyFile`, which copies inside the repository without sending bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from hutch.core.errors import HutchError
from hutch.git.paths import check_path
from hutch.repos.errors import InvalidCommit
from hutch.settings import current

MAX_OPERATIONS = 100_000
# empty ones are passed over, and cost time all the same
MAX_LINES = 2 * MAX_OPERATIONS
MAX_SUMMARY_CHARACTERS = 10_000
MAX_DESCRIPTION_CHARACTERS = 100_000
# what stands around a file's base64 in its line: keys and the path
_LINE_SLACK_BYTES = 64 << 10

_HASH = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Lines(Protocol):
    """A body that is read by lines."""

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: the commit's message, and the parent that its author has seen."""

    summary: str
    description: str = ""
    parent: str | None = None

    @property
    def message(self) -> str:
        """As git keeps it."""
        return f"{self.summary}\n\n{self.description}" if self.description.strip() else self.summary


@dataclass(frozen=True, slots=True)
class File:
    """A small file's bytes."""

    line: int
    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class LargeFile:
    """A large object by its SHA-256; copies name no size."""

    line: int
    path: str
    oid: str
    size: int | None


@dataclass(frozen=True, slots=True)
class CopiedFile:
    """What lies at `src_path` of another revision of this repository (None: the parent)."""

    line: int
    path: str
    src_path: str
    src_revision: str | None


@dataclass(frozen=True, slots=True)
class DeletedFile:
    """A file that goes."""

    line: int
    path: str


@dataclass(frozen=True, slots=True)
class DeletedFolder:
    """A folder that goes with all below."""

    line: int
    path: str


Operation = File | LargeFile | CopiedFile | DeletedFile | DeletedFolder


def read(body: Lines) -> tuple[Header, Iterator[Operation]]:
    """The header, and the operations as they are read. Both raise InvalidCommit naming line, field, value and limit."""
    lines = _lines(body)
    first = next(lines, None)
    if first is None:
        raise InvalidCommit(1, "the body is empty: the first line must be the header", field="header")
    number, key, value = first
    if key != "header":
        raise InvalidCommit(number, "the first line must be the header", field="key", value=key)
    return _header(_Fields(number, value)), _operations(lines)


def _lines(body: Lines) -> Iterator[tuple[int, str, dict[str, Any]]]:
    limit = current().regular_file_bytes * 4 // 3 + _LINE_SLACK_BYTES
    number = 0
    while raw := body.readline(limit + 1):
        number += 1
        if number > MAX_LINES:
            raise InvalidCommit(
                number, f"the body has more than {MAX_LINES} lines", field="body", limit=MAX_LINES
            )
        if len(raw) > limit:
            raise InvalidCommit(
                number,
                f"the line is longer than {limit} bytes; files from {current().regular_file_bytes} bytes on are sent "
                "as large objects (lfsFile)",
                field="line",
                limit=limit,
            )
        if raw.strip():
            yield number, *_pair(number, raw)


def _pair(number: int, raw: bytes) -> tuple[str, dict[str, Any]]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidCommit(number, f"it is not JSON: {error}", field="line", value=_shown(raw)) from error
    if not isinstance(found, dict) or not isinstance(found.get("key"), str):
        raise InvalidCommit(
            number, 'it must be an object {"key": ..., "value": {...}}', field="key", value=_shown(raw)
        )
    if not isinstance(found.get("value"), dict):
        raise InvalidCommit(number, "value must be an object", field="value", value=_shown(raw))
    for name in found.keys() - {"key", "value"}:
        raise InvalidCommit(number, f"unknown field {name!r}", field=name)
    return found["key"], found["value"]


def _shown(raw: bytes) -> str:
    return raw[:200].decode("utf-8", "replace")


def _operations(lines: Iterator[tuple[int, str, dict[str, Any]]]) -> Iterator[Operation]:
    placed: dict[str, int] = {}
    for count, (number, key, value) in enumerate(lines, 1):
        make = _MAKERS.get(key)
        if make is None:
            known = ", ".join(_MAKERS)
            raise InvalidCommit(number, f"unknown key {key!r}", field="key", value=key, limit=known)
        if count > MAX_OPERATIONS:
            raise InvalidCommit(
                number, f"a commit has at most {MAX_OPERATIONS} operations", limit=MAX_OPERATIONS
            )
        operation = make(_Fields(number, value))
        if isinstance(operation, (File, LargeFile, CopiedFile)):
            before = placed.setdefault(operation.path, number)
            if before != number:
                raise InvalidCommit(
                    number,
                    f"{operation.path!r} stands in line {before} already",
                    field="path",
                    value=operation.path,
                )
        yield operation


class _Fields:
    """The value of one line; taking its fields checks them, `end` finds those that nobody knows."""

    def __init__(self, line: int, value: dict[str, Any]) -> None:
        self.line = line
        self._left = dict(value)

    def text(self, name: str, *, most: int = 4096, default: str | None = None) -> str:
        value = self._left.pop(name, default)
        if not isinstance(value, str):
            missing = "is missing" if value is None else "must be text"
            raise InvalidCommit(self.line, f"{name} {missing}", field=name, value=value)
        if len(value) > most:
            raise InvalidCommit(
                self.line, f"{name} is longer than {most} characters", field=name, value=value, limit=most
            )
        return value

    def optional(self, name: str) -> Any:
        return self._left.pop(name, None)

    def path(self, name: str = "path") -> str:
        path = self.text(name)
        try:
            return check_path(path)
        except HutchError as error:
            raise InvalidCommit(
                self.line, error.message, field=name, value=path, limit=error.limit
            ) from error

    def end(self) -> None:
        for name in self._left:
            raise InvalidCommit(self.line, f"unknown field {name!r}", field=name, value=self._left[name])


def _header(fields: _Fields) -> Header:
    summary = fields.text("summary", most=MAX_SUMMARY_CHARACTERS)
    if not summary.strip():
        raise InvalidCommit(fields.line, "summary is empty", field="summary", value=summary)
    description = fields.text("description", most=MAX_DESCRIPTION_CHARACTERS, default="")
    parent = fields.optional("parentCommit")
    if parent is not None and not (isinstance(parent, str) and _HASH.fullmatch(parent)):
        raise InvalidCommit(
            fields.line, "parentCommit must be a whole commit hash: 40 hexadecimal digits", field="parentCommit",
            value=parent,
        )  # fmt: skip
    fields.end()
    return Header(summary, description, parent)


def _file(fields: _Fields) -> File:
    path = fields.path()
    encoding = fields.text("encoding", default="utf-8")
    content = fields.text("content", most=current().regular_file_bytes * 4 // 3 + 4)
    fields.end()
    data = _decoded(fields.line, content, encoding)
    limit = current().regular_file_bytes
    if len(data) >= limit:
        raise InvalidCommit(
            fields.line,
            f"{path!r} has {len(data)} bytes; files from {limit} bytes on are sent as large objects (lfsFile)",
            field="content",
            value=len(data),
            limit=limit,
        )
    return File(fields.line, path, data)


def _decoded(line: int, content: str, encoding: str) -> bytes:
    try:
        if encoding == "base64":
            return base64.b64decode(content, validate=True)
        if encoding == "utf-8":
            return content.encode()
    except (binascii.Error, ValueError) as error:
        raise InvalidCommit(line, f"content is not valid {encoding}: {error}", field="content") from error
    raise InvalidCommit(line, "encoding must be base64 or utf-8", field="encoding", value=encoding)


def _large_file(fields: _Fields) -> LargeFile:
    path, oid, algo = fields.path(), fields.text("oid"), fields.text("algo", default="sha256")
    size = fields.optional("size")
    fields.end()
    if algo != "sha256":
        raise InvalidCommit(fields.line, "algo must be sha256", field="algo", value=algo)
    if not _SHA256.fullmatch(oid):
        raise InvalidCommit(
            fields.line, "oid must be a SHA-256: 64 hexadecimal digits", field="oid", value=oid
        )
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise InvalidCommit(fields.line, "size must be a whole number of bytes", field="size", value=size)
    return LargeFile(fields.line, path, oid, size)


def _copied_file(fields: _Fields) -> CopiedFile:
    path, src_path, revision = fields.path(), fields.path("srcPath"), fields.optional("srcRevision")
    fields.end()
    if revision is not None and not isinstance(revision, str):
        raise InvalidCommit(fields.line, "srcRevision must be text", field="srcRevision", value=revision)
    return CopiedFile(fields.line, path, src_path, revision)


def _deleted_file(fields: _Fields) -> DeletedFile:
    path = fields.path()
    fields.end()
    return DeletedFile(fields.line, path)


def _deleted_folder(fields: _Fields) -> DeletedFolder:
    path = fields.text("path").rstrip("/")
    fields.end()
    try:
        return DeletedFolder(fields.line, check_path(path))
    except HutchError as error:
        raise InvalidCommit(fields.line, error.message, field="path", value=path) from error


_MAKERS: dict[str, Callable[[_Fields], Operation]] = {
    "file": _file,
    "lfsFile": _large_file,
    "copyFile": _copied_file,
    "deletedFile": _deleted_file,
    "deletedFolder": _deleted_folder,
}
