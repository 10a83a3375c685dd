"""A process of its own that enqueues or runs jobs over the data folder and database of its environment.

job_child.py enqueue NAME ARGUMENTS      prints the job's id
job_child.py show ID                     prints the row as JSON
job_child.py work THREADS                runs jobs until SIGTERM
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import hutch.boot  # noqa: F401
from hutch.core import database, jobs
from hutch.core.models import Job
from hutch.core.worker import Workers
from hutch.settings import current


def note(text: str) -> None:
    handle = os.open(current().data / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(handle, f"{text}\n".encode())
    os.close(handle)


@jobs.job("child.sleep", retries=3, lease_s=3)
def sleep(run: jobs.JobRun, *, first_s: float) -> dict[str, int]:
    """Sleeps long at its first attempt, without a checkpoint."""
    run.log(f"attempt {run.attempt}")
    note(f"begun {run.attempt}")
    if run.attempt == 1:
        time.sleep(first_s)
    return {"attempt": run.attempt}


@jobs.job("child.wait", retries=3)
def wait(run: jobs.JobRun) -> None:
    """Waits until it is told to end."""
    note(f"begun {run.attempt}")
    while True:
        time.sleep(0.05)
        run.checkpoint()


@jobs.job("child.note", lease_s=30)
def write(run: jobs.JobRun, *, number: int) -> None:
    """Writes down that it ran."""
    note(str(number))


def main(words: list[str]) -> None:
    database.migrate()
    if words[0] == "enqueue":
        for arguments in words[2:]:
            print(jobs.enqueue(words[1], **json.loads(arguments)))
    elif words[0] == "show":
        row = Job.objects.filter(pk=int(words[1])).values("state", "attempts", "log", "error", "result").get()
        print(json.dumps(row))
    elif words[0] == "work":
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        workers = Workers(int(words[1]))
        workers.start()
        Path(current().data / f"working-{os.getpid()}").touch()
        ended.wait()
        workers.stop()


main(sys.argv[1:])
