"""How large a model is, read from the heads of its weight files; each head once, since contents never change."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import pygit2

from hutch.cas import service as cas
from hutch.cas import sources
from hutch.core.errors import BadRequest, EntryNotFound, HutchError, NotFound
from hutch.git import trees
from hutch.git.trees import Entry
from hutch.lm.formats import gguf as gguf_format
from hutch.lm.formats import safetensors

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_MAX_SHARDS = 300
_MAX_INDEX_BYTES = 32 << 20
_KEPT = 2000

_lock = threading.Lock()
_known: OrderedDict[str, dict[str, Any] | None] = OrderedDict()


def parameters(
    repo_id: int, repo: pygit2.Repository, commit: str, files: Sequence[str]
) -> dict[str, Any] | None:
    """`{"parameters": {dtype: count}, "total": count}` of a model's safetensors files; None if none can be read."""
    counts: dict[str, int] = {}
    for path in _shards(repo_id, repo, commit, files)[:_MAX_SHARDS]:
        for dtype, count in (_once(repo_id, repo, commit, path, _safetensors_counts) or {}).items():
            counts[dtype] = counts.get(dtype, 0) + count
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def gguf(repo_id: int, repo: pygit2.Repository, commit: str, files: Sequence[str]) -> dict[str, Any] | None:
    """What the head of a model's first GGUF file says; None if there is none that can be read."""
    path = next((name for name in sorted(files) if name.endswith(".gguf")), None)
    return None if path is None else _once(repo_id, repo, commit, path, _gguf_head)


def _shards(repo_id: int, repo: pygit2.Repository, commit: str, files: Sequence[str]) -> list[str]:
    if SINGLE in files:
        return [SINGLE]
    if INDEX in files:
        try:
            return sorted(shards_of(index_at(repo_id, repo, commit, INDEX), INDEX))
        except (BadRequest, NotFound):
            return []
    return [name for name in sorted(files) if fnmatchcase(name, "*.safetensors") and "/" not in name]


def index_at(repo_id: int, repo: pygit2.Repository, commit: str, path: str) -> dict[str, Any]:
    """The index of a sharded model. Raises EntryNotFound, BadRequest where it is none."""
    entry = trees.entry_at(repo, commit, path)
    if entry.content_size > _MAX_INDEX_BYTES:
        raise BadRequest("The index is too large", field="path", value=path, limit=_MAX_INDEX_BYTES)
    try:
        found = json.loads(reader(repo_id, repo, entry)(0, entry.content_size))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("weight_map"), dict):
        raise BadRequest(f"{path} is not an index of safetensors files", field="path", value=path)
    return found


def shards_of(index: dict[str, Any], path: str) -> set[str]:
    """The paths of the shards that an index names, beside itself."""
    folder = path.rpartition("/")[0]
    names = {name for name in index["weight_map"].values() if isinstance(name, str)}
    return {f"{folder}/{name}" if folder else name for name in names}


def header_at(repo_id: int, repo: pygit2.Repository, commit: str, path: str) -> dict[str, Any]:
    """The header of one safetensors file. Raises EntryNotFound, NotSafetensors."""
    return safetensors.header(reader(repo_id, repo, trees.entry_at(repo, commit, path)))


def reader(repo_id: int, repo: pygit2.Repository, entry: Entry) -> safetensors.Read:
    """Reads ranges of a file, wherever its bytes lie. Raises EntryNotFound for what is no file."""
    if entry.kind != "file":
        raise trees.missing(entry.path)
    if entry.pointer is None:
        data = trees.read_blob(repo, entry.oid, _MAX_INDEX_BYTES)
        return lambda start, end: data[start:end]
    stored = cas.object_of(repo_id, entry.pointer.oid)
    if stored is None:
        raise NotFound("The bytes of this file were never uploaded", field="oid", value=entry.pointer.oid)
    return lambda start, end: sources.read(stored, start, end)


def _once(
    repo_id: int,
    repo: pygit2.Repository,
    commit: str,
    path: str,
    read: Callable[[safetensors.Read], dict[str, Any]],
) -> dict[str, Any] | None:
    try:
        entry = trees.entry_at(repo, commit, path)
    except EntryNotFound:
        return None
    key = f"{read.__name__} {entry.pointer.oid if entry.pointer else entry.oid}"
    with _lock:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    try:
        found = read(reader(repo_id, repo, entry))
    except HutchError:  # not what its name says: then nothing is told of it
        found = None
    with _lock:
        _known[key] = found
        if len(_known) > _KEPT:
            _known.popitem(last=False)
    return found


def _safetensors_counts(read: safetensors.Read) -> dict[str, Any]:
    return safetensors.parameters(safetensors.header(read))


def _gguf_head(read: safetensors.Read) -> dict[str, Any]:
    return gguf_format.head(read(0, gguf_format.MAX_HEAD_BYTES))


def sharded(repo_id: int, repo: pygit2.Repository, commit: str, path: str) -> dict[str, Any]:
    """An index (without its weight map, which repeats the headers) and the header of each of its shards.

    Raises EntryNotFound, NotSafetensors, BadRequest where there are more than 300 shards.
    """
    index = index_at(repo_id, repo, commit, path)
    shards = sorted(shards_of(index, path))
    if len(shards) > _MAX_SHARDS:
        raise BadRequest(
            "The index names too many shards", field="weight_map", value=len(shards), limit=_MAX_SHARDS
        )
    folder = path.rpartition("/")[0]
    headers = {shard.removeprefix(f"{folder}/"): header_at(repo_id, repo, commit, shard) for shard in shards}
    return {"index": {key: value for key, value in index.items() if key != "weight_map"}, "headers": headers}
