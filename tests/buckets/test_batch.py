"""Files are added, copied and deleted in batches: one transaction each, with a word for every file that is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hutch.accounts import scopes
from hutch.buckets import planning
from hutch.buckets.batch_lines import AddFile, CopyFile, DeleteFile
from hutch.buckets.models import Bucket, BucketChange, BucketFile, BucketFolder
from hutch.buckets.planning import EMPTY_FILE, MAX_FOLDERS, MAX_SOURCES
from hutch.cas.models import FileLink, LargeObject, ObjectLink, XetFile
from hutch.core.errors import BadRequest, Forbidden, RepoNotFound
from hutch.core.models import StoredEvent
from hutch.core.permissions import NOBODY, Actor, Grant, Role
from hutch.repos import accounting, service
from hutch.repos import settings as repo_settings
from hutch.repos.errors import QuotaExceeded
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import Repo
from tests.buckets.conftest import change, hash_of, put, sent

Make = Callable[..., Any]


def paths(repo: RepoRow) -> list[str]:
    return sorted(BucketFile.objects.filter(bucket_id=repo.id).values_list("path", flat=True))


def linked(repo: RepoRow) -> set[str]:
    return set(FileLink.objects.filter(repo_id=repo.id).values_list("file__hash", flat=True))


def check_counts(repo: RepoRow) -> None:
    """What is counted agrees with what is there: files, bytes, folders, links."""
    files = list(BucketFile.objects.filter(bucket_id=repo.id))
    counted = Bucket.objects.filter(pk=repo.id).first() or Bucket()
    assert (counted.files, counted.size_bytes) == (len(files), sum(file.size_bytes for file in files))
    assert Repo.objects.get(pk=repo.id).lfs_bytes == counted.size_bytes
    wanted: dict[str, tuple[int, int]] = {}
    for file in files:
        for folder in planning.parents(file.path):
            number, size = wanted.get(folder, (0, 0))
            wanted[folder] = (number + 1, size + file.size_bytes)
    folders = BucketFolder.objects.filter(bucket_id=repo.id)
    assert {row.path: (row.files, row.size_bytes) for row in folders} == wanted
    assert all(row.folder == row.path.rpartition("/")[0] for row in folders)
    assert linked(repo) == {file.hash for file in files} - {EMPTY_FILE}


def test_files_that_were_sent_are_added_with_all_that_is_known_of_them(ann: Actor, bucket: RepoRow) -> None:
    name = sent(ann, bucket, b"weights")
    done = change(ann, bucket, AddFile("a/b/model.bin", name, 1_700_000_000_123, "application/x-bin"))
    assert (done.processed, done.failed) == (1, [])
    file = BucketFile.objects.get()
    assert (file.path, file.folder, file.hash, file.size_bytes) == ("a/b/model.bin", "a/b", name, 7)
    assert file.content_type == "application/x-bin"
    assert file.mtime is not None
    assert file.mtime.isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert Repo.objects.get(pk=bucket.id).updated_at == file.uploaded_at
    check_counts(bucket)


def test_new_contents_take_the_place_of_old_ones(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "d/a.txt", content=b"old")
    put(ann, bucket, "d/a.txt", content=b"newer")
    assert BucketFile.objects.get().size_bytes == 5
    assert linked(bucket) == {hash_of(b"newer")}
    check_counts(bucket)


def test_deleted_files_leave_nothing_behind(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a/b/c.txt", "a/d.txt", "e.txt")
    assert change(ann, bucket, DeleteFile("a/b/c.txt"), DeleteFile("e.txt")).failed == []
    assert paths(bucket) == ["a/d.txt"]
    check_counts(bucket)
    change(ann, bucket, DeleteFile("a/d.txt"))
    check_counts(bucket)
    assert not BucketFolder.objects.exists()


def test_file_with_two_names_stays_linked_until_the_last_goes(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "one", "two", content=b"same")
    assert accounting.used_bytes(bucket.namespace_id) == 8  # each name counts
    change(ann, bucket, DeleteFile("one"))
    assert linked(bucket) == {hash_of(b"same")}
    change(ann, bucket, DeleteFile("two"))
    assert linked(bucket) == set()
    assert accounting.used_bytes(bucket.namespace_id) == 0


def test_file_that_somebody_is_about_to_name_survives_the_deletion_of_its_twin(
    ann: Actor, bucket: RepoRow
) -> None:
    put(ann, bucket, "old", content=b"same")
    name = sent(ann, bucket, b"same")
    change(ann, bucket, DeleteFile("old"))
    assert change(ann, bucket, AddFile("new", name)).failed == []


def test_file_without_bytes_needs_not_be_sent(ann: Actor, bucket: RepoRow) -> None:
    assert change(ann, bucket, AddFile("jobs/.keep", EMPTY_FILE)).failed == []
    assert BucketFile.objects.get().size_bytes == 0
    check_counts(bucket)


def test_what_is_refused_leaves_the_rest_alone(ann: Actor, bucket: RepoRow) -> None:
    good, unknown = sent(ann, bucket), "ab" * 32
    done = change(
        ann, bucket,
        AddFile("good.txt", good), AddFile("unknown.txt", unknown), AddFile("../up.txt", good),
        DeleteFile("absent.txt"), AddFile("short.txt", "abc"), AddFile("late.txt", good, 10**15),
        AddFile("typed.txt", good, None, "text/\n"), CopyFile("copied.txt", good, "model", "no/body"),
        AddFile("x/" * 600 + "long.txt", good), CopyFile("odd.txt", good, "thing", "no/body"),
    )  # fmt: skip
    assert done.processed == 10
    assert paths(bucket) == ["good.txt"]
    told = {failure.path[:20]: failure.error for failure in done.failed}
    assert told == {
        "unknown.txt": f"The file {unknown} is not here: upload it first",
        "../up.txt": "The path '../up.txt' has the part '..'",
        "absent.txt": "There is no file of this name",
        "short.txt": "xetHash must be 64 hexadecimal digits",
        "late.txt": "mtime lies outside the years 1 to 9999; it is in milliseconds since 1970",
        "typed.txt": "contentType must be a line of at most 200 characters",
        "copied.txt": "model no/body: Repository not found.",
        "x/x/x/x/x/x/x/x/x/x/": told["x/x/x/x/x/x/x/x/x/x/"],
        "odd.txt": "sourceRepoType must be one of model, dataset, space, kernel, bucket",
    }
    assert "limit" in told["x/x/x/x/x/x/x/x/x/x/"]
    check_counts(bucket)


@pytest.mark.parametrize(
    "path",
    ["", "/abs", "a//b", "a/", ".", "a/..", ".git/config", "a\\b", "nul\0", "half\ud800", "tab\t", "x" * 256],
)
def test_path_that_no_git_would_take_is_refused(ann: Actor, bucket: RepoRow, path: str) -> None:
    done = change(ann, bucket, AddFile(path, sent(ann, bucket)), DeleteFile(path))
    assert [failure.path for failure in done.failed] == [path, path]
    assert not BucketFile.objects.exists()
    assert not StoredEvent.objects.filter(name="BucketChanged").exists()


def test_failures_are_told_in_the_order_of_the_batch(ann: Actor, bucket: RepoRow) -> None:
    done = change(
        ann, bucket, DeleteFile("b"), AddFile("c", "0" * 63 + "1"), DeleteFile("/a"), AddFile("d", "x")
    )
    assert [failure.path for failure in done.failed] == ["b", "c", "/a", "d"]


def test_last_word_on_a_path_counts(ann: Actor, bucket: RepoRow) -> None:
    one, two = sent(ann, bucket, b"one"), sent(ann, bucket, b"two")
    put(ann, bucket, "there")
    done = change(
        ann, bucket,
        AddFile("a", one), AddFile("a", two), AddFile("b", one), DeleteFile("b"), DeleteFile("there"),
        AddFile("there", two), DeleteFile("b"),
    )  # fmt: skip
    assert [failure.path for failure in done.failed] == ["b"]  # it was gone already
    assert dict(BucketFile.objects.values_list("path", "hash")) == {"a": two, "there": two}
    ops = [(line["path"], line["op"]) for line in BucketChange.objects.order_by("-pk")[0].changes]
    assert sorted(ops) == [("a", "add"), ("there", "update")]
    check_counts(bucket)


@pytest.mark.parametrize("path", ["a/b", "a/b/c/d", "a/b/c"])
def test_name_is_not_both_a_file_and_a_folder(ann: Actor, bucket: RepoRow, path: str) -> None:
    put(ann, bucket, "a/b/c")
    done = change(ann, bucket, AddFile(path, sent(ann, bucket)))
    told = {
        "a/b": ["There is a folder of this name"],
        "a/b/c/d": ["'a/b/c' is a file, not a folder"],
        "a/b/c": [],
    }
    assert [failure.error for failure in done.failed] == told[path]
    check_counts(bucket)


def test_file_may_become_a_folder_and_back_within_a_batch(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a", "b/c")
    name = sent(ann, bucket)
    # clients name deletions last
    done = change(ann, bucket, AddFile("a/x", name), AddFile("b", name), DeleteFile("a"), DeleteFile("b/c"))
    assert done.failed == []
    assert paths(bucket) == ["a/x", "b"]
    check_counts(bucket)


def test_conflicts_within_a_batch_refuse_the_later_file(ann: Actor, bucket: RepoRow) -> None:
    name = sent(ann, bucket)
    done = change(
        ann, bucket, AddFile("a", name), AddFile("a/b", name), AddFile("c/d", name), AddFile("c", name)
    )
    assert [failure.path for failure in done.failed] == ["a/b", "c"]
    assert paths(bucket) == ["a", "c/d"]
    check_counts(bucket)


def test_file_is_copied_from_another_bucket_by_its_hash(ann: Actor, bucket: RepoRow, make_repo: Make) -> None:
    source = make_repo(ann, "source", type="bucket", visibility="private")
    put(ann, source, "a.bin", content=b"data")
    done = change(ann, bucket, CopyFile("b.bin", hash_of(b"data"), "bucket", "ann/source", 5))
    assert done.failed == []
    assert BucketFile.objects.get(bucket_id=bucket.id).size_bytes == 4
    service.delete_repo(ann, source)
    assert linked(bucket) == {hash_of(b"data")}
    check_counts(bucket)


def test_large_object_of_a_repository_is_copied_if_it_lies_there_by_xet(
    ann: Actor, bucket: RepoRow, make_repo: Make
) -> None:
    model, name = make_repo(ann, "bert"), sent(ann, bucket, b"weights")
    file = XetFile.objects.get(hash=name)
    stored = LargeObject.objects.create(sha256="c" * 64, size_bytes=7, xet_file=file)
    ObjectLink.objects.create(repo_id=model.id, object=stored, xet_file=file)
    assert change(ann, bucket, CopyFile("w", name, "model", "ann/bert")).failed == []


def test_hash_alone_copies_nothing_out_of_what_one_may_not_read(
    ann: Actor, bob: Actor, bucket: RepoRow, make_repo: Make
) -> None:
    private = make_repo(bob, "secret", type="bucket", visibility="private")
    put(bob, private, "a", content=b"secret")
    name, other = hash_of(b"secret"), hash_of(b"nowhere")
    done = change(
        ann, bucket,
        AddFile("a", name), CopyFile("b", name, "bucket", "bob/secret"), CopyFile("c", name, "bucket", "ann/box"),
    )  # fmt: skip
    missing = change(
        ann, bucket,
        AddFile("a", other), CopyFile("b", other, "bucket", "bob/absent"), CopyFile("c", other, "bucket", "ann/box"),
    )  # fmt: skip
    said = [failure.error.replace(name, "H").replace("secret", "absent") for failure in done.failed]
    assert said == [failure.error.replace(other, "H") for failure in missing.failed]
    assert len(said) == 3
    assert linked(bucket) == set()


def test_batch_names_a_bounded_number_of_sources(ann: Actor, bucket: RepoRow) -> None:
    copies = [CopyFile(f"f{n}", "ab" * 32, "model", f"ann/m{n}") for n in range(MAX_SOURCES + 5)]
    failed = change(ann, bucket, *copies).failed
    assert len(failed) == len(copies)
    assert sum("at most" in failure.error for failure in failed) == 5


def test_batch_touches_a_bounded_number_of_folders(ann: Actor, bucket: RepoRow) -> None:
    deep = "/".join(["x"] * 120)
    with pytest.raises(BadRequest) as refused:
        change(ann, bucket, *(AddFile(f"{number}/{deep}/f", EMPTY_FILE) for number in range(10_000)))
    assert (refused.value.field, refused.value.limit) == ("path", MAX_FOLDERS)
    assert not BucketFile.objects.exists()


def test_batch_is_for_those_who_may_write(
    ann: Actor, bob: Actor, bucket: RepoRow, make_org: Make, again: Make
) -> None:
    name = sent(bob, bucket)
    for actor in (bob, replace(ann, token_role="read", token_id=1)):
        with pytest.raises(Forbidden):
            change(actor, bucket, AddFile("a", name))
    with pytest.raises(Exception, match="Sign in"):
        change(NOBODY, bucket, AddFile("a", name))
    make_org("acme", ann=Role.ADMIN, bob=Role.WRITE)
    theirs = service.create_repo(again(ann), service.NewRepo(type="bucket", name="box", namespace="acme"))
    assert put(again(bob), theirs, "a").failed == []


def test_narrow_token_changes_the_bucket_that_it_names(ann: Actor, bucket: RepoRow, make_repo: Make) -> None:
    make_repo(ann, "other", type="bucket")
    grants = [
        Grant("bucket:ann/box", frozenset({"repo.write"})),
        Grant("model:ann/other", frozenset({"repo.write"})),
    ]
    held = scopes.from_rows(scopes.checked_grants(grants))
    narrow = replace(ann, token_role="fineGrained", token_id=1, grants=held)
    assert put(narrow, bucket, "a").failed == []
    with pytest.raises(Forbidden):
        put(narrow, find_repo(ann, "bucket", "ann/other"), "a")


def test_batch_after_the_bucket_has_gone_is_refused(ann: Actor, bucket: RepoRow) -> None:
    name = sent(ann, bucket)
    service.delete_repo(ann, bucket)
    with pytest.raises(RepoNotFound):
        change(ann, bucket, AddFile("a", name))


def test_what_a_bucket_holds_counts_against_the_quota(
    ann: Actor, bucket: RepoRow, configure: Callable[..., None]
) -> None:
    configure(namespace_quota_bytes=10)
    put(ann, bucket, "a", content=b"12345678")
    with pytest.raises(QuotaExceeded):
        put(ann, bucket, "b", content=b"123")
    assert paths(bucket) == ["a"]
    check_counts(bucket)
    configure(namespace_quota_bytes=5)
    with pytest.raises(QuotaExceeded):
        put(ann, bucket, "a", content=b"123456789")
    assert put(ann, bucket, "a", content=b"1234567").failed == []  # less is always possible
    change(ann, bucket, DeleteFile("a"))
    assert accounting.used_bytes(bucket.namespace_id) == 0
    assert put(ann, bucket, "b", content=b"123").failed == []


def test_deleted_bucket_leaves_no_row(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a/b", "c")
    service.delete_repo(ann, bucket)
    for model in (Bucket, BucketFile, BucketFolder, BucketChange, FileLink):
        assert not model.objects.exists()
    assert accounting.used_bytes(bucket.namespace_id) == 0


def test_bucket_moves_with_its_files(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a/b")
    moved = service.move_repo(ann, bucket, "ann/crate")
    assert (moved.type, moved.full_name, paths(moved)) == ("bucket", "ann/crate", ["a/b"])
    assert put(ann, moved, "c").failed == []


def test_change_is_told_as_an_event(ann: Actor, bucket: RepoRow) -> None:
    put(ann, bucket, "a", "b")
    name = sent(ann, bucket)
    change(ann, bucket, AddFile("a", name), AddFile("c", name), DeleteFile("b"))
    event = StoredEvent.objects.filter(name="BucketChanged").latest("pk").payload
    assert (event["added"], event["updated"], event["deleted"], event["files"]) == (1, 1, 1, 2)
    assert (event["repo_id"], event["full_name"], event["by_user_id"]) == (bucket.id, "ann/box", ann.user_id)
    assert event["change_id"] == BucketChange.objects.latest("pk").pk


def test_nothing_to_do_is_no_change(ann: Actor, bucket: RepoRow) -> None:
    before = Repo.objects.get(pk=bucket.id).updated_at
    assert change(ann, bucket).processed == 0
    assert change(ann, bucket, DeleteFile("absent")).failed != []
    assert Repo.objects.get(pk=bucket.id).updated_at == before
    assert not BucketChange.objects.exists()


def test_bucket_has_no_folder_of_git_no_gate_and_no_branch(ann: Actor, bucket: RepoRow) -> None:
    assert not bucket.path.exists()
    assert (bucket.has_git, bucket.head_oid) == (False, "")
    for changes in ({"gated": "auto"}, {"default_branch": "main"}, {"protected_branches": ["x"]}):
        with pytest.raises(Exception, match="A bucket has no"):
            repo_settings.update_settings(ann, bucket, repo_settings.Changes(**changes))
    for wanted in ({"gated": "auto"}, {"license_id": "mit"}, {"sdk": "static"}, {"namespace": ""}):
        with pytest.raises(Exception, match=r"A bucket|Only a Space"):
            service.create_repo(ann, service.NewRepo(**{"type": "bucket", "name": "b", **wanted}))
