"""Requests through the whole front door, in this process. How streams behave is tested against a live server."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from collections.abc import Mapping
from typing import Any

from django.db import connection

from hutch import asgi
from hutch.accounts import tokens
from hutch.accounts.models import User
from hutch.core import threads
from hutch.core.permissions import Actor
from hutch.repos.changes.commits import create_commit
from hutch.repos.lookup import RepoRow
from tests.repos.commit_body import body as body_of
from tests.repos.commit_body import file, header, upload
from tests.repos.commit_body import large as large_file


class Told:
    """An answer: its status, its headers (lower-case names) and its body."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        return self.headers.get("x-error-code")


def ask(
    method: str,
    path: str,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes | list[bytes] = b"",
) -> Told:
    """One request and its whole answer; `body` in pieces comes as several messages."""
    asked = {"host": "127.0.0.1:8000", **(headers or {})}
    if token is not None:
        asked["authorization"] = f"Bearer {token}"
    return asyncio.run(_ask(method, path, asked, body if isinstance(body, list) else [body]))


async def _ask(method: str, path: str, headers: Mapping[str, str], pieces: list[bytes]) -> Told:
    raw, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "headers": [(key.lower().encode(), value.encode("latin-1")) for key, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "scheme": "http",
    }
    waiting = [
        {"type": "http.request", "body": piece, "more_body": position < len(pieces) - 1}
        for position, piece in enumerate(pieces)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        if waiting:
            return waiting.pop(0)
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await asgi.app(scope, receive, send)
    start = sent[0]
    told = {key.decode().lower(): value.decode("latin-1") for key, value in start["headers"]}
    return Told(start["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


def token_of(actor: Actor, role: str = "write") -> str:
    """A new access token of an account."""
    user = User.objects.get(pk=actor.user_id)
    return tokens.issue(user, name=secrets.token_hex(4), role=role)[1]


_LARGE = (".safetensors", ".bin", ".gguf", ".png")


def commit_files(actor: Actor, repo: RepoRow, files: Mapping[str, bytes | str]) -> str:
    """Commits files to the default branch, weights and pictures among them as large objects."""
    lines = []
    for path, content in files.items():
        if path.endswith(_LARGE):
            data = content.encode() if isinstance(content, str) else content
            lines.append(large_file(path, upload(actor, repo, data), len(data)))
        else:
            lines.append(file(path, content))
    return commit_lines(actor, repo, *lines)


def commit_lines(actor: Actor, repo: RepoRow, *lines: dict[str, Any], **of_header: str) -> str:
    """Commits operations (of `commit_body`) to the default branch."""
    return create_commit(actor, repo, repo.default_branch, body_of(header(**of_header), *lines)).oid


def close_connections() -> None:
    """Closes the database connections of the rooms' threads, so that the database can be dropped."""
    together = threading.Barrier(threads._ROOM_THREADS)

    def close() -> None:
        together.wait(timeout=10)
        connection.close()

    for done in [threads._rooms.submit(close) for _ in range(threads._ROOM_THREADS)]:
        done.result()
