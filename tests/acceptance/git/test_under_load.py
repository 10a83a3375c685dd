"""git when much is sent, when several push at once, when somebody leaves in the middle."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.clients import Git, with_credentials
from tests.acceptance.git.remotes import (
    add,
    create,
    eventually,
    git_children,
    heads,
    is_git,
    resident_kb,
    slow_fetch,
)
from tests.acceptance.hub import Hub


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
    before = resident_kb(fresh_server)
    done = threading.Event()
    peaks: list[int] = []

    def watch() -> None:
        while not done.wait(0.05):
            peaks.append(resident_kb(fresh_server))

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
    assert eventually(lambda: not list((server.data / "git").glob("*/*/objects/incoming-*")))


def test_fetch_whose_client_goes_ends_its_git(server: Hub, git: Git, work: Path, repo: str) -> None:
    for number in range(8):
        (work / f"{number}.txt").write_bytes(os.urandom(8_000_000))
    tip = add(git, work, "last.txt", "x")
    git("-c", "pack.window=0", "push", "-q", cwd=work)
    with slow_fetch(server, repo, tip):
        assert git_children(server)
    assert eventually(lambda: not git_children(server))


def test_one_callers_fetches_wait_for_each_other_and_hold_up_nobody_else(
    new_hub: Callable[..., Hub], git: Git, tmp_path: Path
) -> None:
    hub = new_hub(max_fetches="2").start()
    try:
        user = hub.user("one")
        name = create(hub, user, "one/x")
        remote = with_credentials(f"{hub.url}/{name}", user.name, user.token)
        git("clone", "-q", remote, tmp_path / "work")
        for number in range(8):
            (tmp_path / "work" / f"{number}.txt").write_bytes(os.urandom(8_000_000))
        tip = add(git, tmp_path / "work", "last.txt", "x")
        git("-c", "pack.window=0", "push", "-q", "origin", "main", cwd=tmp_path / "work")
        waiting = threading.Thread(target=git, args=("clone", "-q", f"{hub.url}/{name}", tmp_path / "nobody"))
        with slow_fetch(hub, name, tip):
            waiting.start()
            # git sends a password only when asked for one
            known = f"http.extraHeader=Authorization: Bearer {user.token}"
            git("-c", known, "clone", "-q", f"{hub.url}/{name}", tmp_path / "somebody")
            assert git("ls-remote", f"{hub.url}/{name}")  # no turn is needed to list the refs
            assert waiting.is_alive()
            assert not (tmp_path / "nobody" / "last.txt").exists()
        waiting.join(60)
        assert (tmp_path / "nobody" / "last.txt").read_text() == "x"
    finally:
        hub.stop()


def test_no_git_outlives_a_server_that_is_killed(
    fresh_server: Hub, git: Git, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    user = fresh_server.user(unique("killed"))
    name = create(fresh_server, user, f"{user.name}/x")
    remote = with_credentials(f"{fresh_server.url}/{name}", user.name, user.token)
    git("clone", "-q", remote, tmp_path / "work")
    for number in range(8):
        (tmp_path / "work" / f"{number}.txt").write_bytes(os.urandom(8_000_000))
    tip = add(git, tmp_path / "work", "last.txt", "x")
    git("-c", "pack.window=0", "push", "-q", "origin", "main", cwd=tmp_path / "work")
    with slow_fetch(fresh_server, name, tip):
        children = git_children(fresh_server)
        assert children
        assert fresh_server.process is not None
        fresh_server.process.kill()
        fresh_server.process.wait()
        fresh_server.process = None
        assert eventually(lambda: not any(is_git(pid) for pid in children), 2)
