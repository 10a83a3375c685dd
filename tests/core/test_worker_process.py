"""Workers as processes of their own: killed, ended, beside each other, and inside a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.hub import PROGRAM
from tests.postgres import Postgres, free_port

CHILD = Path(__file__).with_name("job_child.py")


@dataclass
class Site:
    """A data folder and a database, and the processes that work on them."""

    data: Path
    database_url: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("HUTCH_", "DJANGO_"))
        }
        return kept | {
            "HUTCH_DATA": str(self.data),
            "HUTCH_DATABASE_URL": self.database_url,
            "PYTHONPATH": str(CHILD.parents[2]),
        }

    def start(self, *words: str | Path, **settings: str) -> subprocess.Popen[bytes]:
        log = self.data.with_name("log")
        with log.open("ab") as output:
            process = subprocess.Popen(
                words, stdout=output, stderr=output, env=self.environment | settings, start_new_session=True
            )
        self.processes.append(process)
        return process

    def work(self, threads: int = 1) -> subprocess.Popen[bytes]:
        process = self.start(sys.executable, CHILD, "work", str(threads))
        until((self.data / f"working-{process.pid}").exists)
        return process

    def call(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, CHILD, *words], env=self.environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def enqueue(self, name: str, *arguments: Any) -> list[int]:
        return [int(line) for line in self.call("enqueue", name, *map(json.dumps, arguments)).split()]

    def show(self, job_id: int) -> dict[str, Any]:
        return json.loads(self.call("show", str(job_id)))

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *words], env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    @property
    def notes(self) -> list[str]:
        path = self.data / "notes"
        return path.read_text().split("\n")[:-1] if path.exists() else []


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited for 120 s"
        time.sleep(0.05)
    return found


@pytest.fixture
def site(tmp_path: Path, postgres: Postgres | None) -> Iterator[Site]:
    found = Site(tmp_path / "data", postgres.new_database() if postgres else "")
    found.data.mkdir()
    yield found
    for process in found.processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_job_of_a_killed_worker_is_run_again_by_the_next(site: Site) -> None:
    worker = site.work()
    [job_id] = site.enqueue("child.sleep", {"first_s": 600})
    until(lambda: site.notes == ["begun 1"])
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert site.show(job_id)["state"] == "running"
    site.work()
    until(lambda: site.notes == ["begun 1", "begun 2"])
    row = until(lambda: (found := site.show(job_id))["state"] == "done" and found)
    assert (row["attempts"], row["result"]) == (2, {"attempt": 2})


def test_worker_that_is_ended_gives_its_job_back(site: Site) -> None:
    worker = site.work()
    [polite] = site.enqueue("child.wait", {})
    until(lambda: site.notes == ["begun 1"])
    worker.terminate()
    assert worker.wait(timeout=10) == 0
    row = site.show(polite)
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_worker_that_is_ended_does_not_wait_for_a_job_without_checkpoints(site: Site) -> None:
    worker = site.work()
    [deaf] = site.enqueue("child.sleep", {"first_s": 600})
    until(lambda: site.notes == ["begun 1"])
    worker.terminate()
    assert worker.wait(timeout=10) == 0
    row = site.show(deaf)
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_two_processes_run_each_job_once(site: Site) -> None:
    site.work(2)
    site.work(2)
    site.enqueue("child.note", *({"number": number} for number in range(40)))
    until(lambda: len(site.notes) >= 40)
    time.sleep(0.5)
    assert sorted(map(int, site.notes)) == list(range(40))


def test_hutch_worker_beside_another_process_is_refused_on_sqlite_alone(
    site: Site, postgres: Postgres | None
) -> None:
    site.work()
    if postgres is None:
        until((site.data / "worker.lock").exists)
        refused = site.command("worker")
        assert refused.returncode != 0
        assert "on SQLite only one may" in refused.stderr
        assert refused.stdout == ""
    else:
        beside = site.start(PROGRAM, "worker")
        until(lambda: "Hutch runs jobs" in site.data.with_name("log").read_text())
        beside.terminate()
        assert beside.wait(timeout=10) == 0


def serve(site: Site, **settings: str) -> subprocess.Popen[bytes]:
    server = site.start(PROGRAM, "serve", "--port", str(free_port()), **settings)
    until(lambda: b"Hutch is ready" in site.data.with_name("log").read_bytes())
    return server


def swept(site: Site) -> list[str]:
    listed = site.command("jobs", "list", "--name", "core.sweep", "--json")
    return [row["state"] for row in json.loads(listed.stdout)["jobs"]]


def test_server_runs_jobs_that_another_process_enqueued(site: Site) -> None:
    serve(site)
    site.enqueue("core.sweep", {})
    until(lambda: swept(site) == ["done"])


def test_server_without_workers_leaves_the_jobs_to_hutch_worker(site: Site) -> None:
    server = serve(site, HUTCH_JOB_WORKERS="0")
    worker = site.start(PROGRAM, "worker", "--threads", "1")
    site.enqueue("core.sweep", {})
    until(lambda: swept(site) == ["done"])
    for process in (worker, server):
        process.terminate()
        assert process.wait(timeout=10) == 0


def test_server_that_is_ended_gives_its_job_back(site: Site) -> None:
    server = site.start(sys.executable, CHILD, "serve", str(free_port()))
    [job_id] = site.enqueue("child.wait", {})
    until(lambda: site.notes == ["begun 1"])
    server.terminate()
    assert server.wait(timeout=10) == 0
    row = site.show(job_id)
    assert (row["state"], row["attempts"]) == ("queued", 0)


def test_job_of_a_killed_server_is_run_by_the_next(site: Site) -> None:
    server = site.start(sys.executable, CHILD, "serve", str(free_port()))
    [job_id] = site.enqueue("child.sleep", {"first_s": 600})
    until(lambda: site.notes == ["begun 1"])
    server.kill()  # its pid alone: its children die with it
    server.wait()
    site.start(sys.executable, CHILD, "serve", str(free_port()))
    until(lambda: site.show(job_id)["state"] == "done")
    assert site.notes == ["begun 1", "begun 2"]


def test_jobs_are_steered_from_the_command_line(site: Site) -> None:
    [first, second] = site.enqueue("child.note", {"number": 1}, {"number": 2})
    assert (
        site.command("jobs", "list").stdout.split("\n")[1]
        == f'{first}\tchild.note\tqueued\t0\t0%\t{{"number": 1}}'
    )
    cancelled = site.command("jobs", "cancel", str(first), "--json")
    assert json.loads(cancelled.stdout)["state"] == "cancelled"
    again = site.command("jobs", "cancel", str(first))
    assert (again.returncode, again.stdout) == (1, "")
    assert f"Job {first} is cancelled already" in again.stderr
    assert json.loads(site.command("jobs", "retry", str(first), "--json").stdout)["state"] == "queued"
    assert "name: child.note" in site.command("jobs", "show", str(second)).stdout
    assert site.command("jobs", "show", "999999").returncode == 1
    wrong = site.command("jobs", "list", "--state", "gone")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "state must be one of queued" in wrong.stderr
