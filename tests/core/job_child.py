"""A process of its own that enqueues or runs jobs over the data folder and database of its environment.

job_child.py enqueue NAME ARGUMENTS      prints the job's id
job_child.py show ID                     prints the row as JSON
job_child.py work THREADS                runs jobs until SIGTERM
job_child.py serve PORT                  is a server, as `hutch serve` is, that knows these jobs
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import hutch.boot
from hutch.core import database, jobs
from hutch.core.models import Job
from hutch.core.worker import Workers
from hutch.settings import current
from tests.core import child_jobs

assert hutch.boot
assert child_jobs


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
    elif words[0] == "serve":
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces

        Granian(
            "tests.core.child_server:app",
            address="127.0.0.1",
            port=int(words[1]),
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            workers=1,
            workers_kill_timeout=8,
            log_enabled=False,
        ).serve()


if __name__ == "__main__":
    main(sys.argv[1:])
