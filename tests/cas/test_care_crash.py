"""Killed by real SIGKILLs between two steps of mending, cutting up, collecting, compacting: nothing in use is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Postgres

POINTS = (
    "storage.before_rename:1", "storage.after_rename:2", "storage.before_delete:1", "storage.before_delete:2",
    "storage.before_delete:4", "cas.after_xorb_blob:1", "cas.after_xorb_blob:2", "cas.after_xorb_blob:3",
    "cas.before_cut_rows:1", "cas.after_cut_rows:2", "cas.after_rows_collected:1", "cas.after_rows_collected:2",
    "cas.after_rows_collected:3", "cas.before_compaction_rows:1", "cas.after_compaction_rows:1",
)  # fmt: skip


class Crashing:
    """A data folder and database of its own, on which child processes work and die."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("HUTCH_", "DJANGO_"))},
            "HUTCH_DATA": str(folder),
            "HUTCH_DATABASE_URL": database_url,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def run(self, what: str, point: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.cas.crash_child", what, point],
            env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def told(self, what: str) -> dict[str, Any]:
        done = self.run(what)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared") / "data"
    done = Crashing(folder, "").run("prepare")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def crashing(prepared: Path, tmp_path: Path, postgres: Postgres | None) -> Crashing:
    if postgres is None:
        shutil.copytree(prepared, tmp_path / "data")
        return Crashing(tmp_path / "data", "")
    made = Crashing(tmp_path / "data", postgres.new_database())
    assert made.run("prepare").returncode == 0
    return made


@pytest.mark.parametrize("point", POINTS)
def test_kill_in_the_midst_of_care_loses_nothing_and_the_next_time_finishes_it(
    crashing: Crashing, point: str
) -> None:
    done = crashing.run("kill", point)
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    found = crashing.told("look")
    assert (found["whole"], found["linked"]) == (True, 4)
    assert found["news"] == [], "all but the xorb that was damaged before is whole"
    found = crashing.told("finish")
    assert (found["whole"], found["linked"], found["problems"]) == (True, 4, [])
    assert (found["objects"], found["strays"], found["unused"]) == (4, 0, 0)
    assert found["blobs"] == [0, found["xorbs"]]
