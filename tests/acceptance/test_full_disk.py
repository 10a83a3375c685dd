"""A disk that is full under a running hub: clear refusals, nothing broken, and all goes on once there is room."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, ClientFailed, Git, python_of, with_credentials
from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Reply, Sender, oid_of, staged_files

DISK_BYTES = 200 << 20
OBJECT = os.urandom(1_000_000)


@dataclass
class SmallDisk:
    """A hub whose whole data folder lies on a disk of 200 MB, which a ballast fills."""

    hub: Hub
    sender: Sender

    @property
    def ballast(self) -> Path:
        return self.hub.data / "ballast"

    def fill(self, leave: int = 0) -> None:
        """Leaves so many bytes free, nearly."""
        with self.ballast.open("ab") as file:
            while (free := self._free()) > leave:
                try:
                    file.write(bytes(min(1 << 20, free - leave)))
                    file.flush()
                except OSError:
                    break

    def empty(self) -> None:
        """Makes room again."""
        self.ballast.unlink()

    def _free(self) -> int:
        fact = os.statvfs(self.hub.data)
        return fact.f_bavail * fact.f_frsize


@pytest.fixture
def disk(new_hub: Callable[..., Hub]) -> Iterator[SmallDisk]:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    hub = new_hub()
    hub.data.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0750", "tmpfs", hub.data], check=True
    )
    try:
        hub.start()
        yield SmallDisk(hub, Sender(hub, hub.user("owner")))
    finally:
        hub.kill()
        subprocess.run(["umount", "--lazy", hub.data], check=True)


def _commit(sender: Sender, repo: str, path: str, content: bytes) -> Reply:
    lines = [
        {"key": "header", "value": {"summary": f"Add {path}"}},
        {
            "key": "file",
            "value": {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"},
        },
    ]
    body = "\n".join(map(json.dumps, lines)).encode()
    return sender("POST", f"/api/models/{repo}/commit/main", body, {"Content-Type": "application/x-ndjson"})


def _is_sound(disk: SmallDisk) -> bool:
    report = disk.hub.cli_json("fsck")
    return report["problems"] == [] and disk.hub.stop() == 0 and disk.hub.start() is disk.hub


def test_an_upload_to_a_full_disk_answers_507_and_succeeds_once_there_is_room(disk: SmallDisk) -> None:
    repo = disk.sender.create("large")
    href = disk.sender.href(repo, OBJECT)
    disk.fill(leave=30 << 20)  # more than the object, less than what is kept for the database
    refused = disk.sender("PUT", href, OBJECT, signed=True)
    assert (refused.status, refused.headers["x-error-code"]) == (507, "InsufficientStorage")
    assert "do not fit" in refused.json["message"]
    (offered,) = disk.sender.batch(repo, OBJECT)
    assert offered["error"]["code"] == 507
    disk.fill()
    assert disk.sender("PUT", href, OBJECT, signed=True).status == 507
    assert staged_files(disk.hub) == []
    disk.empty()
    assert disk.sender("PUT", href, OBJECT, signed=True).status == 200
    assert disk.sender.commit(repo, "w.bin", OBJECT).status == 200
    assert disk.sender("GET", f"/{repo}/resolve/main/w.bin").body == OBJECT
    assert _is_sound(disk)


@pytest.mark.parametrize("way", ["lfs", "xet"])
def test_the_real_client_is_told_why_its_upload_failed(disk: SmallDisk, tmp_path: Path, way: str) -> None:
    assert disk.sender.user is not None
    repo = disk.sender.create(f"by-client-{way}")
    disk.fill(leave=30 << 20)
    client = Client("current", python_of("current"), tmp_path, disk.hub.url, disk.sender.user.token)
    # By Xet a client takes 507 for a passing trouble, and tries again for half a minute.
    client = (
        client.with_environment(HF_XET_CLIENT_RETRY_BASE_DELAY="50ms")
        if way == "xet"
        else client.without_xet()
    )
    script = """
        from huggingface_hub import HfApi
        HfApi().upload_file(path_or_fileobj=args["file"], path_in_repo="w.bin", repo_id=args["repo"])
        """
    (tmp_path / "w.bin").write_bytes(OBJECT)
    with pytest.raises(ClientFailed, match="507" if way == "xet" else "do not fit"):
        client.call(script, repo=repo, file=tmp_path / "w.bin")
    disk.empty()
    client.call(script, repo=repo, file=tmp_path / "w.bin")
    assert disk.sender("GET", f"/{repo}/resolve/main/w.bin").body == OBJECT


def test_a_commit_on_a_full_disk_answers_507_and_the_branch_stays_where_it_was(disk: SmallDisk) -> None:
    repo = disk.sender.create("small")
    assert _commit(disk.sender, repo, "first.txt", b"first").status == 200
    head = disk.sender("GET", f"/api/models/{repo}").json["sha"]
    disk.fill()
    refused = _commit(disk.sender, repo, "second.txt", os.urandom(3_000_000).hex().encode())
    assert (refused.status, refused.headers["x-error-code"]) == (507, "InsufficientStorage"), refused.body
    small = _commit(disk.sender, repo, "third.txt", b"third")
    assert (small.status, small.headers["x-error-code"]) == (507, "InsufficientStorage"), small.body
    # What was there can be read all the while.
    assert disk.sender("GET", f"/{repo}/resolve/main/first.txt").body == b"first"
    assert disk.sender("GET", f"/api/models/{repo}").json["sha"] == head
    assert [each["path"] for each in disk.sender("GET", f"/api/models/{repo}/tree/main").json] == [
        ".gitattributes",
        "first.txt",
    ]
    disk.empty()
    assert _commit(disk.sender, repo, "second.txt", b"second").status == 200
    assert disk.sender("GET", f"/{repo}/resolve/main/second.txt").body == b"second"
    assert _is_sound(disk)


def test_a_push_to_a_full_disk_is_refused_with_a_reason_and_the_same_push_succeeds_once_there_is_room(
    disk: SmallDisk, git: Git, tmp_path: Path
) -> None:
    assert disk.sender.user is not None
    repo = disk.sender.create("pushed")
    url = with_credentials(f"{disk.hub.url}/{repo}", "owner", disk.sender.user.token)
    git("clone", url, tmp_path / "work")
    (tmp_path / "work" / "big.txt").write_text(os.urandom(4_000_000).hex())
    git("add", ".", cwd=tmp_path / "work")
    git("commit", "-m", "Big", cwd=tmp_path / "work")
    before = git("ls-remote", url)
    disk.fill()
    refused = git.run("push", "origin", "main", cwd=tmp_path / "work")
    assert refused.returncode != 0
    assert any(words in refused.stderr for words in ("no room", "No space left", "507")), refused.stderr
    assert git("ls-remote", url) == before
    git("clone", url, tmp_path / "meanwhile")
    disk.empty()
    git("push", "origin", "main", cwd=tmp_path / "work")
    git("clone", url, tmp_path / "after")
    assert (tmp_path / "after" / "big.txt").read_bytes() == (tmp_path / "work" / "big.txt").read_bytes()
    assert _is_sound(disk)


def test_a_repository_cannot_be_made_on_a_full_disk_and_its_name_stays_free(disk: SmallDisk) -> None:
    disk.fill()
    refused = disk.sender("POST", "/api/repos/create", {"name": "late"})
    assert (refused.status, refused.headers["x-error-code"]) == (507, "InsufficientStorage"), refused.body
    assert disk.sender("GET", "/api/models/owner/late").status == 404
    disk.empty()
    assert disk.sender.create("late") == "owner/late"
    assert _is_sound(disk)


def test_a_browsers_upload_keeps_what_fitted_and_goes_on_once_there_is_room(disk: SmallDisk) -> None:
    repo = disk.sender.create("by-browser")
    content = os.urandom(6_000_000)
    begun = disk.sender("POST", f"/api/models/{repo}/uploads", {"path": "w.bin", "size": len(content)}).json
    first = disk.sender("PATCH", begun["url"], content[:2_000_000], {"Upload-Offset": "0"}, signed=True)
    assert first.status == 200
    disk.fill()
    refused = disk.sender(
        "PATCH", begun["url"], content[2_000_000:], {"Upload-Offset": "2000000"}, signed=True
    )
    assert (refused.status, refused.headers["x-error-code"]) == (507, "InsufficientStorage"), refused.body
    disk.empty()
    at = int(disk.sender("HEAD", begun["url"], signed=True).headers["upload-offset"])
    assert at >= 2_000_000
    done = disk.sender("PATCH", begun["url"], content[at:], {"Upload-Offset": str(at)}, signed=True)
    assert done.json["oid"] == oid_of(content)
    assert disk.sender.commit(repo, "w.bin", content).status == 200
    assert _is_sound(disk)
