"""Real repositories, and git itself as the oracle."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hutch.git import commits, process, refs, repository

Git = Callable[..., bytes]
WHO = commits.Signature("Ada Lovelace", "ada@example.org", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def _git(folder: Path, *args: str, stdin: bytes = b"") -> bytes:
    identity = {
        "GIT_AUTHOR_NAME": "Ada",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Ada",
        "GIT_COMMITTER_EMAIL": "ada@example.org",
    }
    done = subprocess.run(
        [process.git_binary(), "-C", str(folder), "-c", "init.defaultBranch=main", *args],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        env=process.environment(identity),
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture
def git() -> Git:
    """Run the real git in a folder and return its output; fails the test where git fails."""
    return _git


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository made by Hutch."""
    path = tmp_path / "hub" / "repo.git"
    repository.create(path)
    return path


Committer = Callable[..., str]


@pytest.fixture
def put(bare: Path) -> Committer:
    """Commit changes to a branch of `bare` the way the hub does; returns the commit."""

    def put(
        *changes: commits.Change, branch: str = "main", message: str = "change", parents: Sequence[str] = ()
    ) -> str:
        repo = repository.open(bare)
        name = refs.HEADS + branch
        old = refs.read_ref(repo, name)
        base = parents[0] if parents else old
        tree = commits.build_tree(repo, base, changes)
        new = commits.commit(repo, tree, parents or ([old] if old else []), message, WHO)
        refs.update(bare, [refs.RefUpdate(name, old, new)])
        return new

    return put
