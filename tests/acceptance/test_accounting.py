"""What dedupe saved is told: of a repository or bucket to whoever reads it, of the hub to its administrators."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import Hub, User

MEGABYTE = 1 << 20
UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"])
for number, file in enumerate(args["files"]):
    api.upload_file(path_or_fileobj=file, path_in_repo=f"{number}.bin", repo_id=args["repo"])
    api.create_bucket("owner/box", exist_ok=True)
    api.batch_bucket_files("owner/box", add=[(file, f"{number}.bin")])
info = api.model_info(args["repo"])
result = [info.used_storage, api.bucket_info("owner/box").size]
"""


@pytest.fixture
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    hub = new_hub().start()
    yield hub
    hub.stop()


@pytest.fixture
def owner(hub: Hub) -> User:
    return hub.user("owner")


def test_repository_bucket_and_hub_tell_their_size_and_what_is_stored(
    hub: Hub, owner: User, tmp_path: Path
) -> None:
    base = os.urandom(4 * MEGABYTE)
    files = [tmp_path / "a.bin", tmp_path / "b.bin"]
    files[0].write_bytes(base)
    files[1].write_bytes(base + os.urandom(MEGABYTE))
    client = Client("current", python_of("current"), tmp_path, hub.url, owner.token)
    used, size = client.call(UPLOAD, repo="owner/repo", files=files)
    assert (size, used - size) == (9 * MEGABYTE, pytest.approx(0, abs=100_000))

    told = _until(hub, "/api/models/owner/repo?expand=dedupedStorage&expand=usedStorage")
    assert told["usedStorage"] == used
    assert 5 * MEGABYTE < told["dedupedStorage"] < 5.5 * MEGABYTE
    box = _until(hub, "/api/buckets/owner/box")
    assert (box["size"], 5 * MEGABYTE < box["dedupedStorage"] < 5.5 * MEGABYTE) == (size, True)
    settings = _get(hub, "/api/settings/repositories", owner).json()
    assert {row["id"]: row["dedupedStorage"] < 6 * MEGABYTE for row in settings} == {
        "owner/repo": True, "owner/box": True,
    }  # fmt: skip
    for page in ("/owner/repo", "/buckets/owner/box"):
        assert "after dedupe" in _get(hub, page).text.lower()

    found = hub.cli_json("storage")
    assert found["linkedBytes"] == 2 * size
    assert found["distinctBytes"] == size
    assert 5 * MEGABYTE < found["storedBytes"] < 5.5 * MEGABYTE
    assert found["savedPercent"] > 65
    assert {each["id"] for each in found["largest"]} == {"owner/repo", "owner/box"}
    assert "bytes saved" in hub.cli("storage")


def _get(hub: Hub, path: str, user: User | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {user.token}"} if user else {}
    answer = httpx.get(hub.url + path, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def _until(hub: Hub, path: str) -> dict[str, Any]:
    """What is told once it has been measured, some seconds after the last change."""
    for _ in range(150):
        told: dict[str, Any] = _get(hub, path).json()
        if told.get("dedupedStorage", 1 << 60) < 6 * MEGABYTE:
            return told
        time.sleep(0.2)
    raise AssertionError(f"it is not measured: {told}")
