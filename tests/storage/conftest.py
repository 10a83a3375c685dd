from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hutch.storage import faults
from hutch.storage.port import Staged
from hutch.storage.staging import Staging


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Staging]:
    staging = Staging(tmp_path / "staging")
    yield staging
    staging.close()


@pytest.fixture
def stage(staging: Staging) -> Callable[[bytes], Staged]:
    """Bytes in, a whole and checked staged file out."""

    def stage(content: bytes) -> Staged:
        with staging.create(len(content)) as upload:
            upload.write(content)
            return upload.finish()

    return stage


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    faults.disarm()


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
