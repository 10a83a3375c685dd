"""What the check of buckets finds, and that it finds nothing where nothing is wrong."""

from __future__ import annotations

import pytest

from hutch.buckets import fsck
from hutch.buckets.batch_lines import AddFile
from hutch.buckets.models import Bucket, BucketFile, BucketFolder
from hutch.buckets.planning import EMPTY_FILE
from hutch.cas.models import FileLink
from hutch.core.permissions import Actor
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from tests.buckets.conftest import change, put


def found() -> list[tuple[str, str]]:
    return [(problem.kind, problem.place) for problem in fsck.check(lambda doing, done, total: None)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fsck, "_SECOND_LOOK_S", 0.0)


@pytest.fixture
def full(ann: Actor, bucket: RepoRow) -> RepoRow:
    put(ann, bucket, "a/b/c", "a/d", "e")
    change(ann, bucket, AddFile("empty", EMPTY_FILE))
    return bucket


def test_bucket_in_order_is_found_in_order(full: RepoRow) -> None:
    assert found() == []


def test_file_without_its_bytes_is_found(full: RepoRow) -> None:
    FileLink.objects.all().delete()
    assert found() == [("bucket file", path) for path in ("a/b/c", "a/d", "e")]


def test_file_of_another_size_is_found(full: RepoRow) -> None:
    BucketFile.objects.filter(path="e").update(size_bytes=99)
    assert found() == [("bucket file", "e"), ("bucket", "")]


def test_wrong_counts_are_found(full: RepoRow) -> None:
    Repo.objects.filter(pk=full.id).update(lfs_bytes=1)
    assert found() == [("bucket", "")]
    Bucket.objects.update(files=0)
    assert found() == [("bucket", "")]


def test_wrong_folders_are_found(full: RepoRow) -> None:
    BucketFolder.objects.filter(path="a").update(files=7)
    BucketFolder.objects.filter(path="a/b").delete()
    moment = BucketFile.objects.all()[0].uploaded_at
    BucketFolder.objects.create(bucket_id=full.id, path="ghost", files=1, size_bytes=1, uploaded_at=moment)
    assert found() == [("bucket folder", path) for path in ("a", "a/b", "ghost")]
