"""The backup of docs/operations.md, done as it stands there beside a writer, restores a hub that has everything."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.clients import ROOT
from tests.acceptance.hub import Hub
from tests.acceptance.lfs_sender import Sender


def _script(data: Path, to: Path) -> list[str]:
    """The documented commands, before, during and after the pause."""
    page = (ROOT / "docs" / "operations.md").read_text()
    (block,) = re.findall(r"^## Backup\n.*?```sh\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    first = "data=/srv/hutch to=/backup/hutch\n"
    assert first in block
    block = block.replace(first, f"set -e; data={data} to={to}\n")
    before, _, rest = block.partition("systemctl stop hutch\n")
    during, _, after = rest.partition("systemctl start hutch\n")
    names = "\n".join(before.splitlines()[:2]) + "\n"
    return [before, names + during, after]


def _bash(script: str) -> None:
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_documented_backup_restores_everything_that_was_there(
    new_hub: Callable[..., Hub], tmp_path: Path
) -> None:
    hub = new_hub().start()
    sender = Sender(hub, hub.user("owner"))
    repo, stop, written = sender.create("kept"), threading.Event(), dict[str, bytes]()

    def write() -> None:
        while not stop.is_set():
            path, content = f"{len(written) % 5}.bin", b"%d" % len(written) * 5000
            sender.send(repo, content)
            assert sender.commit(repo, path, content).status == 200
            written[path] = content

    writer = threading.Thread(target=write)
    writer.start()
    to = tmp_path / "backup" / "data"
    to.mkdir(parents=True)
    before, during, after = _script(hub.data, to)
    try:
        _bash(before)
    finally:
        stop.set()
        writer.join()
        assert hub.stop() == 0
    _bash(during)
    assert after.strip() == ""
    assert len(written) > 0
    restored = Hub(to, hub.settings)
    report = restored.cli_json("fsck")
    assert (report["problems"], report["repositories"]) == ([], 1)
    restored.start()
    try:
        there = Sender(restored, sender.user)
        for path, content in written.items():
            assert there("GET", f"/{repo}/resolve/main/{path}").body == content
        assert there.commit(repo, "more.bin", written["0.bin"]).status == 200
    finally:
        restored.stop()
