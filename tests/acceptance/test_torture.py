"""Ten kills amid real writers lose nothing that was acknowledged; and what is lost on purpose is noticed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.clients import ROOT
from tests.postgres import Postgres

SABOTAGE = """
import sys
from pathlib import Path
from benchmarks.torture import Torture
from hutch.git import ref_update
import pygit2

torture = Torture(Path(sys.argv[1]), 11, sys.argv[2])
ledger, blobs = torture.run.ledger, torture.hub.data / "storage" / "blobs"

def acked(kind):
    return [write for write in ledger.of(kind) if write.state == "acked"]

def losable():
    if sys.argv[3] == "branch":
        return [write for write in acked("commit") if write.branch == "commits"]
    if sys.argv[3] == "xorb":
        return [path for write in acked("xorb") for path in blobs.rglob(write.oid + "*")]
    oids = [file.sha256 for write in acked("commit") for file in write.files.values() if file.is_large]
    paths = [blobs / "lfs" / oid[:2] / oid[2:4] / oid for oid in oids]
    return [path for path in paths if path.exists()]  # the others came by Xet

while not losable() and torture.tally.kills < 8:
    torture.kill()
assert torture.problems == [], torture.problems
if sys.argv[3] == "branch":
    write = losable()[0]
    for folder in (torture.hub.data / "git").glob("??/*.git"):
        git = pygit2.Repository(str(folder))
        if write.answer in git:
            name = "refs/heads/commits"
            now, back = git.references[name].target, git[write.answer].parents[0].id
            # not by libgit2: the kill may have left a lock file, which the hub knows to put aside
            ref_update.update(folder, [ref_update.RefUpdate(name, str(now), str(back))])
else:
    losable()[-1].unlink()  # the youngest, which has not been downloaded yet
for problem in torture.verdict.problems():
    print(problem)
torture.run.gate.end()
torture.hub.kill()
"""


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, timeout=900, cwd=ROOT, check=False
    )


@pytest.fixture
def database_url(postgres: Postgres | None) -> str:
    return postgres.new_database("torture") if postgres else ""


@pytest.mark.slow
def test_ten_kills_lose_nothing_that_was_acknowledged(database_url: str) -> None:
    done = _run("-m", "benchmarks.torture", "--kills", "10", "--seed", "7", "--database-url", database_url)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    summary = done.stdout.splitlines()
    assert summary[-1] == "0 problems"
    kills = re.fullmatch(
        r"(\d+) kills, (\d+) of them at a fault point, (\d+) writers at work then", summary[-3]
    )
    assert kills is not None
    assert int(kills[1]) == 10
    assert int(kills[3]) > 0, "nothing was under way at any kill"
    told = re.match(r"(\d+) writes acknowledged", summary[-2])
    assert told is not None
    assert int(told[1]) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "told"), [("blob", "missing"), ("xorb", "missing"), ("branch", "an acknowledged commit is gone")]
)
def test_a_loss_on_purpose_is_noticed(tmp_path: Path, database_url: str, what: str, told: str) -> None:
    done = _run("-c", SABOTAGE, tmp_path, database_url, what)
    assert done.returncode == 0, done.stderr[-5000:]
    assert told in done.stdout
