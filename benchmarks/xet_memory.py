"""Memory that 64 xorbs of 64 MB take when they come at the same moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Result
from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Sender
from tests.acceptance.xet_crowd import Crowd
from tests.acceptance.xet_sender import cas_of

_COUNT, _CHUNKS = 64, 1024


def crowd(folder: Path) -> Iterator[Result]:
    """Raw uploads of distinct xorbs from as many threads; the server's anonymous memory, sampled meanwhile."""
    hub = Hub(folder / "data").start()
    try:
        sender = Sender(hub, hub.user("bench"))
        cas = cas_of(sender, sender.create("crowd"))
        Crowd(2, 16).send_all(hub, cas)
        statuses, grown = Crowd(_COUNT, _CHUNKS).send_all(hub, cas)
        refused = [status for status in statuses if status != 200]
        if refused:
            raise AssertionError(f"xorbs were refused: {refused}")
        yield Result(
            f"anonymous memory grown by {_COUNT} xorbs of 64 MB at once", grown / 2**20, 300, "at most", "MiB",
            "RssAnon of the process tree",
        )  # fmt: skip
    finally:
        hub.stop()
