"""What a job's function gets as its first argument, and how one claimed job is run to its outcome."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Literal

from django.db import connection

from hutch.core import job_queue
from hutch.core.job_queue import LOG_CHARACTERS, Claim
from hutch.core.jobs import GiveUp, JobCancelled
from hutch.core.text import storable, storable_json

WRITER_PAUSE_S = 0.01
_TEXT_CHARACTERS = 300
_log = logging.getLogger("hutch.jobs")

Reason = Literal["cancelled", "lost", "stopping"]
Outcome = Callable[[], None]


class Run:
    """`core.jobs.JobRun` for one claim. Progress and log wait here until the keeper saves them."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.job_id = claim.job_id
        self.attempt = claim.attempt
        self.reason: Reason | None = None
        self.extended_at = time.monotonic()
        self._lock = threading.Lock()
        self._unsaved: dict[str, Any] = {}
        self._log = claim.log

    @property
    def cancelled(self) -> bool:
        """Whether the job should end."""
        return self.reason is not None

    def stop(self, reason: Reason) -> None:
        """Has the next checkpoint raise; the first reason counts."""
        self.reason = self.reason or reason

    def checkpoint(self) -> None:
        """Raises JobCancelled if the job should end."""
        if self.reason is not None:
            raise JobCancelled(self.reason)

    def progress(self, fraction: float, text: str = "") -> None:
        """Keeps how far the job is."""
        with self._lock:
            self._unsaved["fraction"] = min(1.0, max(0.0, fraction))
            self._unsaved["progress_text"] = storable(text)[:_TEXT_CHARACTERS]
        self.checkpoint()

    def log(self, line: str) -> None:
        """Adds a line; the oldest go when there are too many."""
        with self._lock:
            self._log = last_lines(self._log + storable(line).rstrip("\n") + "\n", LOG_CHARACTERS)
            self._unsaved["log"] = self._log

    def pause(self) -> None:
        """Lets other writers have a turn."""
        self.checkpoint()
        if connection.vendor == "sqlite":
            time.sleep(WRITER_PAUSE_S)

    def unsaved(self) -> dict[str, Any]:
        """Hands over what is not in the row yet."""
        with self._lock:
            values, self._unsaved = self._unsaved, {}
        return values


def perform(run: Run) -> Outcome:
    """Calls the job's function and returns what is to be recorded, to be called in a transaction."""
    claim = run.claim
    outcome: Outcome
    try:
        result = claim.definition.function(run, **claim.arguments)
        json.dumps(result, allow_nan=False)
        result = storable_json(result)
        outcome = lambda: job_queue.finish(claim, result)  # noqa: E731
    except JobCancelled:
        outcome = _ended_early(run)
    except GiveUp as error:
        outcome = _failure(run, error, again=False)
    except BaseException as error:  # a job that calls sys.exit() must not end the worker's thread
        outcome = _failure(run, error, again=True)

    def record() -> None:
        # kept for the last time: a transaction that is tried again must write them again
        claim.row.update(**last) if last else None
        outcome()

    last = run.unsaved()
    return record


def _ended_early(run: Run) -> Outcome:
    if run.reason == "cancelled":
        return lambda: job_queue.cancelled(run.claim)
    if run.reason == "stopping":
        return lambda: job_queue.give_back(run.claim)
    if run.reason == "lost":
        return lambda: None
    return _failure(run, JobCancelled("the job ended itself without having been cancelled"), again=True)


def _failure(run: Run, error: BaseException, *, again: bool) -> Outcome:
    claim = run.claim
    _log.warning(
        "job %d (%s) failed at attempt %d", claim.job_id, claim.definition.name, claim.attempt, exc_info=error
    )
    text = storable("".join(traceback.format_exception(error)))
    return lambda: job_queue.fail(claim, text, again=again)


def last_lines(text: str, most: int) -> str:
    """The last whole lines that fit into so many characters."""
    if len(text) <= most:
        return text
    tail = text[-most:]
    return tail.partition("\n")[2] or tail
