from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from hutch.git import check, maintenance, process, repository

ROOT = Path(__file__).resolve().parents[2]
KILLS = 8


def _run_until_killed(bare: Path, source: Path, first: int, seconds: float) -> list[str]:
    """Start the child, kill its whole session after a while, and return what it had acknowledged."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.git.crash_child", str(bare), str(source), str(first)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().decode().strip()]
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGKILL)
    acknowledged += child.stdout.read().decode().split()
    child.stdout.close()
    child.wait()
    return [oid for oid in acknowledged if len(oid) == 40]


def test_kills_at_any_moment_lose_nothing_that_was_acknowledged(bare: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.git"
    repository.create(source)
    chance = random.Random(2)
    acknowledged: list[str] = []
    for round_ in range(KILLS):
        acknowledged += _run_until_killed(bare, source, round_ * 1000, chance.uniform(0.0, 0.25))
        assert check.fsck(bare) == []
    assert len(acknowledged) >= KILLS
    reachable = set(process.run(bare, ["rev-list", "--all"]).decode().split())
    assert set(acknowledged) <= reachable
    maintenance.remove_abandoned(bare, older_than_s=-1)
    assert not list((bare / "objects").glob("incoming-*"))
    maintenance.repack(bare)
    maintenance.collect(bare, keep_s=0)
    assert set(acknowledged) <= set(process.run(bare, ["rev-list", "--all"]).decode().split())
    assert check.fsck(bare) == []
