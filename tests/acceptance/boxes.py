"""What the tests of buckets share: a client that knows them, a bucket, and it as plain HTTP sees it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.clients import NAMES, Client, python_of
from tests.acceptance.hub import Hub, User

MEGABYTE = 1 << 20
# Older clients know no buckets; these do.
KNOWING = [name for name in NAMES if name in ("current", "hub-1.10")] or ["current"]
# How a client's script begins.
API = "from huggingface_hub import HfApi, HfFileSystem\napi = HfApi()\n"


@pytest.fixture(params=KNOWING)
def client(request: pytest.FixtureRequest, server: Hub, user: User, tmp_path: Path) -> Client:
    """A client of each version that knows buckets, signed in to `server` as `user`."""
    home = tmp_path / "client"
    home.mkdir()
    more = {"HF_XET_CACHE": str(home / "xet")}
    return Client(request.param, python_of(request.param), home, server.url, user.token, more)


@pytest.fixture
def newest(server: Hub, user: User, tmp_path: Path) -> Client:
    """The current version alone."""
    home = tmp_path / "newest"
    home.mkdir()
    return Client("current", python_of("current"), home, server.url, user.token)


@pytest.fixture
def bucket(server: Hub, user: User, unique: Callable[[str], str]) -> str:
    """An empty public bucket of `user`."""
    name = f"{user.name}/{unique('box')}"
    Box(server, user.token, name).ask("POST", "", json={})
    return name


@dataclass(frozen=True)
class Box:
    """A bucket as plain HTTP sees it."""

    server: Hub
    token: str
    name: str

    def ask(self, method: str, path: str = "", status: int = 200, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        found = httpx.request(
            method, f"{self.server.url}/api/buckets/{self.name}{path}", headers=headers, timeout=60, **more
        )
        assert found.status_code == status, f"{found.status_code} {found.text[:500]}"
        return found


@pytest.fixture
def box(server: Hub, user: User, bucket: str) -> Box:
    return Box(server, user.token, bucket)


def noise(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


def did(done: Any) -> str:
    """The output of a command that must have succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def add(path: str, hash_: str = "0" * 64, **more: Any) -> dict[str, Any]:
    """A line that adds a file; without bytes, if no hash is named."""
    return {"type": "addFile", "path": path, "xetHash": hash_, **more}


def ndjson(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)
