"""The scene of these tests, one for all that leave it standing."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.conftest import new_hub
from tests.acceptance.hub import Hub
from tests.access.scene import Scene, set_up

__all__ = ["new_hub"]


@pytest.fixture(scope="session")
def scene(new_hub: Callable[..., Hub]) -> Iterator[Scene]:
    """The people and repositories of `rights.txt` on a running hub."""
    with set_up(new_hub()) as ready:
        yield ready
