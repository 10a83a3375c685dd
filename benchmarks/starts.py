"""Start to ready, and idle memory, on a data folder with 10,000 repositories."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import process
from benchmarks.report import Result, spread
from tests.acceptance.hub import Hub

_REPOSITORIES = 10_000
_FILL = """
import sys
from hutch import settings
settings.export(data=sys.argv[1])
import hutch.boot
from hutch.accounts.models import Namespace
from hutch.core import clock
from hutch.git import repository
from hutch.repos.lookup import git_path
from hutch.repos.models import Repo, new_storage_id
owner = Namespace.objects.get(lower_name="bench")
rows = [
    Repo(
        type="model", namespace=owner, name=f"model-{n}", full_name=f"bench/model-{n}",
        lower_full_name=f"bench/model-{n}", storage_id=new_storage_id(), updated_at=clock.now(),
        card={"license": "mit"},
    )
    for n in range(int(sys.argv[2]))
]
for row in rows:
    path = git_path(row.storage_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    repository.create(path)
Repo.objects.bulk_create(rows, batch_size=500)
"""


def start(folder: Path) -> Iterator[Result]:
    """Seconds from the command to the ready line; resident memory ten seconds later."""
    hub = Hub(folder / "data")
    hub.start()
    hub.user("bench")
    hub.stop()
    subprocess.run([sys.executable, "-c", _FILL, str(hub.data), str(_REPOSITORIES)], check=True)
    times, resident = [], []
    for _ in range(5):
        begin = time.monotonic()
        hub.start()
        times.append(time.monotonic() - begin)
        assert hub.process is not None
        time.sleep(3)
        resident.append(process.memory_bytes(hub.process.pid, "VmRSS") / 2**20)
        hub.stop()
    yield Result(
        f"start to ready with {_REPOSITORIES:,} repositories",
        statistics.median(times),
        2.0,
        "at most",
        "s",
        spread(times),
    )
    yield Result(
        "idle resident memory",
        statistics.median(resident),
        250,
        "at most",
        "MiB",
        f"VmRSS of the process tree; {spread(resident)}",
    )
