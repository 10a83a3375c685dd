"""What is there after the process was killed, by real SIGKILLs between two steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import Postgres


class Crashing:
    """A data folder and database of its own, on which child processes work and die."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("HUTCH_", "DJANGO_"))},
            "HUTCH_DATA": str(folder),
            "HUTCH_DATABASE_URL": database_url,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }

    def run(self, what: str, point: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tests.repos.crash_child", what, point],
            env=self._environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def die_at(self, point: str) -> None:
        done = self.run("kill", point)
        assert done.returncode == -signal.SIGKILL, done.stderr

    def after(self) -> dict[str, Any]:
        done = self.run("restart")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def crashing(tmp_path: Path, postgres: Postgres | None) -> Crashing:
    made = Crashing(tmp_path / "data", postgres.new_database() if postgres else "")
    done = made.run("prepare")
    assert done.returncode == 0, done.stderr
    return made


def test_killed_between_intent_and_ref_nothing_was_committed(crashing: Crashing) -> None:
    crashing.die_at("repos.after_intent")
    found = crashing.after()
    assert (found["settled"], found["intents"]) == (1, 0)
    assert found["rows"] == found["heads"]
    assert found["files"]["ann/bert"] == [".gitattributes"]


def test_killed_between_ref_and_row_the_commit_is_there(crashing: Crashing) -> None:
    crashing.die_at("repos.after_ref")
    found = crashing.after()
    assert (found["settled"], found["intents"]) == (1, 0)
    assert found["rows"] == found["heads"]
    assert sorted(found["files"]["ann/bert"]) == [".gitattributes", "x.txt"]


def test_killed_between_folder_and_row_the_folder_goes(crashing: Crashing) -> None:
    crashing.die_at("repos.after_folder")
    found = crashing.after()
    assert (list(found["rows"]), found["swept"], found["folders"]) == (["ann/bert"], 1, 1)


def test_killed_between_row_and_folder_of_a_deletion_the_folder_goes(crashing: Crashing) -> None:
    crashing.die_at("repos.after_row_gone")
    found = crashing.after()
    assert (found["rows"], found["swept"], found["folders"]) == ({}, 1, 0)


def test_killed_between_row_and_head_of_a_new_default_branch_both_name_it(crashing: Crashing) -> None:
    crashing.die_at("repos.after_default_row")
    assert crashing.after()["defaults"] == {"ann/bert": ["next", "next"]}
