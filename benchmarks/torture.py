"""`make torture N=200`: kills the hub over and over amid uploads, commits and pushes, and looks for anything lost.

A run is a seed: what is written and when the hub dies. Each kill ends the whole process tree by SIGKILL, when bytes are
in flight or at a fault point between two steps of a write. The hub starts again on the same port and folder at once,
`hutch fsck` checks it, and every acknowledged write must be there. Exits 1 on any loss.
"""

from __future__ import annotations

import argparse
import atexit
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

# Before huggingface_hub is imported: it reads them once.
os.environ |= {
    "HF_HOME": tempfile.mkdtemp(prefix="hutch-torture-home-"),
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_OFFLINE": "0",
    # By itself hf_xet waits three seconds and more before it tries again, and every kill would wait for it.
    "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms",
}

from benchmarks.bucket_writers import ByBucket
from benchmarks.client_writers import ByHub, ByPush, Refs, Repos, prepare
from benchmarks.ledger import Ledger
from benchmarks.verdict import Verdict
from benchmarks.writers import ByBasic, ByBrowser, ByCommits, ByParts, Run, Writer
from benchmarks.xet_writers import ByXet, ByXorbs
from tests.acceptance.hub import Hub

atexit.register(shutil.rmtree, os.environ["HF_HOME"], ignore_errors=True)

# Small parts, so that small files go in many.
SETTINGS = {"part_bytes": str(256 << 10), "multipart_from_bytes": str(1 << 20), "log_level": "warning"}
FAULTS = (
    "storage.before_write", "storage.before_sync", "storage.before_rename", "storage.after_rename",
    "storage.after_put", "cas.after_row", "cas.after_xorb_blob", "cas.after_xorb_row", "cas.after_shard_rows",
    "repos.after_intent", "repos.after_migrate", "repos.after_ref", "repos.after_folder", "repos.after_row_gone",
    "buckets.before_commit", "buckets.after_commit",
)  # fmt: skip
FAULT_SHARE = 0.4
FAULT_LIMIT_S = 6.0
REST_LIMIT_S = 90.0
USER = "torture"


@dataclass
class Tally:
    """What the summary says."""

    kills: int = 0
    by_fault: int = 0
    at_work: int = 0


class Torture:
    """One run over one data folder."""

    def __init__(self, folder: Path, seed: int, database_url: str = "") -> None:
        self.dice = random.Random(seed)
        settings = SETTINGS | ({"database_url": database_url} if database_url else {})
        self.hub = Hub(folder / "data", settings)
        self.hub.start()
        token = self.hub.user(USER).token
        self.run = Run(self.hub.url, USER, token, folder, Ledger(folder / "ledger.jsonl"))
        self.verdict = Verdict(self.run, self.hub, random.Random(seed))
        self.tally = Tally()
        self.problems: list[str] = []
        self.writers = self._writers(seed)

    def _writers(self, seed: int) -> list[Writer]:
        alpha, beta = f"{USER}/alpha", f"{USER}/beta"
        prepare(self.run, alpha, ["main", "basic", "parts", "pushed", "xet"])
        prepare(self.run, beta, ["main", "browser", "commits", "xorbs"])
        found: list[Writer] = [
            ByBasic(self.run, alpha, "basic", seed + 1),
            ByParts(self.run, alpha, "parts", seed + 2),
            ByPush(self.run, alpha, "pushed", seed + 3, large=False),
            ByHub(self.run, alpha, "main", seed + 4),
            ByHub(self.run, alpha, "main", seed + 5),
            ByPush(self.run, beta, "main", seed + 6, large=True),
            ByBrowser(self.run, beta, "browser", seed + 7),
            ByCommits(self.run, beta, "commits", seed + 8),
            Refs(self.run, beta, "main", seed + 9),
            Repos(self.run, beta, "main", seed + 10),
            ByXet(self.run, alpha, "xet", seed + 11),
            ByXorbs(self.run, beta, "xorbs", seed + 12),
            ByBucket(self.run, f"{USER}/bucket", seed + 13),
        ]
        for writer in found:
            writer.start()
        return found

    def kill(self) -> None:
        """One kill, one start, one examination."""
        fault = self.dice.choice(FAULTS) if self.dice.random() < FAULT_SHARE else ""
        died = self._until_fault(fault) if fault else self._until_some_moment()
        self.tally.kills += 1
        self.tally.by_fault += died
        self.hub.start()
        if not self.run.gate.wait_for_rest(REST_LIMIT_S):
            self.problems.append(f"kill {self.tally.kills}: a writer hangs after the hub is back")
        self.run.gate.may_die = False
        found = [*self.verdict.problems(), *self.run.problems]
        self.run.problems.clear()
        self.problems += [f"kill {self.tally.kills} ({fault or 'a moment'}): {what}" for what in found]

    def _until_some_moment(self) -> bool:
        gate = self.run.gate
        gate.open()
        time.sleep(self.dice.uniform(0.1, 1.5))
        gate.wait_for_bytes(1.0)
        time.sleep(self.dice.uniform(0.0, 0.02))
        self._end()
        return False

    def _until_fault(self, fault: str) -> bool:
        self.hub.kill()  # at rest: only to start with the fault
        self.hub.settings["fault"] = f"{fault}:{self.dice.randrange(1, 6)}"
        self.hub.start()
        del self.hub.settings["fault"]
        self.run.gate.may_die = True
        self.run.gate.open()
        deadline = time.monotonic() + FAULT_LIMIT_S
        while (
            self.hub.process is not None and self.hub.process.poll() is None and time.monotonic() < deadline
        ):
            time.sleep(0.01)
        died = self.hub.process is not None and self.hub.process.poll() is not None
        self._end()
        return died

    def _end(self) -> None:
        # The death is counted before it happens: whatever fails from here on may fail.
        self.run.gate.deaths += 1
        self.tally.at_work += self.run.gate.close()
        self.hub.kill()

    def finish(self) -> None:
        """The last examination, of more than before, and the end."""
        self.run.gate.end()
        self.problems += [f"at the end: {what}" for what in self.verdict.problems(downloads=200)]
        for writer in self.writers:
            writer.join(timeout=REST_LIMIT_S)
        self.hub.stop()
        self.verdict.http.close()
        self.run.ledger.close()

    def summary(self) -> str:
        """The run in a few lines."""
        ledger, tally = self.run.ledger, self.tally
        return "\n".join(
            [
                f"{tally.kills} kills, {tally.by_fault} of them at a fault point, {tally.at_work} writers at work then",
                f"{ledger.count('acked')} writes acknowledged ({self.verdict.survived} of them told only by the hub "
                f"itself), {ledger.count('gone')} never happened, {ledger.count('refused')} refused",
                *self.problems[:50],
                f"{len(self.problems)} problems",
            ]
        )


def main() -> int:
    """Reads the command line, runs, prints; the exit status says whether anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--database-url", default="")
    parser.add_argument("--keep", action="store_true", help="keep the folder, also without problems")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="hutch-torture-"))
    print(f"seed {options.seed} in {folder}", flush=True)
    torture = Torture(folder, options.seed, options.database_url)
    try:
        for number in range(1, options.kills + 1):
            known = len(torture.problems)
            torture.kill()
            for what in torture.problems[known:]:
                print(what[:1000], flush=True)
            if number % 10 == 0:
                print(f"{number} kills, {torture.run.ledger.count('acked')} acknowledged", flush=True)
        torture.finish()
    finally:
        torture.hub.kill()
    print(torture.summary(), flush=True)
    if torture.problems:
        return 1
    if not options.keep:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
