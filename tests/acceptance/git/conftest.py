"""A user, a repository, its address with a token, and a clone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.clients import Git, with_credentials
from tests.acceptance.git.remotes import create
from tests.acceptance.hub import Hub, User


@pytest.fixture(scope="session")
def user(server: Hub) -> User:
    """One account for all tests of git."""
    return server.user("gitter")


@pytest.fixture
def repo(server: Hub, user: User, unique: Callable[[str], str]) -> str:
    """A new model's name."""
    return create(server, user, f"{user.name}/{unique('bert')}")


@pytest.fixture
def remote(server: Hub, user: User, repo: str) -> str:
    """The repository's address with the user's token in it."""
    return with_credentials(f"{server.url}/{repo}", user.name, user.token)


@pytest.fixture
def work(git: Git, remote: str, tmp_path: Path) -> Path:
    """A clone."""
    git("clone", "-q", remote, tmp_path / "work")
    return tmp_path / "work"
