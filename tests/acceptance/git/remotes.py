"""What the tests of git need of the hub: repositories, commits, pushes by hand, a look at its processes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.clients import Git
from tests.acceptance.hub import Hub, User


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


def mktree(git: Git, work: Path, entry: str) -> str:
    done = subprocess.run(
        ["git", "mktree"], input=entry, capture_output=True, text=True, cwd=work, check=True
    )
    return done.stdout.strip()


def resident_kb(hub: Hub) -> int:
    """Anonymous resident memory of the server's own processes, without git's and what is about to become git."""
    total = 0
    for pid in process_tree(hub):
        if is_git(pid) or _is_newborn(pid):
            continue
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += next(
            (int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:")), 0
        )
    return total


def _is_newborn(pid: int) -> bool:
    """Whether a process is under a second old: until it runs git, a child has its parent's name and memory."""
    try:
        begun = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return True
    return time.clock_gettime(time.CLOCK_BOOTTIME) - begun / os.sysconf("SC_CLK_TCK") < 1


def process_tree(hub: Hub) -> list[int]:
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


def git_children(hub: Hub) -> list[int]:
    """The git processes that the server has started."""
    return [pid for pid in process_tree(hub) if is_git(pid)]


def is_git(pid: int) -> bool:
    """Whether the process runs git."""
    try:
        return b"git" in Path(f"/proc/{pid}/comm").read_bytes()
    except OSError:
        return False


@contextmanager
def slow_fetch(hub: Hub, repo: str, tip: str) -> Iterator[None]:
    """A client that asks for all objects of `tip`, reads the beginning of the answer and then no more."""
    wants = f"want {tip} side-band-64k ofs-delta\n"
    body = f"{len(wants) + 4:04x}{wants}00000009done\n".encode()
    head = f"POST /{repo}/git-upload-pack HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", hub.port)) as connection:
        connection.sendall(head.encode() + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        yield


def eventually(holds: Callable[[], bool], limit_s: float = 10) -> bool:
    deadline = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def pack_of(work: Path, oids: list[str]) -> bytes:
    command = ["git", "pack-objects", "--stdout", "-q"]
    return subprocess.run(
        command, input="\n".join(oids).encode(), capture_output=True, cwd=work, check=True
    ).stdout


def push_by_hand(server: Hub, user: User, repo: str, command: str, pack: bytes) -> bytes:
    line = f"{command}\0report-status\n".encode()
    body = b"%04x%s0000" % (len(line) + 4, line) + pack
    request = urllib.request.Request(f"{server.url}/{repo}/git-receive-pack", data=body, method="POST")
    request.add_header("Authorization", "Basic " + b64encode(f"{user.name}:{user.token}".encode()).decode())
    request.add_header("Content-Type", "application/x-git-receive-pack-request")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return bytes(answer.read())
