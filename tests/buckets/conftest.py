"""Buckets, and files that were sent for them, for the tests of the room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hutch.buckets import service
from hutch.buckets.batch_lines import AddFile, Operation
from hutch.buckets.service import Outcome
from hutch.cas.models import FileReceipt, XetFile
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.repos.lookup import RepoRow
from tests.repos.conftest import _data, again, ann, api, bob, make_actor, make_org, make_repo, nobody

__all__ = ["_data", "again", "ann", "api", "bob", "make_actor", "make_org", "make_repo", "nobody"]

Make = Callable[..., Any]


def hash_of(content: bytes) -> str:
    """A hash that stands for the Xet hash of this content in the tables."""
    return content.hex().ljust(64, "0")[:63] + "f"


def sent(actor: Actor, repo: RepoRow, content: bytes = b"content") -> str:
    """The hash of a file that the actor has just sent for this bucket, by its rows alone."""
    moment = clock.now()
    file, _ = XetFile.objects.get_or_create(
        hash=hash_of(content),
        defaults={"size_bytes": len(content), "terms": b"", "touched_at": moment},
    )
    FileReceipt.objects.get_or_create(
        user_id=actor.user_id, repo_id=repo.id, file=file, defaults={"renewed_at": moment}
    )
    return file.hash


def change(actor: Actor, repo: RepoRow, *operations: Operation) -> Outcome:
    return service.change_files(actor, repo, operations)


def put(actor: Actor, repo: RepoRow, *paths: str, content: bytes | None = None) -> Outcome:
    """Sends and adds files that hold their own path, or `content`."""
    files = [AddFile(path, sent(actor, repo, content or path.encode())) for path in paths]
    return change(actor, repo, *files)


@pytest.fixture
def bucket(ann: Actor, make_repo: Make) -> RepoRow:
    """A public bucket of ann's."""
    made: RepoRow = make_repo(ann, "box", type="bucket")
    return made
