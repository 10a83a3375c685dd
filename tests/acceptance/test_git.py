"""The real git against the real server: clone, fetch, push, and what happens when somebody lies or leaves."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import Git, with_credentials
from tests.acceptance.hub import Hub, User

LIMIT_KB = 300 * 1024


@pytest.fixture(scope="module")
def user(server: Hub) -> User:
    """One account for the tests of this file."""
    return server.user("gitter")


@pytest.fixture
def repo(server: Hub, user: User, unique: Callable[[str], str]) -> str:
    """A new model's name."""
    return create(server, user, f"{user.name}/{unique('bert')}")


def create(server: Hub, user: User, name: str, **more: Any) -> str:
    namespace, _, last = name.rpartition("/")
    api(
        server,
        user,
        "POST",
        "/api/repos/create",
        {"name": last, "organization": namespace, "type": "model", **more},
    )
    return name


def api(server: Hub, user: User | None, method: str, path: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    if user is not None:
        request.add_header("Authorization", f"Bearer {user.token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"null")


@pytest.fixture
def remote(server: Hub, user: User, repo: str) -> str:
    """The repository's address with the user's token in it."""
    return with_credentials(f"{server.url}/{repo}", user.name, user.token)


@pytest.fixture
def work(git: Git, remote: str, tmp_path: Path) -> Path:
    """A clone."""
    git("clone", "-q", remote, tmp_path / "work")
    return tmp_path / "work"


def add(git: Git, work: Path, path: str, content: bytes | str) -> str:
    """Commits a file and returns the commit."""
    target = work / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content if isinstance(content, bytes) else content.encode())
    git("add", "-A", cwd=work)
    git("commit", "-qm", f"Change {path}", cwd=work)
    return git("rev-parse", "HEAD", cwd=work)


def heads(git: Git, remote: str) -> dict[str, str]:
    """Refs of the server by name."""
    lines = git("ls-remote", remote).splitlines()
    return {name: oid for oid, name in (line.split("\t") for line in lines)}


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_clone_by_every_protocol_gets_all_refs(
    git: Git, work: Path, remote: str, tmp_path: Path, version: str
) -> None:
    tip = add(git, work, "a.txt", "a")
    git("push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/feature/x", cwd=work)
    git("tag", "-am", "First", "v1", cwd=work)
    git("push", "-q", "origin", "v1", cwd=work)
    git("-c", f"protocol.version={version}", "clone", "-q", remote, tmp_path / "copy")
    assert git("rev-parse", "HEAD", "origin/feature/x", "v1^{}", cwd=tmp_path / "copy").split() == [tip] * 3
    assert (tmp_path / "copy" / "a.txt").read_text() == "a"
    assert git("fsck", "--strict", cwd=tmp_path / "copy") == ""


def test_name_may_end_in_git(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    git("clone", "-q", f"{remote}.git", tmp_path / "copy")
    assert (tmp_path / "copy" / ".gitattributes").exists()


def test_public_repository_is_cloned_without_a_password_and_private_only_with_one(
    server: Hub, user: User, git: Git, tmp_path: Path, repo: str
) -> None:
    git("clone", "-q", f"{server.url}/{repo}", tmp_path / "public")
    secret = create(server, user, f"{repo}-secret", visibility="private")
    refused = git.run("clone", f"{server.url}/{secret}", tmp_path / "private")
    assert refused.returncode != 0
    assert "could not read Username" in refused.stderr
    wrong = git.run(
        "clone", with_credentials(f"{server.url}/{secret}", user.name, "hf_wrong"), tmp_path / "wrong"
    )
    assert "Authentication failed" in wrong.stderr
    git(
        "clone", "-q", with_credentials(f"{server.url}/{secret}", user.name, user.token), tmp_path / "private"
    )
    stranger = server.user("gitter-stranger")
    unseen = git.run(
        "clone", with_credentials(f"{server.url}/{secret}", stranger.name, stranger.token), tmp_path / "no"
    )
    assert "not found" in unseen.stderr.lower()


def test_shallow_and_partial_clones(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    for number in range(5):
        add(git, work, f"{number}.txt", f"{number}" * 1000)
    git("push", "-q", cwd=work)
    git("clone", "-q", "--depth=2", remote, tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "2"
    git("fetch", "-q", "--deepen=2", cwd=tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "4"
    git("fetch", "-q", "--unshallow", cwd=tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "6"
    git("clone", "-q", "--no-checkout", "--filter=blob:none", remote, tmp_path / "partial")
    missing = git("rev-list", "--objects", "--missing=print", "HEAD", cwd=tmp_path / "partial")
    assert sum(line.startswith("?") for line in missing.splitlines()) == 6
    git("checkout", "-q", "HEAD", cwd=tmp_path / "partial")
    assert (tmp_path / "partial" / "3.txt").read_text() == "3" * 1000


def test_fetch_brings_only_what_is_new(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    git("clone", "-q", remote, copy)
    for number in range(300):  # many haves: the request is gzipped
        git("commit", "-q", "--allow-empty", "-m", str(number), cwd=copy)
    tip = add(git, work, "new.txt", "new")
    git("push", "-q", cwd=work)
    git("fetch", "-q", cwd=copy)
    assert git("rev-parse", "origin/main", cwd=copy) == tip


def test_pushed_commit_is_what_the_api_and_another_clone_see(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str, tmp_path: Path
) -> None:
    tip = add(git, work, "README.md", "---\nlicense: mit\n---\n# Hello\n")
    git("push", "-q", cwd=work)
    told = api(server, user, "GET", f"/api/models/{repo}")
    assert (told["sha"], told["cardData"]) == (tip, {"license": "mit"})
    assert "license:mit" in told["tags"]
    git("clone", "-q", remote, tmp_path / "copy")
    assert git("rev-parse", "HEAD", cwd=tmp_path / "copy") == tip


def test_force_push_delete_and_new_branches(git: Git, work: Path, remote: str) -> None:
    first = git("rev-parse", "HEAD", cwd=work)
    add(git, work, "a.txt", "a")
    git("push", "-q", "origin", "main", "HEAD:topic", cwd=work)
    git("reset", "-q", "--hard", first, cwd=work)
    other = add(git, work, "b.txt", "b")
    refused = git.run("push", "origin", "main", cwd=work)
    assert refused.returncode != 0
    assert "non-fast-forward" in refused.stderr or "fetch first" in refused.stderr
    git("push", "-q", "--force", "origin", "main", cwd=work)
    assert heads(git, remote)["refs/heads/main"] == other
    git("push", "-q", "origin", ":topic", cwd=work)
    assert "refs/heads/topic" not in heads(git, remote)


def test_default_branch_cannot_be_deleted_and_git_says_why(git: Git, work: Path) -> None:
    refused = git.run("push", "origin", ":main", cwd=work)
    assert refused.returncode != 0
    assert "default branch" in refused.stderr


def test_one_refused_ref_does_not_hold_back_the_others(git: Git, work: Path, remote: str) -> None:
    tip = add(git, work, "a.txt", "a")
    pushed = git.run(
        "push", "origin", "HEAD:refs/heads/good", f"HEAD:refs/heads/{tip}", "HEAD:refs/notes/x", cwd=work
    )
    assert pushed.returncode != 0
    found = heads(git, remote)
    assert found["refs/heads/good"] == tip
    assert f"refs/heads/{tip}" not in found
    assert "refs/notes/x" not in found
    assert "must not look like a commit hash" in pushed.stderr
    atomic = git.run("push", "--atomic", "origin", "HEAD:refs/heads/better", "HEAD:refs/notes/x", cwd=work)
    assert atomic.returncode != 0
    assert "refs/heads/better" not in heads(git, remote)


def test_reader_cannot_push(server: Hub, user: User, git: Git, work: Path, repo: str, remote: str) -> None:
    before = heads(git, remote)
    add(git, work, "a.txt", "a")
    stranger = server.user("gitter-reader")
    for name, token in (
        (stranger.name, stranger.token),
        (user.name, server.token(user.name, role="read", name="read")),
    ):
        refused = git.run("push", with_credentials(f"{server.url}/{repo}", name, token), "main", cwd=work)
        assert refused.returncode != 0
        assert "403" in refused.stderr
        assert "You do not have the right" in refused.stderr
    nobody = git.run("push", f"{server.url}/{repo}", "main", cwd=work)
    assert "could not read Username" in nobody.stderr
    assert heads(git, remote) == before


def test_pushing_to_a_repository_that_does_not_exist_makes_none(
    server: Hub, user: User, git: Git, work: Path
) -> None:
    refused = git.run(
        "push", with_credentials(f"{server.url}/{user.name}/none", user.name, user.token), "main", cwd=work
    )
    assert refused.returncode != 0
    assert "not found" in refused.stderr.lower()


def test_large_file_outside_lfs_is_refused_by_name(git: Git, work: Path, remote: str) -> None:
    before = heads(git, remote)
    add(git, work, "sub/big.txt", os.urandom(11 << 20))
    refused = git.run("push", "origin", "main", cwd=work)
    assert refused.returncode != 0
    assert "sub/big.txt" in refused.stderr
    assert "LFS" in refused.stderr
    assert heads(git, remote) == before


def test_pointer_to_bytes_that_were_never_sent_is_refused(git: Git, work: Path, remote: str) -> None:
    before = heads(git, remote)
    oid = "1" * 64
    (work / ".gitattributes").unlink()
    add(
        git,
        work,
        "weights.bin",
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n",
    )
    refused = git.run("push", "--no-verify", "origin", "main", cwd=work, GIT_LFS_SKIP_PUSH="1")
    assert refused.returncode != 0
    assert oid[:10] in refused.stderr
    assert heads(git, remote) == before


def test_large_file_goes_in_and_out_by_git_lfs(git: Git, work: Path, remote: str, tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    git("lfs", "install", "--local", cwd=work)
    add(git, work, "model.safetensors", content)
    git("push", "-q", cwd=work)
    git("clone", "-q", remote, tmp_path / "copy")
    assert (tmp_path / "copy" / "model.safetensors").read_bytes() == content


@pytest.mark.parametrize("path", [".GIT/config", "a/.git/x", "b\\c"])
def test_path_that_some_system_cannot_hold_is_refused(git: Git, work: Path, remote: str, path: str) -> None:
    blob = git("hash-object", "-w", ".gitattributes", cwd=work)
    *folders, name = path.split("/")
    entry = f"100644 blob {blob}\t{name}\n"
    for folder in reversed(folders):
        entry = f"040000 tree {_mktree(git, work, entry)}\t{folder}\n"
    commit = git("commit-tree", "-p", "HEAD", "-m", "bad", _mktree(git, work, entry), cwd=work)
    refused = git.run("push", "origin", f"{commit}:refs/heads/main", cwd=work)
    assert refused.returncode != 0
    assert heads(git, remote)["refs/heads/main"] != commit


def _mktree(git: Git, work: Path, entry: str) -> str:
    done = subprocess.run(
        ["git", "mktree"], input=entry, capture_output=True, text=True, cwd=work, check=True
    )
    return done.stdout.strip()


def test_push_beyond_the_limit_is_refused(new_hub: Callable[..., Hub], git: Git, tmp_path: Path) -> None:
    hub = new_hub(max_push_bytes="1000000").start()
    try:
        user = hub.user("limited")
        remote = with_credentials(f"{hub.url}/{create(hub, user, 'limited/x')}", user.name, user.token)
        git("clone", "-q", remote, tmp_path / "work")
        add(git, tmp_path / "work", "a.txt", os.urandom(1_500_000))
        refused = git.run("push", "origin", "main", cwd=tmp_path / "work")
        assert refused.returncode != 0
        assert "1000000" in refused.stderr
        assert list((hub.data / "git").glob("*/*/objects/incoming-*")) == []
    finally:
        hub.stop()


@pytest.mark.slow
def test_large_push_is_received_with_flat_memory(
    fresh_server: Hub, git: Git, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    user = fresh_server.user(unique("pusher"))
    remote = with_credentials(
        f"{fresh_server.url}/{create(fresh_server, user, f'{user.name}/big')}", user.name, user.token
    )
    git("clone", "-q", remote, tmp_path / "work")
    rng = random.Random(1)
    for number in range(18):
        (tmp_path / "work" / f"{number}.txt").write_bytes(rng.randbytes(9_000_000))
    add(git, tmp_path / "work", "last.txt", "last")
    before = _resident_kb(fresh_server)
    done = threading.Event()
    peaks: list[int] = []

    def watch() -> None:
        while not done.wait(0.05):
            peaks.append(_resident_kb(fresh_server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        git(
            "-c",
            "core.compression=0",
            "-c",
            "pack.window=0",
            "push",
            "-q",
            "origin",
            "main",
            cwd=tmp_path / "work",
        )
    finally:
        done.set()
        watcher.join()
    assert max(peaks) - before < 60 * 1024
    git("clone", "-q", remote, tmp_path / "copy")
    assert (tmp_path / "copy" / "17.txt").read_bytes() == (tmp_path / "work" / "17.txt").read_bytes()


def _resident_kb(hub: Hub) -> int:
    """Anonymous resident memory of the server's own processes, without git's."""
    total = 0
    for pid in _tree(hub):
        try:
            if b"git" in Path(f"/proc/{pid}/comm").read_bytes():
                continue
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0
        )
    return total


def _tree(hub: Hub) -> list[int]:
    assert hub.process is not None
    found, pending = [], [hub.process.pid]
    while pending:
        pid = pending.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                pending += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def test_two_pushes_at_once_one_wins_and_none_is_lost(
    git: Git, work: Path, remote: str, tmp_path: Path
) -> None:
    copies = []
    for number in range(4):
        git("clone", "-q", remote, tmp_path / f"c{number}")
        add(git, tmp_path / f"c{number}", f"{number}.txt", str(number))
        copies.append(tmp_path / f"c{number}")
    results: dict[Path, int] = {}

    def push(copy: Path) -> None:
        results[copy] = git.run("push", "origin", "main", cwd=copy).returncode

    pushers = [threading.Thread(target=push, args=(copy,)) for copy in copies]
    for pusher in pushers:
        pusher.start()
    for pusher in pushers:
        pusher.join()
    winners = [copy for copy, code in results.items() if code == 0]
    assert len(winners) == 1
    assert heads(git, remote)["refs/heads/main"] == git("rev-parse", "HEAD", cwd=winners[0])


def test_client_killed_in_the_middle_of_a_push_leaves_the_repository_as_it_was(
    server: Hub, git: Git, work: Path, remote: str, tmp_path: Path
) -> None:
    before = heads(git, remote)
    for number in range(6):
        (work / f"{number}.txt").write_bytes(os.urandom(9_000_000))
    add(git, work, "last.txt", "x")
    for delay in (0.15, 0.4, 0.8):
        child = subprocess.Popen(
            ["git", "-c", "core.compression=0", "-c", "pack.window=0", "push", "-q", remote, "main:refs/heads/killed"],
            cwd=work, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "HOME": str(git.home)},
        )  # fmt: skip
        time.sleep(delay)
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    after = {name: oid for name, oid in heads(git, remote).items() if name != "refs/heads/killed"}
    assert after == before
    git("-c", "pack.window=0", "push", "-q", "origin", "main", cwd=work)
    git("clone", "-q", remote, tmp_path / "copy")
    assert git("fsck", "--strict", cwd=tmp_path / "copy") == ""
    assert _eventually(lambda: not list((server.data / "git").glob("*/*/objects/incoming-*")))


def test_fetch_whose_client_goes_ends_its_git(server: Hub, git: Git, work: Path, repo: str) -> None:
    for number in range(8):
        (work / f"{number}.txt").write_bytes(os.urandom(8_000_000))
    tip = add(git, work, "last.txt", "x")
    git("-c", "pack.window=0", "push", "-q", cwd=work)
    wants = f"want {tip} side-band-64k ofs-delta\n"
    body = f"{len(wants) + 4:04x}{wants}00000009done\n".encode()
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        head = (
            f"POST /{repo}/git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection.sendall(head.encode() + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
    assert _eventually(lambda: not _git_children(server))


def _git_children(hub: Hub) -> list[int]:
    found = []
    for pid in _tree(hub):
        try:
            if b"git" in Path(f"/proc/{pid}/comm").read_bytes():
                found.append(pid)
        except OSError:
            continue
    return found


def _eventually(holds: Callable[[], bool], limit_s: float = 10) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_pack_that_lies_changes_nothing(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str
) -> None:
    before = heads(git, remote)
    main = before["refs/heads/main"]
    tip = add(git, work, "a.txt", "a")
    objects = git("rev-list", "--objects", f"{main}..{tip}", cwd=work)
    pack = _pack(work, [line.split()[0] for line in objects.splitlines()])
    only_commit = _pack(work, [tip])
    flipped = bytearray(pack)
    flipped[len(pack) // 2] ^= 0xFF
    for lie in (
        bytes(flipped),
        pack[:-10],
        pack[:40],
        only_commit,
        b"",
        b"PACK\0\0\0\2\xff\xff\xff\xff",
        pack + b"more",
    ):
        told = _push_by_hand(server, user, repo, f"{main} {tip} refs/heads/main", lie)
        assert b"ng refs/heads/main" in told, lie[:20]
    assert heads(git, remote) == before
    assert b"ok refs/heads/main" in _push_by_hand(server, user, repo, f"{main} {tip} refs/heads/main", pack)


def _pack(work: Path, oids: list[str]) -> bytes:
    command = ["git", "pack-objects", "--stdout", "-q"]
    return subprocess.run(
        command, input="\n".join(oids).encode(), capture_output=True, cwd=work, check=True
    ).stdout


def _push_by_hand(server: Hub, user: User, repo: str, command: str, pack: bytes) -> bytes:
    line = f"{command}\0report-status\n".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + pack
    request = urllib.request.Request(f"{server.url}/{repo}/git-receive-pack", data=body, method="POST")
    request.add_header("Authorization", "Basic " + b64encode(f"{user.name}:{user.token}".encode()).decode())
    request.add_header("Content-Type", "application/x-git-receive-pack-request")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())


def test_command_with_a_stale_old_value_is_refused(
    server: Hub, user: User, git: Git, work: Path, remote: str, repo: str
) -> None:
    first = heads(git, remote)["refs/heads/main"]
    tip = add(git, work, "a.txt", "a")
    git("push", "-q", cwd=work)
    told = _push_by_hand(server, user, repo, f"{first} {'0' * 40} refs/heads/other", b"")
    assert b"ng refs/heads/other" in told
    git("push", "-q", "origin", "HEAD:refs/heads/other", cwd=work)
    told = _push_by_hand(server, user, repo, f"{first} {'0' * 40} refs/heads/other", b"")
    assert b"ng refs/heads/other" in told
    assert heads(git, remote)["refs/heads/other"] == tip


def test_dataset_and_model_of_one_name_are_different_repositories(
    server: Hub, user: User, git: Git, work: Path, repo: str, tmp_path: Path
) -> None:
    create(server, user, repo, type="dataset")
    git(
        "clone",
        "-q",
        with_credentials(f"{server.url}/datasets/{repo}", user.name, user.token),
        tmp_path / "data",
    )
    tip = add(git, tmp_path / "data", "data.csv", "a,b\n")
    git("push", "-q", cwd=tmp_path / "data")
    assert api(server, user, "GET", f"/api/datasets/{repo}")["sha"] == tip
    assert api(server, user, "GET", f"/api/models/{repo}")["sha"] != tip


def test_old_protocol_is_refused_with_a_sentence(server: Hub, repo: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{server.url}/{repo}.git/info/refs", timeout=10)
    assert caught.value.code == 403
    assert b"smart HTTP" in caught.value.read()
