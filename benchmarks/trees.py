"""A repository of 100,000 files in 1,000 folders against one of 1,000 files: a tree page, a commit of ten files."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.client import Api
from benchmarks.report import Result, spread
from tests.acceptance.hub import Hub


def big_tree(folder: Path) -> Iterator[Result]:
    """Both repositories are pushed by git; the calls are timed in turn."""
    hub = Hub(folder / "data").start()
    try:
        api = Api(hub, "bench")
        for name, folders in (("small", 10), ("big", 1000)):
            api.create(f"bench/{name}")
            _push(folder / name, f"{hub.url}/bench/{name}", api.token, folders)
        for label, call in (
            ("a tree page of the root", _page(api, "")),
            ("a tree page of a folder, with last commits", _page(api, "/folder-0003?expand=true")),
            ("a recursive tree page", _page(api, "?recursive=true")),
            ("a commit of 10 files", _commit(api)),
        ):
            ratios = _in_turn(call)
            yield Result(
                f"{label}: 100,000 files against 1,000",
                statistics.median(ratios),
                2.0,
                "at most",
                "x",
                spread(ratios),
            )
    finally:
        hub.stop()


def _page(api: Api, rest: str) -> Callable[[str], None]:
    path, _, query = rest.partition("?")
    return lambda name: api.call("GET", f"/api/models/bench/{name}/tree/main{path}?limit=100&{query}")


def _commit(api: Api) -> Callable[[str], None]:
    count = iter(range(10**6))

    def call(name: str) -> None:
        stamp = next(count)
        api.commit_files(f"bench/{name}", {f"folder-{n:04}/new-{stamp}.txt": b"new" for n in range(10)})

    return call


def _in_turn(call: Callable[[str], None]) -> list[float]:
    for name in ("small", "big"):
        call(name)
    ratios = []
    for _ in range(15):
        took = {}
        for name in ("small", "big"):
            begin = time.monotonic()
            call(name)
            took[name] = time.monotonic() - begin
        ratios.append(took["big"] / took["small"])
    return ratios


def _push(work: Path, url: str, token: str, folders: int) -> None:
    subprocess.run(["git", "init", "-q", "-b", "main", str(work)], check=True)
    stream = [
        "blob\nmark :1\ndata 6\nhello\n\n",
        "commit refs/heads/main\ncommitter B <b@example.org> 1700000000 +0000\ndata 5\nfiles\n",
    ]
    stream += [f"M 100644 :1 folder-{f:04}/file-{n:03}.txt\n" for f in range(folders) for n in range(100)]
    subprocess.run(
        ["git", "-C", str(work), "fast-import", "--quiet"], input="".join(stream).encode(), check=True
    )
    remote = url.replace("http://", f"http://bench:{token}@")
    subprocess.run(["git", "-C", str(work), "push", "-q", "--force", remote, "main"], check=True)
