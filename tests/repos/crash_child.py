"""A process that works on a data folder of its own and dies where it is told to. Run by `test_crash_write`."""

from __future__ import annotations

import json
import os
import signal
import sys

import hutch.boot
import hutch.routes  # noqa: F401
from hutch.accounts import actors
from hutch.accounts.models import Namespace, User
from hutch.core.database import migrate
from hutch.core.worker import run_pending
from hutch.git import repository
from hutch.git.refs import read_ref
from hutch.repos import folders, service
from hutch.repos.changes import refs
from hutch.repos.changes.branches import create_branch
from hutch.repos.changes.commits import create_commit
from hutch.repos.lookup import find_repo
from hutch.repos.models import RefIntent, Repo
from hutch.repos.settings import Changes, update_settings
from hutch.storage import faults
from tests.repos.commit_body import HEADER, body, file


def _head(row: Repo) -> str:
    return repository.default_branch(repository.open(service.git_path(row.storage_id)))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    what, point = sys.argv[1:]
    migrate()
    if what == "prepare":
        user = User.objects.create(username="ann", namespace=Namespace.objects.create(name="ann"))
        service.create_repo(actors.of_user(user), service.NewRepo(type="model", name="bert"))
        sys.exit()
    ann = actors.of_user(User.objects.get(username="ann"))
    if what == "kill":
        faults.arm(point, die)
        if point.startswith("repos.after_folder"):
            service.create_repo(ann, service.NewRepo(type="model", name="other"))
        elif point == "repos.after_row_gone":
            service.delete_repo(ann, find_repo(ann, "model", "ann/bert"))
        elif point == "repos.after_default_row":
            create_branch(ann, find_repo(ann, "model", "ann/bert"), "next")
            update_settings(ann, find_repo(ann, "model", "ann/bert"), Changes(default_branch="next"))
        else:
            create_commit(ann, find_repo(ann, "model", "ann/bert"), "main", body(HEADER, file("x.txt")))
        raise SystemExit("it lived on")
    settled, swept = refs.recover(), folders.sweep()
    run_pending()
    rows = {row.full_name: row for row in Repo.objects.all()}
    heads = {
        name: read_ref(repository.open(service.git_path(row.storage_id)), "refs/heads/main")
        for name, row in rows.items()
    }
    print(
        json.dumps(
            {
                "settled": settled,
                "swept": swept,
                "intents": RefIntent.objects.count(),
                "rows": {name: row.head_oid for name, row in rows.items()},
                "heads": heads,
                "defaults": {name: (row.default_branch, _head(row)) for name, row in rows.items()},
                "files": {name: row.head_files for name, row in rows.items()},
                "folders": len(list((service.git_path("00").parents[1]).glob("??/*.git"))),
            }
        )
    )


if __name__ == "__main__":
    main()
