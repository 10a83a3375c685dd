"""Jobs of the tests' child processes."""

from __future__ import annotations

import os
import time

import hutch.boot
from hutch.core import jobs
from hutch.settings import current

assert hutch.boot


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
