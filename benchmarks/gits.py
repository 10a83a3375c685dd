"""`git clone` of a repository of 1,000 commits, against git daemon over the same repository."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.client import Api
from benchmarks.peers import git_daemon
from benchmarks.report import Result, spread
from tests.acceptance.hub import Hub

_COMMITS = 1000


def clone(folder: Path) -> Iterator[Result]:
    """The hub's own bare repository is cloned through the hub and through git daemon, in turn."""
    hub = Hub(folder / "data").start()
    try:
        api = Api(hub, "bench")
        api.create("bench/history")
        work = folder / "work"
        _history(work)
        remote = f"{hub.url}/bench/history".replace("http://", f"http://bench:{api.token}@")
        subprocess.run(["git", "-C", str(work), "push", "-q", "--force", remote, "main"], check=True)
        bare = next((folder / "data" / "git").glob("*/*.git"))
        with git_daemon(bare.parent) as peer:
            ratios, seconds = [], []
            for round_ in range(11):
                mine = _clone(f"{hub.url}/bench/history", folder / "clone")
                theirs = _clone(f"{peer}/{bare.name}", folder / "clone")
                if round_:
                    ratios.append(theirs / mine)
                    seconds.append(mine)
        yield Result(
            f"git clone of {_COMMITS:,} commits, speed against git daemon",
            statistics.median(ratios),
            0.8,
            "at least",
            "x",
            f"{spread(ratios)}; ours {spread(seconds)} s",
        )
    finally:
        hub.stop()


def _history(work: Path) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    stream = []
    for number in range(_COMMITS):
        text = f"line {number}\n" * 200
        stream.append(
            f"commit refs/heads/main\ncommitter B <b@example.org> {1700000000 + number} +0000\ndata 2\nc\n"
            f"M 100644 inline src/file-{number % 50}.txt\ndata {len(text)}\n{text}\n"
        )
    subprocess.run(
        ["git", "-C", str(work), "fast-import", "--quiet"], input="".join(stream).encode(), check=True
    )


def _clone(url: str, target: Path) -> float:
    shutil.rmtree(target, ignore_errors=True)
    begin = time.monotonic()
    subprocess.run(["git", "clone", "-q", "--bare", url, str(target)], check=True)
    return time.monotonic() - begin
