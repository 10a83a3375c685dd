"""What is in a bucket, listed by prefix and folder, a page at a time; and which buckets there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.buckets import listing
from hutch.buckets.models import BucketFile
from hutch.core.errors import BadRequest, EntryNotFound, NotFound, Unauthorized
from hutch.core.permissions import NOBODY, Actor
from hutch.repos.lookup import RepoRow
from tests.buckets.conftest import put

Make = Callable[..., Any]
FILES = ["README.md", "log.txt", "logs/2024/a", "logs/2024/b", "logs/c", "logs_old/d", "sub/deep/e", "zeta"]


def listed(repo: RepoRow, prefix: str = "", *, recursive: bool = False, limit: int = 1000) -> list[str]:
    """All pages of a list; folders end in a slash."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = listing.tree(repo, prefix, recursive=recursive, limit=limit, cursor=cursor)
        assert len(page.entries) <= limit
        found += [e.path if isinstance(e, BucketFile) else f"{e.path}/" for e in page.entries]
        cursor = page.cursor
    return found


@pytest.fixture
def full(ann: Actor, bucket: RepoRow) -> RepoRow:
    put(ann, bucket, *FILES)
    return bucket


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
@pytest.mark.parametrize(
    ("prefix", "flat", "deep"),
    [
        ("", ["README.md", "log.txt", "logs/", "logs_old/", "sub/", "zeta"], FILES),
        ("logs/", ["logs/2024/", "logs/c"], ["logs/2024/a", "logs/2024/b", "logs/c"]),
        (
            "logs",
            ["logs/2024/", "logs/c", "logs_old/"],
            ["logs/2024/a", "logs/2024/b", "logs/c", "logs_old/d"],
        ),
        ("lo", ["log.txt", "logs/", "logs_old/"], FILES[1:6]),
        ("logs/2024", ["logs/2024/a", "logs/2024/b"], ["logs/2024/a", "logs/2024/b"]),
        ("logs/20", ["logs/2024/"], ["logs/2024/a", "logs/2024/b"]),
        ("zeta", ["zeta"], ["zeta"]),
        ("README.md/", [], []),
        ("absent", [], []),
        ("/", [], []),
        ("nul\0", [], []),
        ("half\ud800", [], []),
    ],
)
def test_tree_lists_what_begins_with_the_prefix(
    full: RepoRow, prefix: str, flat: list[str], deep: list[str], limit: int
) -> None:
    assert listed(full, prefix, limit=limit) == flat
    assert listed(full, prefix, recursive=True, limit=limit) == deep


NAMES = st.text(st.sampled_from("a/b\ud7ff\ue000\uffff\U0010ffff.é"), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    names=st.lists(NAMES, max_size=8),
    prefix=st.text(st.sampled_from("a/b\ud7ff\ue000\U0010ffff."), max_size=3),
)
def test_any_names_are_listed_in_the_order_of_their_bytes(
    ann: Actor, bucket: RepoRow, names: list[str], prefix: str
) -> None:
    BucketFile.objects.filter(bucket_id=bucket.id).delete()
    put(ann, bucket, *names)
    there = sorted(BucketFile.objects.filter(bucket_id=bucket.id).values_list("path", flat=True))
    assert there == sorted(there, key=lambda path: path.encode())
    wanted = [path for path in there if path.startswith(prefix)]
    assert listed(bucket, prefix, recursive=True, limit=2) == wanted


def test_folder_tells_what_is_below_it(full: RepoRow) -> None:
    (folder,) = [entry for entry in listing.tree(full, recursive=False).entries if entry.path == "logs"]
    assert (folder.files, folder.size_bytes) == (3, len("logs/2024/a") * 2 + len("logs/c"))  # type: ignore[union-attr]


def test_cursor_of_another_list_is_refused(ann: Actor, full: RepoRow, make_repo: Make) -> None:
    cursor = listing.tree(full, recursive=True, limit=1).cursor or ""
    other = make_repo(ann, "other", type="bucket")
    for repo, prefix, recursive in ((other, "", True), (full, "logs", True), (full, "", False)):
        with pytest.raises(BadRequest):
            listing.tree(repo, prefix, recursive=recursive, cursor=cursor)


def test_files_are_found_by_path_in_the_order_asked_for(full: RepoRow) -> None:
    asked = ["zeta", "logs", "absent", "log.txt", "zeta", "nul\0", "half\ud800"]
    assert [file.path for file in listing.files_at(full, asked)] == ["zeta", "log.txt"]
    with pytest.raises(EntryNotFound):
        listing.file_at(full, "logs")


def test_buckets_of_a_namespace_are_those_that_one_may_see(
    ann: Actor, bob: Actor, bucket: RepoRow, make_repo: Make
) -> None:
    make_repo(ann, "private-box", type="bucket", visibility="private")
    make_repo(ann, "model")

    def names(actor: Actor, namespace: str, **asked: Any) -> list[str]:
        return [info.full_name for info in listing.buckets(actor, namespace, **asked)]

    assert names(ann, "me") == names(ann, "ANN") == ["ann/private-box", "ann/box"]
    assert names(bob, "ann") == names(NOBODY, "ann") == ["ann/box"]
    assert names(bob, "me") == []
    assert names(ann, "me", search="PRIV box") == ["ann/private-box"]
    assert names(ann, "me", search="ann") == []
    first = listing.buckets(ann, "me", limit=1)[0]
    assert names(ann, "me", before=first.id) == ["ann/box"]


def test_lists_of_nobody_are_not_told_apart_from_missing_ones(ann: Actor) -> None:
    with pytest.raises(NotFound):
        listing.buckets(ann, "absent")
    with pytest.raises(Unauthorized):
        listing.buckets(NOBODY, "me")
    with pytest.raises(Unauthorized):
        listing.buckets(Actor(sees_public=False), "ann")


def test_bucket_without_a_file_tells_zeros(ann: Actor, bucket: RepoRow) -> None:
    info = listing.info(ann, bucket)
    assert (info.files, info.size_bytes, info.namespace) == (0, 0, "ann")
