"""`hutch gc` beside a running server, and clients that remember what it removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.contents import MEGABYTE, digest, laid, noise
from tests.acceptance.hub import Hub

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo="a.bin", repo_id=args["repo"])
"""
DELETE = "from huggingface_hub import HfApi; HfApi().delete_repo(args['repo'])"
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], 'a.bin')"


@pytest.fixture
def client(fresh_server: Hub, tmp_path: Path) -> Client:
    ann = fresh_server.user("ann")
    made = Client("current", python_of("current"), tmp_path, fresh_server.url, ann.token)
    return made.at(fresh_server.url, tmp_path / "home")


def collected(hub: Hub, *words: str) -> dict[str, int]:
    return dict(json.loads(hub.cli("gc", "--json", *words)))


def test_client_with_a_warm_cache_sends_again_what_was_collected(
    fresh_server: Hub, client: Client, tmp_path: Path
) -> None:
    content = noise(12 * MEGABYTE, "collected")
    file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
    client.call(UPLOAD, repo="ann/first", file=file)
    client.call(DELETE, repo="ann/first")
    foreseen = collected(fresh_server, "--grace", "0", "--dry-run")
    assert foreseen["xorbs"] > 0
    assert foreseen["xorb_bytes"] >= len(content)
    gone = collected(fresh_server, "--grace", "0")
    assert (gone["xorbs"], gone["xorb_bytes"]) == (foreseen["xorbs"], foreseen["xorb_bytes"])
    client.call(UPLOAD, repo="ann/second", file=file)
    again = client.at(fresh_server.url, tmp_path / "elsewhere")
    assert digest(Path(again.call(DOWNLOAD, repo="ann/second")).read_bytes()) == digest(content)
    fresh_server.cli("fsck")


def test_what_is_in_use_or_young_stays(fresh_server: Hub, client: Client, tmp_path: Path) -> None:
    content = noise(3 * MEGABYTE, "used")
    file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
    client.call(UPLOAD, repo="ann/used", file=file)
    client.call(UPLOAD, repo="ann/gone", file=laid(tmp_path / "2", {"a.bin": content[::-1]}) / "a.bin")
    client.call(DELETE, repo="ann/gone")
    assert collected(fresh_server)["freed_bytes"] == 0
    assert collected(fresh_server, "--grace", "0")["xorbs"] == 1
    again = client.at(fresh_server.url, tmp_path / "elsewhere")
    assert digest(Path(again.call(DOWNLOAD, repo="ann/used")).read_bytes()) == digest(content)
