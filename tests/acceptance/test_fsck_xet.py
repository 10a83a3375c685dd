"""`hutch fsck` on a hub that a Xet client filled: it finds what is damaged, and `--repair` mends what can be mended."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import Client, ClientFailed, python_of
from tests.acceptance.hub import Hub

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo="w.bin", repo_id=args["repo"])
"""
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], 'w.bin')"


@dataclass
class Scene:
    """A hub with one file, sent by Xet."""

    hub: Hub
    client: Client
    file: Path
    repo: str = "owner/whole"

    def fsck(self, *words: str) -> tuple[int, list[dict[str, Any]]]:
        done = self.hub.run("fsck", *words, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)["problems"]

    def xorb(self) -> Path:
        (found,) = (self.hub.data / "storage" / "blobs" / "xorbs").glob("??/??/*")
        return found

    def flip(self) -> None:
        path = self.xorb()
        path.chmod(0o640)
        with path.open("r+b") as file:
            file.seek(1_000_000)
            byte = file.read(1)[0]
            file.seek(1_000_000)
            file.write(bytes([byte ^ 1]))

    def download(self, home: Path) -> bytes:
        return Path(self.client.at(self.hub.url, home).call(DOWNLOAD, repo=self.repo)).read_bytes()


@pytest.fixture
def scene(new_hub: Callable[..., Hub], tmp_path: Path) -> Iterator[Scene]:
    hub = new_hub().start()
    client = Client("current", python_of("current"), tmp_path, hub.url, hub.user("owner").token)
    client = client.with_environment(HF_HUB_DISABLE_XET="0")
    file = tmp_path / "w.bin"
    file.write_bytes(os.urandom(3_000_000))
    client.call(UPLOAD, repo="owner/whole", file=file)
    yield Scene(hub, client, file)
    hub.stop()


def test_sound_xorbs_are_clean_and_counted(scene: Scene) -> None:
    report = scene.hub.cli_json("fsck")
    assert (report["problems"], report["notes"]) == ([], [])
    assert (report["xorbs"], report["xet_files"], report["objects"]) == (1, 1, 1)
    assert report["xorb_bytes"] == scene.xorb().stat().st_size


def test_flipped_byte_is_found_marked_and_mended_by_the_same_clients_next_upload(
    scene: Scene, tmp_path: Path
) -> None:
    scene.flip()
    status, problems = scene.fsck()
    assert status == 1
    xorb, in_storage, in_repository = problems
    assert (xorb["kind"], xorb["place"]) == ("xorb", f"xorbs/{'/'.join(scene.xorb().parts[-3:])}")
    assert xorb["oid"] in xorb["what"]
    assert "used by owner/whole" in xorb["what"]
    assert (in_storage["kind"], in_repository["kind"]) == ("object", "pointer")
    assert in_repository["place"] == "w.bin"
    status, problems = scene.fsck("--repair")
    assert status == 1
    assert "marked" in problems[0]["repair"]
    with pytest.raises(ClientFailed):
        scene.download(tmp_path / "damaged")
    # The client has the file's chunks in its cache, and would not send them but for the epoch.
    scene.client.call(UPLOAD, repo=scene.repo, file=scene.file)
    assert scene.fsck() == (0, [])
    assert scene.download(tmp_path / "mended") == scene.file.read_bytes()


def test_lost_xorb_is_mended_from_the_same_file_sent_by_lfs(scene: Scene, tmp_path: Path) -> None:
    scene.xorb().unlink()
    assert scene.fsck()[1][0]["what"].startswith("the xorb ")
    # Sent for another repository whose owner cannot read the first: the hub lets them send it all.
    other = scene.hub.user("other")
    scene.client.call("from huggingface_hub import HfApi; HfApi().update_repo_settings(args['repo'], private=True)",
                      repo=scene.repo)  # fmt: skip
    theirs = scene.client.signed_in(other.token).without_xet()
    theirs.call(UPLOAD, repo="other/copy", file=scene.file)
    status, problems = scene.fsck("--repair")
    assert (status, len(problems)) == (1, 1)
    assert "chunks were put in again" in problems[0]["repair"]
    assert scene.fsck() == (0, [])
    assert scene.download(tmp_path / "mended") == scene.file.read_bytes()
