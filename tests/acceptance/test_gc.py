"""`hutch gc` beside a running server and clients that remember: what is gone is sent again, what is in use stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.clients import XET_NAMES, Client, python_of
from tests.acceptance.hub import Hub

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo="w.bin", repo_id=args["repo"])
"""
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], 'w.bin')"
DELETE = "from huggingface_hub import HfApi; HfApi().delete_repo(args['repo'])"
MEGABYTE = 1 << 20


@dataclass
class Scene:
    """A hub of the test's own and a client that keeps its caches."""

    hub: Hub
    client: Client
    folder: Path

    def upload(self, repo: str, content: bytes) -> None:
        file = self.folder / "w.bin"
        file.write_bytes(content)
        self.client.call(UPLOAD, repo=repo, file=file)

    def assert_downloads(self, repo: str, content: bytes) -> None:
        """By a client that remembers nothing, by Xet and as plain bytes."""
        for number, way in enumerate((self.client, self.client.without_xet())):
            home = self.folder / f"{repo.replace('/', '-')}-{len(list(self.folder.iterdir()))}-{number}"
            assert Path(way.at(self.hub.url, home).call(DOWNLOAD, repo=repo)).read_bytes() == content

    def gc(self, *words: str) -> dict[str, int]:
        found: dict[str, int] = self.hub.cli_json("gc", *words)
        return found

    def blobs(self, shelf: str) -> list[Path]:
        return list((self.hub.data / "storage" / "blobs" / shelf).glob("??/??/*"))


@pytest.fixture(params=XET_NAMES)
def scene(request: pytest.FixtureRequest, new_hub: Callable[..., Hub], tmp_path: Path) -> Iterator[Scene]:
    hub = new_hub().start()
    client = Client(request.param, python_of(request.param), tmp_path, hub.url, hub.user("owner").token)
    yield Scene(hub, client.with_environment(HF_HUB_DISABLE_XET="0"), tmp_path)
    hub.stop()


@pytest.mark.matrix
def test_client_with_a_warm_cache_uploads_again_what_was_collected(scene: Scene) -> None:
    content = os.urandom(3 * MEGABYTE)
    scene.upload("owner/first", content)
    scene.client.call(DELETE, repo="owner/first")
    assert scene.gc()["xorbs"] == 0, "within the grace"
    foreseen = scene.gc("--grace", "0", "--dry-run")
    assert (foreseen["objects"], foreseen["xet_files"], foreseen["xorbs"]) == (1, 1, 1)
    assert len(scene.blobs("xorbs")) == 1
    done = scene.gc("--grace", "0")
    assert {**done, "dry_run": True} == foreseen
    assert done["freed_bytes"] > len(content)
    assert scene.blobs("xorbs") == []
    scene.upload("owner/second", content)
    scene.assert_downloads("owner/second", content)
    report = scene.hub.cli_json("fsck")
    assert (report["problems"], report["notes"], report["xorbs"]) == ([], [], 1)


def test_what_another_file_needs_moves_out_of_a_half_dead_xorb_and_the_client_goes_on(scene: Scene) -> None:
    content = os.urandom(4 * MEGABYTE)
    part, more = content[:MEGABYTE], content[: 2 * MEGABYTE] + os.urandom(MEGABYTE)
    scene.upload("owner/whole", content)
    scene.upload("owner/part", part)
    scene.client.call(DELETE, repo="owner/whole")
    assert scene.gc("--grace", "0")["compacted"] == 1
    scene.assert_downloads("owner/part", part)
    scene.upload("owner/again", content)  # the old xorb is still here, for whoever was told of it
    scene.assert_downloads("owner/again", content)
    scene.client.call(DELETE, repo="owner/again")
    for _ in range(2):
        scene.gc("--grace", "0")
    scene.upload("owner/more", more)
    scene.assert_downloads("owner/more", more)
    scene.assert_downloads("owner/part", part)
    assert scene.hub.cli_json("fsck")["problems"] == []


def test_nothing_of_an_upload_under_way_is_collected(scene: Scene) -> None:
    content = os.urandom(2 * MEGABYTE)
    scene.client.call("from huggingface_hub import HfApi; HfApi().create_repo('owner/slow')")
    scene.client.call(
        """
        import subprocess, sys
        from huggingface_hub import HfApi, CommitOperationAdd
        from pathlib import Path
        operation = CommitOperationAdd("w.bin", args["file"])
        api = HfApi()
        api.preupload_lfs_files("owner/slow", [operation])
        subprocess.run(args["gc"], check=True, capture_output=True)
        api.create_commit("owner/slow", [operation], commit_message="late")
        """,
        file=_laid(scene.folder / "slow.bin", content),
        gc=[
            str(python_of("current").with_name("hutch")),
            "gc",
            "--grace",
            "0",
            "--data",
            str(scene.hub.data),
        ],
    )
    scene.assert_downloads("owner/slow", content)


def _laid(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
