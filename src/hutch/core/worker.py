"""The threads that run jobs: `job_workers` of them in the server on SQLite, or in `hutch worker` on any machine.

One more thread, the keeper, extends leases, saves progress, notices cancellations and starts scheduled jobs.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import close_old_connections, connection, connections, transaction

from hutch.core import job_queue, jobs, schedule
from hutch.core.job_queue import Claim
from hutch.core.job_run import WRITER_PAUSE_S, Outcome, Run, perform
from hutch.core.worker_lock import WorkerLock

_POLL_S = 2.0
_KEEP_S = 1.0
_TICK_S = 5.0
_STOP_S = 3.0
_AFTER_STOP_S = 10.0
_log = logging.getLogger("hutch.jobs")
R = TypeVar("R")


class Pace:
    """Keeps one process's worker transactions apart, so that SQLite's unfair lock leaves others a turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0.0

    def write(self, function: Callable[[], R]) -> R:
        """Calls the function in a transaction."""
        if connection.vendor != "sqlite":
            with transaction.atomic():
                return function()
        with self._lock:
            time.sleep(max(0.0, self._last + WRITER_PAUSE_S - time.monotonic()))
            try:
                with transaction.atomic():
                    return function()
            finally:
                self._last = time.monotonic()


class Workers:
    """A process's workers. The first of several threads takes only jobs that are declared quick."""

    def __init__(self, threads: int) -> None:
        self._name = f"{socket.gethostname()[:40]}:{os.getpid()}"
        self._pace = Pace()
        self._changed = threading.Condition()
        self._wakes = 0
        self._stopping = threading.Event()
        self._runs: dict[int, Run] = {}
        self._lock = WorkerLock()
        self._allowed = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._guarded, args=(self._work, n == 0 and threads > 1), name=f"job-{n}", daemon=True
            )
            for n in range(threads)
        ]
        self._keeper = threading.Thread(
            target=self._guarded, args=(self._keep,), name="job-keeper", daemon=True
        )

    def claim_database(self) -> bool:
        """Whether this process may run jobs now: on SQLite no other does. `start` waits for that otherwise."""
        return self._lock.acquire()

    def start(self) -> None:
        """Starts the threads. Where another process runs the jobs of this SQLite database they wait for its end."""
        jobs.on_wake(self.wake)
        for thread in (self._keeper, *self._threads):
            thread.start()

    def wake(self) -> None:
        """Has idle threads look for jobs now."""
        with self._changed:
            self._wakes += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Takes no more jobs, asks the running ones to end at their next checkpoint, and gives up the leases of those
        that have not after 3 s: they start again elsewhere. To be called outside transactions."""
        self._stopping.set()
        for run in list(self._runs.values()):
            run.stop("stopping")
        self.wake()
        deadline = time.monotonic() + _STOP_S
        for thread in (self._keeper, *self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        for run in list(self._runs.values()):
            # its thread may go on until this process ends; what it would record then finds the lease gone
            job_queue.give_back(run.claim, after_s=_AFTER_STOP_S)
        self._lock.release()
        jobs.forget_waker(self.wake)

    def _guarded(self, body: Callable[..., None], *args: bool) -> None:
        try:
            body(*args)
        finally:
            connections.close_all()

    def _work(self, quick_only: bool) -> None:
        self._allowed.wait()
        claim: Claim | None = None
        while not self._stopping.is_set():
            seen = self._wakes
            claim = claim or self._surely(lambda: self._first(quick_only))
            if claim is None:
                self._idle(seen)
            else:
                outcome = self._perform(claim)
                claim = self._surely(lambda: self._next(outcome, quick_only))  # noqa: B023
                self._runs.pop(threading.get_ident(), None)
        if claim is not None:
            self._surely(lambda: job_queue.give_back(claim))

    def _idle(self, seen: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._wakes != seen or self._stopping.is_set(), timeout=_POLL_S)

    def _first(self, quick_only: bool) -> Claim | None:
        if not job_queue.is_due(quick_only=quick_only):
            return None
        return self._pace.write(lambda: job_queue.claim(self._name, quick_only=quick_only))

    def _next(self, outcome: Outcome, quick_only: bool) -> Claim | None:
        def record() -> Claim | None:
            outcome()
            return None if self._stopping.is_set() else job_queue.claim(self._name, quick_only=quick_only)

        return self._pace.write(record)

    def _perform(self, claim: Claim) -> Outcome:
        run = Run(claim)
        self._runs[threading.get_ident()] = run
        if self._stopping.is_set():
            run.stop("stopping")
        return perform(run)

    def _surely(self, step: Callable[[], R]) -> R | None:
        """Calls a step again until the database answers; None when the worker stops before."""
        while True:
            close_old_connections()
            try:
                return step()
            except Exception:
                _log.exception("the jobs' tables cannot be reached")
                if self._stopping.wait(_POLL_S):
                    return None

    def _keep(self) -> None:
        while not self._lock.acquire():
            if self._stopping.wait(_KEEP_S):
                self._allowed.set()
                return
        if connection.vendor == "sqlite":
            # nobody else runs jobs, so what is leased was left by a process that died
            self._surely(lambda: self._pace.write(job_queue.expire_all))
        self._allowed.set()
        ticked = -_TICK_S
        while not self._stopping.wait(_KEEP_S):
            close_old_connections()
            try:
                keep(list(self._runs.values()), self._pace)
                if time.monotonic() - ticked >= _TICK_S:
                    ticked = time.monotonic()
                    schedule.tick()
            except Exception:
                _log.exception("leases could not be extended")


def keep(runs: list[Run], pace: Pace) -> None:
    """Passes cancellations on to running jobs, saves what they said, and extends the leases that need it."""
    for run in runs:
        if time.monotonic() - run.extended_at > run.claim.definition.lease_s:
            run.stop("lost")
    asked = job_queue.asked_to_cancel([run.claim for run in runs]) if runs else set()
    news = []
    for run in runs:
        if run.job_id in asked:
            run.stop("cancelled")
        saved = run.unsaved()
        if saved or time.monotonic() - run.extended_at > run.claim.definition.lease_s / 3:
            news.append((run, saved))
    if news:
        pace.write(lambda: _extend(news))


def _extend(news: list[tuple[Run, dict[str, object]]]) -> None:
    for run, saved in news:
        begun = time.monotonic()
        if job_queue.heartbeat(run.claim, **saved):
            run.extended_at = begun
        else:
            run.stop("lost")


def run_pending(most: int = 1000) -> int:
    """Runs jobs that are due in this thread until there are none; returns how many it ran (for tests and commands)."""
    count = 0
    while count < most and (claim := job_queue.claim("here")) is not None:
        outcome = perform(Run(claim))
        with transaction.atomic():
            outcome()
        count += 1
    return count
