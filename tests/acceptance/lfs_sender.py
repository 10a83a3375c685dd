"""Speaks LFS and the browser's upload over raw HTTP, as well or as badly as a test wants."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.acceptance.hub import Hub, User


@dataclass(frozen=True)
class Reply:
    """An answer of the server."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Sender:
    """A user of a hub who sends raw requests; `user` None is nobody."""

    hub: Hub
    user: User | None

    def __call__(
        self,
        method: str,
        url: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        signed: bool = False,
    ) -> Reply:
        """Sends a request; anything but bytes goes as JSON. A `signed` one carries no Authorization."""
        known: dict[str, str] = {}
        if self.user is not None and not signed:
            known["Authorization"] = f"Bearer {self.user.token}"
        if body is not None and not isinstance(body, bytes):
            body, known["Content-Type"] = json.dumps(body).encode(), "application/json"
        line = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)
        parts = urlsplit(url)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            line.request(method, path, body, known | dict(headers or {}))
            reply = line.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read())
        finally:
            line.close()

    def create(self, name: str, **more: Any) -> str:
        """Makes a model of one's own, private unless told otherwise; returns its full name."""
        assert self.user is not None
        reply = self("POST", "/api/repos/create", {"name": name, "visibility": "private", **more})
        assert reply.status == 200, reply.body
        return f"{self.user.name}/{name}"

    def batch(
        self, repo: str, *contents: bytes, operation: str = "upload", transfers: str = "basic"
    ) -> list[Any]:
        """The objects of a batch's answer."""
        objects = [{"oid": oid_of(content), "size": len(content)} for content in contents]
        body = {"operation": operation, "transfers": transfers.split(), "objects": objects}
        reply = self("POST", f"/{repo}.git/info/lfs/objects/batch", body)
        assert reply.status == 200, reply.body
        found: list[Any] = reply.json["objects"]
        return found

    def href(self, repo: str, content: bytes, *, operation: str = "upload") -> str:
        """The signed address to send or fetch an object."""
        (answer,) = self.batch(repo, content, operation=operation)
        href: str = answer["actions"][operation]["href"]
        return href

    def send(self, repo: str, content: bytes) -> None:
        """Uploads an object whole."""
        assert self("PUT", self.href(repo, content), content, signed=True).status == 200

    def commit(self, repo: str, path: str, content: bytes, *, create_pr: bool = False) -> Reply:
        """Commits an object that was uploaded as a file."""
        return self.commit_oid(repo, path, oid_of(content), len(content), create_pr=create_pr)

    def commit_oid(self, repo: str, path: str, oid: str, size: int, *, create_pr: bool = False) -> Reply:
        """The same, by name."""
        lines = [
            {"key": "header", "value": {"summary": f"Add {path}"}},
            {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": oid, "size": size}},
        ]
        body = "\n".join(map(json.dumps, lines)).encode()
        return self(
            "POST",
            f"/api/models/{repo}/commit/main{'?create_pr=1' if create_pr else ''}",
            body,
            {"Content-Type": "application/x-ndjson"},
        )

    def break_off(
        self, method: str, url: str, announced: int, sent: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Announces a body of so many bytes, sends these, and hangs up."""
        more = "".join(f"{key}: {value}\r\n" for key, value in (headers or {}).items())
        head = f"{method} {urlsplit(url).path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{more}Content-Length: {announced}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.hub.port), timeout=60) as line:
            line.sendall(head.encode() + sent)

    def chunked(self, url: str, *chunks: bytes) -> Reply:
        """PUTs a body without announcing its length."""
        line = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)
        try:
            line.request(
                "PUT", urlsplit(url).path, iter(chunks), {"Transfer-Encoding": "chunked"}, encode_chunked=True
            )
            reply = line.getresponse()
            return Reply(reply.status, dict(reply.headers), reply.read())
        finally:
            line.close()


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored_files(hub: Hub) -> list[str]:
    """Names of all files in storage, staging included."""
    root = hub.data / "storage"
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def staged_files(hub: Hub) -> list[Path]:
    """Files of uploads that are not whole."""
    return [path for path in (hub.data / "storage" / "staging").rglob("*") if path.is_file()]
