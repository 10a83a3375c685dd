"""Large objects by the real clients: huggingface_hub, git-lfs, and git-lfs with huggingface_hub's agent for parts."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.clients import NAMES, Client, Git, python_of, with_credentials
from tests.acceptance.hub import Hub, User
from tests.acceptance.lfs_sender import Sender, oid_of, staged_files

PART = 100_000


@pytest.fixture(scope="module")
def hub(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A server that wants what has 300 KB or more in parts of 100 KB."""
    running = new_hub(part_bytes=str(PART), multipart_from_bytes=str(3 * PART)).start()
    yield running
    running.stop()


@pytest.fixture
def owner(hub: Hub, unique: Callable[[str], str]) -> User:
    return hub.user(unique("owner"))


@pytest.fixture(params=NAMES)
def client_of_parts(request: pytest.FixtureRequest, hub: Hub, owner: User, tmp_path: Path) -> Client:
    home = tmp_path / "client"
    home.mkdir()
    return Client(request.param, python_of(request.param), home, hub.url, owner.token).without_xet()


@pytest.fixture
def repo(hub: Hub, owner: User) -> str:
    return Sender(hub, owner).create("large")


@pytest.fixture
def remote(hub: Hub, owner: User, repo: str) -> str:
    return with_credentials(f"{hub.url}/{repo}", owner.name, owner.token)


@pytest.mark.matrix
@pytest.mark.parametrize("size", [1, PART, 3 * PART, 12 * PART + 1])
def test_file_sent_by_the_library_comes_down_the_same_whole_or_in_parts(
    client_of_parts: Client, hub: Hub, repo: str, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "up.bin").write_bytes(content)
    down = client_of_parts.call(
        """
        from huggingface_hub import HfApi, hf_hub_download
        HfApi().upload_file(path_or_fileobj=args["path"], path_in_repo="a.bin", repo_id=args["repo"])
        result = hf_hub_download(args["repo"], "a.bin")
        """,
        repo=repo,
        path=tmp_path / "up.bin",
    )
    assert Path(down).read_bytes() == content
    assert staged_files(hub) == []


def test_many_files_sent_by_the_library_at_once_all_arrive(
    client_of_parts: Client, hub: Hub, repo: str, tmp_path: Path
) -> None:
    folder = tmp_path / "up"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.bin").write_bytes(os.urandom(number * PART // 4 + 1))
    (folder / "twin.bin").write_bytes((folder / "19.bin").read_bytes())
    down = client_of_parts.call(
        """
        from huggingface_hub import HfApi, snapshot_download
        HfApi().upload_folder(folder_path=args["folder"], repo_id=args["repo"])
        result = snapshot_download(args["repo"])
        """,
        repo=repo,
        folder=folder,
    )
    for path in folder.iterdir():
        assert (Path(down) / path.name).read_bytes() == path.read_bytes()
    assert staged_files(hub) == []


def test_git_lfs_pushes_and_pulls(git: Git, remote: str, tmp_path: Path) -> None:
    content = _push(git, remote, tmp_path / "work", size=5 * PART)
    git("clone", "-q", remote, tmp_path / "again")
    assert (tmp_path / "again" / "model.bin").read_bytes() == content
    pointer = git("show", "HEAD:model.bin", cwd=tmp_path / "again")
    assert f"oid sha256:{oid_of(content)}" in pointer


