"""The body of a batch: one JSON object a line, as huggingface_hub 2.4.0 (`_batch_bucket_files`) and npm's hub send it.

A line that no program should send refuses the whole batch, before anything is done. What may be wrong with one file
alone (its path, its hash) is judged with the others and told in `failed`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from hutch.buckets.errors import InvalidBatch

MAX_OPERATIONS = 10_000
# empty ones are passed over, and cost time all the same
MAX_LINES = 2 * MAX_OPERATIONS
MAX_LINE_BYTES = 64 << 10


class Lines(Protocol):
    """A body that is read by lines."""

    def readline(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class AddFile:
    """A file that was sent by Xet. `mtime` is in ms since 1970, if somebody said so."""

    path: str
    hash: str
    mtime: int | None = None
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class CopyFile:
    """A file of another repository or bucket, by its hash."""

    path: str
    hash: str
    source_type: str
    source_name: str
    mtime: int | None = None


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """A file that goes."""

    path: str


Operation = AddFile | CopyFile | DeleteFile


def read(body: Lines) -> list[Operation]:
    """All operations of the body, in their order. Raises InvalidBatch naming line, field, value and limit."""
    found: list[Operation] = []
    for number, line in _lines(body):
        fields = _Fields(number, line)
        type_ = fields.text("type")
        make = _MAKERS.get(type_)
        if make is None:
            known = ", ".join(_MAKERS)
            raise InvalidBatch(number, f"unknown type {type_!r}", field="type", value=type_, limit=known)
        if len(found) == MAX_OPERATIONS:
            raise InvalidBatch(
                number, f"a batch has at most {MAX_OPERATIONS} operations", limit=MAX_OPERATIONS
            )
        found.append(make(fields))
        fields.end()
    return found


def _lines(body: Lines) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    while raw := body.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number > MAX_LINES:
            raise InvalidBatch(
                number, f"the body has more than {MAX_LINES} lines", field="body", limit=MAX_LINES
            )
        if len(raw) > MAX_LINE_BYTES:
            raise InvalidBatch(
                number, f"the line is longer than {MAX_LINE_BYTES} bytes", field="line", limit=MAX_LINE_BYTES
            )
        if raw.strip():
            yield number, _object(number, raw)


def _object(number: int, raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidBatch(number, f"it is not JSON: {error}", field="line", value=_shown(raw)) from error
    if not isinstance(found, dict):
        raise InvalidBatch(number, 'it must be an object {"type": ...}', field="line", value=_shown(raw))
    return found


def _shown(raw: bytes) -> str:
    return raw[:200].decode("utf-8", "replace")


class _Fields:
    """One line; taking its fields checks them, `end` finds those that nobody knows."""

    def __init__(self, line: int, value: dict[str, Any]) -> None:
        self.line = line
        self._left = dict(value)

    def text(self, name: str, *, default: str | None = None) -> str:
        value = self._left.pop(name, default)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            missing = "is missing" if value is None else "must be text"
            raise InvalidBatch(self.line, f"{name} {missing}", field=name, value=value)
        return value

    def whole_number(self, name: str) -> int | None:
        value = self._left.pop(name, None)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON knows one kind of number
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InvalidBatch(self.line, f"{name} must be a whole number", field=name, value=value)
        return value

    def end(self) -> None:
        for name in self._left:
            raise InvalidBatch(self.line, f"unknown field {name!r}", field=name, value=self._left[name])


def _add(fields: _Fields) -> AddFile:
    return AddFile(
        fields.text("path"), fields.text("xetHash"), fields.whole_number("mtime"),
        fields.text("contentType", default=""),
    )  # fmt: skip


def _copy(fields: _Fields) -> CopyFile:
    return CopyFile(
        fields.text("path"), fields.text("xetHash"), fields.text("sourceRepoType"), fields.text("sourceRepoId"),
        fields.whole_number("mtime"),
    )  # fmt: skip


def _delete(fields: _Fields) -> DeleteFile:
    return DeleteFile(fields.text("path"))


_MAKERS: dict[str, Callable[[_Fields], Operation]] = {
    "addFile": _add,
    "copyFile": _copy,
    "deleteFile": _delete,
}
