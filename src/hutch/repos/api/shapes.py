"""The JSON in which clients read files and folders. Compact: DuckDB looks for `"type":"file"` as it stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hutch.core import clock
from hutch.core.errors import BadRequest
from hutch.git.pointers import render
from hutch.git.trees import Entry

Shape = dict[str, Any]
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off", ""})


def as_json(value: Any) -> bytes:
    """Without spaces; what is not valid Unicode is written as U+FFFD."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "replace")


def readable(name: str) -> str:
    """A path of git as text: bytes that are not UTF-8 become U+FFFD."""
    if name.isascii():
        return name
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def flag(text: str | None, field: str) -> bool:
    """A switch in a query, as requests (`True`), httpx (`true`) and people (`1`) write it. Raises BadRequest."""
    word = (text or "").lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise BadRequest(f"{field} must be true or false", field=field, value=text)


def entry_shape(entry: Entry, last_commit: Shape | None = None, xet_hash: str | None = None) -> Shape:
    """A line of a tree or of paths-info. `oid` is git's own; a large object's SHA-256 stands in `lfs`.

    With `xetHash` clients may fetch a file by its chunks without asking `resolve` first.
    """
    shape: Shape = {"type": "directory" if entry.kind == "folder" else "file", "oid": entry.oid}
    if entry.kind == "submodule":
        shape["type"] = "submodule"
    shape |= {"size": entry.content_size, "path": readable(entry.path)}
    if entry.pointer is not None:
        shape["lfs"] = {"oid": entry.pointer.oid, "size": entry.pointer.size, "pointerSize": entry.size}
    if xet_hash is not None:
        shape["xetHash"] = xet_hash
    if last_commit is not None:
        shape["lastCommit"] = last_commit
    return shape


def sibling_shape(entry: Entry) -> Shape:
    """A file in a repository's info with `blobs=true`; here the SHA-256 is called `sha256`."""
    shape: Shape = {"rfilename": readable(entry.path), "size": entry.content_size, "blobId": entry.oid}
    if entry.pointer is not None:
        pointer_bytes = entry.size or len(render(entry.pointer))
        shape["lfs"] = {
            "sha256": entry.pointer.oid,
            "size": entry.pointer.size,
            "pointerSize": pointer_bytes,
        }
    return shape


def public_id(key: int) -> str:
    """24 hexadecimal digits, as the public hub's ids look."""
    return f"{key:024x}"


def first_values(query: Mapping[str, Any]) -> dict[str, str]:
    """The first value of each field of a query."""
    return {key: query[key] for key in query}


def moment(when: Any) -> str:
    """A time as clients parse it."""
    return clock.iso(when)
