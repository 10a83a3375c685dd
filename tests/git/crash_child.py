"""Commits and pushes without end, telling each acknowledged one on a line of its own. Killed by test_crash.py."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from hutch.git import commits, process, refs, repository
from hutch.git.commits import ObjectBatch, Put
from hutch.git.quarantine import Quarantine
from tests.git.conftest import WHO


def commit_once(path: Path, number: int) -> str:
    """One commit through the API's way; every third is large enough to become a pack."""
    repo = repository.open(path)
    old = refs.read_ref(repo, "refs/heads/main")
    count = 40 if number % 3 == 0 else 2
    with ObjectBatch(repo) as batch:
        changes = [Put(f"d{number % 5}/{index}", os.urandom(60)) for index in range(count)]
        tree = commits.build_tree(repo, old, changes, batch=batch)
        new = commits.commit(repo, tree, [old] if old else [], f"{number}", WHO, batch=batch)
        batch.store()
    refs.update(path, [refs.RefUpdate("refs/heads/main", old, new)])
    return new


def push_once(path: Path, source: Path, number: int) -> str:
    """One pack of a commit that `source` has, received as a push to a new branch."""
    new = commit_once(source, number)
    pack = process.run(source, ["pack-objects", "--revs", "--stdout", "-q"], stdin=f"{new}\n".encode())
    with Quarantine(path) as quarantine:
        quarantine.unpack(io.BytesIO(pack))
        quarantine.check_connectivity([new])
        quarantine.migrate()
    refs.update(path, [refs.RefUpdate(f"refs/heads/push/{number}", None, new)])
    return new


def main() -> None:
    path, source, first = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    number = first
    while True:
        number += 1
        acknowledged = push_once(path, source, number) if number % 4 == 0 else commit_once(path, number)
        print(acknowledged, flush=True)


if __name__ == "__main__":
    main()
