"""Followers learn of every change once, in order, wherever they go on from; or they are told to look anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hutch.buckets import changelog
from hutch.buckets.batch_lines import AddFile, DeleteFile
from hutch.buckets.models import Bucket, BucketChange
from hutch.core import clock, paging
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from tests.buckets.conftest import change, put, sent

Make = Callable[..., Any]


def told(repo: RepoRow, start: changelog.Start) -> list[tuple[str, str]]:
    assert not start.is_reset
    batches = changelog.after(repo.id, start.position, 100)
    return [(line["path"], line["op"]) for batch in batches for line in batch.changes]


def since(repo: RepoRow) -> str:
    """What a client sends that has just read the bucket's `updatedAt`."""
    return clock.iso(Repo.objects.get(pk=repo.id).updated_at)


def at_newest(repo: RepoRow) -> str:
    return changelog.cursor_of(repo.id, changelog.start(repo.id).position)


def test_follower_without_a_past_begins_now(ann: Actor, bucket: RepoRow) -> None:
    assert told(bucket, changelog.start(bucket.id)) == []
    put(ann, bucket, "a")
    assert told(bucket, changelog.start(bucket.id)) == []


def test_cursor_goes_on_strictly_behind_its_batch(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a")
    cursor = at_newest(bucket)
    put(ann, bucket, "b")
    change(ann, bucket, DeleteFile("a"), AddFile("b", sent(ann, bucket)))
    assert told(bucket, changelog.start(bucket.id, cursor=cursor)) == [
        ("b", "add"), ("b", "update"), ("a", "delete"),
    ]  # fmt: skip
    assert told(bucket, changelog.start(bucket.id, cursor=at_newest(bucket))) == []


def test_nothing_after_the_time_of_the_last_look_is_lost(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "old")
    moment = since(bucket)
    put(ann, bucket, "new")
    assert ("new", "add") in told(bucket, changelog.start(bucket.id, since=moment))


def test_time_before_everything_replays_everything(ann: Actor, bucket: RepoRow) -> None:
    moment = since(bucket)
    put(ann, bucket, "a")
    put(ann, bucket, "b")
    assert told(bucket, changelog.start(bucket.id, since=moment)) == [("a", "add"), ("b", "add")]
    later = clock.iso(clock.now() + timedelta(days=1))
    assert told(bucket, changelog.start(bucket.id, since=later)) == []


def test_change_tells_what_clients_read_of_a_file(ann: Actor, bucket: RepoRow) -> None:
    name = sent(ann, bucket, b"abc")
    change(ann, bucket, AddFile("a", name, 1000))
    (line,) = changelog.after(bucket.id, 0, 1)[0].changes
    moment = clock.iso(Repo.objects.get(pk=bucket.id).updated_at)
    assert line == {
        "path": "a", "op": "add", "size": 3, "xetHash": name, "uploadedAt": moment,
        "mtime": "1970-01-01T00:00:01.000Z",
    }  # fmt: skip


def test_large_batch_is_told_in_pieces_that_keep_their_order(ann: Actor, bucket: RepoRow) -> None:
    paths = [f"f{number:04d}" for number in range(1201)]
    put(ann, bucket, *paths, content=b"x")
    batches = changelog.after(bucket.id, 0, 100)
    assert [len(batch.changes) for batch in batches] == [500, 500, 201]
    assert [line["path"] for batch in batches for line in batch.changes] == paths
    assert changelog.newest([bucket.id]) == {bucket.id: batches[-1].position}


def grow_old(days: int) -> None:
    for row in BucketChange.objects.all():
        BucketChange.objects.filter(pk=row.pk).update(created_at=row.created_at - timedelta(days=days))


def test_what_is_no_longer_kept_sends_a_follower_to_look_anew(ann: Actor, bucket: RepoRow) -> None:
    before = clock.iso(clock.now() - timedelta(days=30))
    put(ann, bucket, "a")
    old = changelog.cursor_of(bucket.id, 0)
    grow_old(10)
    put(ann, bucket, "b")
    assert changelog.forget(clock.now() - changelog.KEPT) == 1
    assert changelog.start(bucket.id, cursor=old).is_reset
    assert changelog.start(bucket.id, since=before).is_reset
    assert told(bucket, changelog.start(bucket.id, cursor=at_newest(bucket))) == []
    assert [line["path"] for batch in changelog.after(bucket.id, 0, 9) for line in batch.changes] == ["b"]


def test_quiet_bucket_sends_nobody_away_for_ever(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a")
    cursor = at_newest(bucket)
    grow_old(10)
    Repo.objects.filter(pk=bucket.id).update(updated_at=BucketChange.objects.get().created_at)
    assert changelog.forget(clock.now() - changelog.KEPT) == 1
    # the client looks anew and comes back with the bucket's time, which is that of the change that went
    assert not changelog.start(bucket.id, since=since(bucket)).is_reset
    assert not changelog.start(bucket.id, cursor=cursor).is_reset


def test_restored_database_sends_followers_of_its_future_to_look_anew(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a")
    put(ann, bucket, "b")
    cursor = at_newest(bucket)
    BucketChange.objects.order_by("-pk")[0].delete()
    Bucket.objects.update(newest_change=BucketChange.objects.get().pk)
    assert changelog.start(bucket.id, cursor=cursor).is_reset


def test_cursor_that_is_not_ours_is_refused(ann: Actor, bucket: RepoRow, make_repo: Make) -> None:
    other = make_repo(ann, "other", type="bucket")
    forged = [
        "x", "🐟", changelog.cursor_of(other.id, 0), paging.encode_cursor([bucket.id]),
        paging.encode_cursor(["bucket-changes", bucket.id, "0"]),
    ]  # fmt: skip
    for cursor in forged:
        with pytest.raises(BadRequest):
            changelog.start(bucket.id, cursor=cursor)


@pytest.mark.parametrize(
    "moment", ["yesterday", "9" * 30, "2024-13-01", "0001-01-01T00:00:00+23:59", "\ud800"]
)
def test_what_is_no_time_is_refused(bucket: RepoRow, moment: str) -> None:
    with pytest.raises(BadRequest):
        changelog.start(bucket.id, since=moment)