def test_git_lfs_pushes_in_parts_by_the_agent_of_hf(
    git: Git, hub: Hub, owner: User, repo: str, remote: str, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    git("clone", "-q", remote, work)
    agent = python_of("current").with_name("hf")
    git("config", "lfs.customtransfer.multipart.path", agent, cwd=work)
    git("config", "lfs.customtransfer.multipart.args", "lfs-multipart-upload", cwd=work)
    git("config", "lfs.concurrenttransfers", "1", cwd=work)
    # More than nine parts: git-lfs hands their addresses on sorted as text.
    content = os.urandom(12 * PART + 5)
    (work / "model.bin").write_bytes(content)
    (work / "small.bin").write_bytes(b"small")
    git("add", ".", cwd=work)
    git("commit", "-qm", "Two files", cwd=work)
    trace = git.run("push", cwd=work, GIT_TRACE="1", HF_HUB_DISABLE_UPDATE_CHECK="1")
    assert trace.returncode == 0, trace.stderr
    assert f"{agent} lfs-multipart-upload" in trace.stderr
    git("clone", "-q", remote, tmp_path / "again")
    assert (tmp_path / "again" / "model.bin").read_bytes() == content
    assert (tmp_path / "again" / "small.bin").read_bytes() == b"small"
    assert staged_files(hub) == []


def test_git_lfs_goes_on_with_a_download_that_broke_off(git: Git, remote: str, tmp_path: Path) -> None:
    content = _push(git, remote, tmp_path / "work", size=5 * PART)
    again = tmp_path / "again"
    git("clone", "-q", remote, again, GIT_LFS_SKIP_SMUDGE="1")
    begun = again / ".git" / "lfs" / "incomplete" / f"{oid_of(content)}.part"
    begun.parent.mkdir(parents=True)
    begun.write_bytes(content[: 2 * PART])
    trace = git.run("lfs", "pull", cwd=again, GIT_TRACE="1", GIT_CURL_VERBOSE="1")
    assert trace.returncode == 0, trace.stderr
    assert "206 Partial Content" in trace.stderr
    assert (again / "model.bin").read_bytes() == content


def test_push_of_a_pointer_without_its_object_is_refused(git: Git, remote: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    git("clone", "-q", remote, work)
    oid = oid_of(os.urandom(10))
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 10\n"
    (work / "forged.txt").write_text(pointer)
    git("add", ".", cwd=work)
    git("commit", "-qm", "A pointer", cwd=work)
    push = git.run("push", "--no-verify", cwd=work)
    assert push.returncode != 0
    assert oid in push.stderr


def test_locks_tell_two_people_of_each_other(
    git: Git, hub: Hub, owner: User, repo: str, remote: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    other = hub.user(unique("other"), "--admin")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    _push(git, remote, mine, size=10)
    git("clone", "-q", with_credentials(f"{hub.url}/{repo}", other.name, other.token), theirs)
    git("lfs", "lock", "model.bin", cwd=mine)
    again = git.run("lfs", "lock", "model.bin", cwd=theirs)
    assert again.returncode != 0
    assert f"locked by {owner.name}" in again.stderr + again.stdout
    (lock,) = json.loads(git("lfs", "locks", "--json", cwd=theirs))
    assert (lock["path"], lock["owner"]["name"]) == ("model.bin", owner.name)
    assert json.loads(git("lfs", "locks", "--path", "other.bin", "--json", cwd=theirs)) == []
    seen = json.loads(git("lfs", "locks", "--verify", "--json", cwd=theirs))
    assert (seen["ours"], len(seen["theirs"])) == ([], 1)
    assert git.run("lfs", "unlock", "--id", lock["id"], cwd=theirs).returncode != 0
    git("lfs", "unlock", "--force", "--id", lock["id"], cwd=theirs)
    assert json.loads(git("lfs", "locks", "--json", cwd=mine)) == []


def test_push_of_a_file_that_another_locked_is_stopped_by_git_lfs(
    git: Git, hub: Hub, repo: str, remote: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    other = hub.user(unique("other"), "--admin")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    _push(git, remote, mine, size=10)
    git("lfs", "lock", "model.bin", cwd=mine)
    address = with_credentials(f"{hub.url}/{repo}", other.name, other.token)
    git("clone", "-q", address, theirs)
    git("config", f"lfs.{address}.git/info/lfs.locksverify", "true", cwd=theirs)
    git("lfs", "install", "--local", cwd=theirs)
    (theirs / "model.bin").write_bytes(b"changed")
    git("commit", "-qam", "Change it", cwd=theirs)
    push = git.run("push", cwd=theirs)
    assert push.returncode != 0
    assert "locked" in push.stderr


def _push(git: Git, remote: str, work: Path, *, size: int) -> bytes:
    """Clones, adds model.bin of so many bytes, and pushes."""
    git("clone", "-q", remote, work)
    git("lfs", "install", "--local", cwd=work)
    content = os.urandom(size)
    (work / "model.bin").write_bytes(content)
    git("add", ".", cwd=work)
    git("commit", "-qm", "Add a model", cwd=work)
    git("push", "-q", cwd=work)
    return content
