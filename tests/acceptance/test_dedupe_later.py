"""`hutch dedupe`: what came by LFS is cut into chunks, and every client reads it as before, Xet clients by Xet."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, Git, python_of, with_credentials
from tests.acceptance.counting import counting
from tests.acceptance.hub import Hub, User

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo=args["name"], repo_id=args["repo"])
"""
DOWNLOAD = "from huggingface_hub import hf_hub_download; result = hf_hub_download(args['repo'], args['name'])"
MEGABYTE = 1 << 20


@pytest.fixture
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    hub = new_hub().start()
    yield hub
    hub.stop()


@pytest.fixture
def owner(hub: Hub) -> User:
    return hub.user("owner")


@pytest.fixture
def by_lfs(hub: Hub, owner: User, tmp_path: Path) -> Client:
    return Client("current", python_of("current"), tmp_path, hub.url, owner.token).without_xet()


def test_what_came_by_lfs_is_shared_and_read_by_every_client(
    hub: Hub, owner: User, by_lfs: Client, git: Git, tmp_path: Path
) -> None:
    base = os.urandom(6 * MEGABYTE)
    contents = {"a.bin": base, "b.bin": base[: 3 * MEGABYTE] + os.urandom(MEGABYTE) + base[3 * MEGABYTE :]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        by_lfs.call(UPLOAD, repo="owner/repo", file=tmp_path / name, name=name)
    assert hub.cli_json("dedupe", "owner/repo", "--dry-run")["objects"] == 2
    done = hub.cli_json("dedupe", "owner/repo")
    assert (done["objects"], done["size_bytes"], done["left"]) == (2, 13 * MEGABYTE, [])
    assert done["stored_bytes"] < 7.5 * MEGABYTE
    assert hub.cli_json("dedupe", "--all")["objects"] == 0
    _assert_readable(hub, owner, by_lfs, git, contents, tmp_path / "before")
    assert hub.cli_json("gc", "--grace", "0")["twins"] == 2
    _assert_readable(hub, owner, by_lfs, git, contents, tmp_path / "after")
    assert hub.cli_json("fsck")["problems"] == []


def _assert_readable(
    hub: Hub, owner: User, by_lfs: Client, git: Git, contents: dict[str, bytes], home: Path
) -> None:
    home.mkdir()
    with counting(hub.port) as front:
        by_xet = by_lfs.with_environment(HF_HUB_DISABLE_XET="0").at(front.url, home / "xet")
        for name, content in contents.items():
            assert Path(by_xet.call(DOWNLOAD, repo="owner/repo", name=name)).read_bytes() == content
        assert front.of("/reconstructions/"), "it did not come by Xet"
    plain = by_lfs.at(hub.url, home / "plain")
    git("clone", "-q", with_credentials(f"{hub.url}/owner/repo", owner.name, owner.token), home / "git")
    for name, content in contents.items():
        assert Path(plain.call(DOWNLOAD, repo="owner/repo", name=name)).read_bytes() == content
        assert (home / "git" / name).read_bytes() == content


def test_xet_client_sends_only_what_the_cut_object_does_not_have(
    hub: Hub, by_lfs: Client, tmp_path: Path
) -> None:
    base = os.urandom(6 * MEGABYTE)
    (tmp_path / "a.bin").write_bytes(base)
    by_lfs.call(UPLOAD, repo="owner/repo", file=tmp_path / "a.bin", name="a.bin")
    job = hub.cli_json("dedupe", "--all", "--later")["job"]
    assert _result(hub, job)["state"] == "done"
    assert hub.cli_json("dedupe", "--all", "--dry-run")["objects"] == 0
    (tmp_path / "b.bin").write_bytes(base + os.urandom(MEGABYTE))
    with counting(hub.port) as front:
        by_xet = by_lfs.with_environment(HF_HUB_DISABLE_XET="0").at(front.url, tmp_path / "xet")
        by_xet.call(UPLOAD, repo="owner/repo", file=tmp_path / "b.bin", name="b.bin")
        assert front.sent("/xorbs/") < 1.3 * MEGABYTE


def _result(hub: Hub, job: int) -> dict[str, str]:
    for _ in range(300):
        shown: dict[str, str] = hub.cli_json("jobs", "show", str(job))
        if shown["state"] not in ("queued", "running"):
            return shown
        time.sleep(0.2)
    raise AssertionError(f"the job does not end: {shown}")


def test_dedupe_wants_to_know_of_what(hub: Hub) -> None:
    assert hub.run("dedupe").returncode == 2
    assert hub.run("dedupe", "owner/none").returncode == 1
    assert hub.run("dedupe", "owner/none", "--all").returncode == 2
