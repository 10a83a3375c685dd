"""A small client of the hub's API, so that a benchmark times the server and not a client library."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

from tests.acceptance.hub import Hub


class Api:
    """Requests as one user of a hub, with a token that may write."""

    def __init__(self, hub: Hub, user: str) -> None:
        self.url = hub.url
        self.token = hub.user(user).token

    def call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> Any:
        """A request and its parsed JSON answer; urllib's HTTPError on refusal."""
        request = urllib.request.Request(f"{self.url}{path}", data=body, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", kind)
        request.add_header(
            "Accept", "application/vnd.git-lfs+json" if "git-lfs" in kind else "application/json"
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.loads(answer.read() or b"null")

    def create(self, name: str) -> None:
        """Makes a model repository `owner/name`."""
        self.call(
            "POST", "/api/repos/create", json.dumps({"name": name.split("/")[1], "type": "model"}).encode()
        )

    def lfs_batch(self, repo: str, oid: str, size: int) -> Any:
        """Asks where to upload one object."""
        kind = "application/vnd.git-lfs+json"
        question = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": oid, "size": size}]}
        return self.call("POST", f"/{repo}.git/info/lfs/objects/batch", json.dumps(question).encode(), kind)[
            "objects"
        ][0]

    def upload_lfs(self, repo: str, files: dict[str, Path]) -> None:
        """Uploads files as large objects and commits them."""
        lines: list[dict[str, Any]] = []
        for path, source in files.items():
            with source.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = source.stat().st_size
            asked = self.lfs_batch(repo, digest, size)
            if "actions" in asked:
                with source.open("rb") as file:
                    put = urllib.request.Request(asked["actions"]["upload"]["href"], data=file, method="PUT")
                    put.add_header("Content-Length", str(size))
                    urllib.request.urlopen(put, timeout=600).close()
            lines.append(
                {"key": "lfsFile", "value": {"path": path, "algo": "sha256", "oid": digest, "size": size}}
            )
        self.commit(repo, lines)

    def commit_files(self, repo: str, files: dict[str, bytes]) -> None:
        """Commits small files."""
        self.commit(
            repo,
            [
                {
                    "key": "file",
                    "value": {"path": p, "content": base64.b64encode(c).decode(), "encoding": "base64"},
                }
                for p, c in files.items()
            ],
        )

    def commit(self, repo: str, lines: list[dict[str, Any]]) -> None:
        """Sends a commit of these lines to `main`."""
        header = {"key": "header", "value": {"summary": "Benchmark", "description": ""}}
        body = "\n".join(json.dumps(line) for line in [header, *lines]).encode()
        self.call("POST", f"/api/models/{repo}/commit/main", body, "application/x-ndjson")
