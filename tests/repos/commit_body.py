"""Bodies of commit requests, as clients write them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from typing import Any

from hutch.cas import service as cas
from hutch.core.permissions import Actor
from hutch.git import repository
from hutch.git.trees import entry_at, find_files, read_blob
from hutch.repos.lookup import RepoRow

HEADER = {"key": "header", "value": {"summary": "A change", "description": ""}}


def header(summary: str = "A change", **more: Any) -> dict[str, Any]:
    return {"key": "header", "value": {"summary": summary, "description": "", **more}}


def file(path: str, content: bytes | str = b"hello\n") -> dict[str, Any]:
    data = content.encode() if isinstance(content, str) else content
    return {
        "key": "file",
        "value": {"path": path, "encoding": "base64", "content": base64.b64encode(data).decode()},
    }


def large(path: str, oid: str, size: int | None = None) -> dict[str, Any]:
    more = {} if size is None else {"size": size}
    return {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, **more}}


def deleted(path: str, *, folder: bool = False) -> dict[str, Any]:
    return {"key": "deletedFolder" if folder else "deletedFile", "value": {"path": path}}


def copied(path: str, src: str, revision: str | None = None) -> dict[str, Any]:
    return {"key": "copyFile", "value": {"path": path, "srcPath": src, "srcRevision": revision}}


def raw(*lines: dict[str, Any] | bytes) -> bytes:
    return b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines)


def body(*lines: dict[str, Any] | bytes) -> io.BytesIO:
    return io.BytesIO(raw(*lines))


def upload(actor: Actor, repo: RepoRow, data: bytes) -> str:
    """Bytes in storage that the actor sent for the repository, by their SHA-256."""
    assert actor.user_id is not None
    stored = cas.store_bytes(actor.user_id, repo.id, data)
    assert stored.oid == hashlib.sha256(data).hexdigest()
    return stored.oid


def content(repo: RepoRow, commit: str, path: str) -> bytes:
    git = repository.open(repo.path)
    return read_blob(git, entry_at(git, commit, path).oid, 1 << 30)


def has(repo: RepoRow, commit: str, path: str) -> bool:
    return bool(find_files(repository.open(repo.path), commit, [path]))
