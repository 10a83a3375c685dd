"""Commits through the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pygit2
import pytest

from hutch.cas import service as cas
from hutch.cas.errors import MissingObjects
from hutch.core.errors import (
    BadRequest,
    EntryNotFound,
    Forbidden,
    RevisionNotFound,
    StaleParent,
    Unauthorized,
)
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.git import repository
from hutch.git.pointers import Pointer, render
from hutch.git.refs import read_ref
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import InvalidCommit
from hutch.repos.lookup import RepoRow, repo_by_id
from hutch.repos.models import Pull, RefIntent, Repo
from tests.repos.commit_body import (
    HEADER,
    body,
    content,
    copied,
    deleted,
    file,
    has,
    header,
    large,
    raw,
    upload,
)

Make = Callable[..., RepoRow]


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


def head(repo: RepoRow, ref: str = "refs/heads/main") -> str | None:
    return read_ref(repository.open(repo.path), ref)


def test_file_is_committed_and_told_in_the_row(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("a/b.txt", "one\n")))
    assert content(repo, made.oid, "a/b.txt") == b"one\n"
    row = Repo.objects.get(pk=repo.id)
    assert row.head_oid == made.oid == head(repo)
    assert sorted(row.head_files) == [".gitattributes", "a/b.txt"]
    assert not RefIntent.objects.exists()


def test_commit_has_its_parent_author_and_message(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(header("Title", description="Why"), file("x")))
    found = repository.open(repo.path)[made.oid].peel(pygit2.Commit)
    assert [str(parent) for parent in found.parent_ids] == [repo.head_oid]
    assert found.message == "Title\n\nWhy\n"
    assert (found.author.name, found.committer.name) == ("ann", "Hutch")


def test_large_file_becomes_a_pointer_and_is_linked(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x" * 5000)
    made = create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 5000)))
    assert content(repo, made.oid, "w.bin") == render(Pointer(oid, 5000))
    assert cas.object_of(repo.id, oid) is not None
    assert Repo.objects.get(pk=repo.id).lfs_bytes == 5000


def test_copy_of_a_large_file_needs_no_size(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x" * 5000)
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 5000)))
    made = create_commit(ann, repo, "main", body(HEADER, large("again.bin", oid)))
    assert content(repo, made.oid, "again.bin") == render(Pointer(oid, 5000))
    assert Repo.objects.get(pk=repo.id).lfs_bytes == 5000


def test_large_file_that_was_not_sent_is_refused(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(MissingObjects):
        create_commit(ann, repo, "main", body(HEADER, large("w.bin", "0" * 64, 1)))
    assert head(repo) == repo.head_oid


def test_large_file_of_another_is_as_if_it_did_not_exist(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make
) -> None:
    secret = make_repo(bob, "secret", visibility="private")
    oid = upload(bob, secret, b"secret")
    create_commit(bob, secret, "main", body(HEADER, large("s.bin", oid, 6)))
    with pytest.raises(MissingObjects):
        create_commit(ann, repo, "main", body(HEADER, large("s.bin", oid, 6)))
    with pytest.raises(MissingObjects):  # nor by the text of a pointer
        create_commit(ann, repo, "main", body(HEADER, file("s.txt", render(Pointer(oid, 6)))))


def test_large_file_readable_elsewhere_is_linked_without_sending(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make
) -> None:
    public = make_repo(bob, "public")
    oid = upload(bob, public, b"public")
    create_commit(bob, public, "main", body(HEADER, large("s.bin", oid, 6)))
    create_commit(ann, repo, "main", body(HEADER, large("s.bin", oid, 6)))
    assert cas.object_of(repo.id, oid) is not None


def test_wrong_size_is_refused_with_both_sizes(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"abc")
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 4)))
    assert (refused.value.line, refused.value.field, refused.value.value, refused.value.limit) == (
        2,
        "size",
        4,
        3,
    )


def test_files_are_copied_deleted_and_folders_too(ann: Actor, repo: RepoRow) -> None:
    first = create_commit(
        ann, repo, "main", body(HEADER, file("a/1.txt", "one"), file("a/2.txt", "two"), file("b.txt"))
    )
    made = create_commit(
        ann, repo, "main",
        body(
            HEADER, copied("c.txt", "a/1.txt"), deleted("b.txt"), deleted("a/", folder=True),
            copied("old.txt", "b.txt", first.oid),
        ),
    )  # fmt: skip
    assert content(repo, made.oid, "c.txt") == b"one"
    assert content(repo, made.oid, "old.txt") == b"hello\n"
    assert not has(repo, made.oid, "a")
    assert not has(repo, made.oid, "b.txt")


def test_deleting_what_is_not_there_is_an_entry_not_found(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(EntryNotFound) as refused:
        create_commit(ann, repo, "main", body(HEADER, file("x"), deleted("nothing.txt")))
    assert "A file with this name doesn't exist" in refused.value.message
    assert refused.value.message.startswith("line 3")


def test_stale_parent_is_a_412_and_changes_nothing(ann: Actor, repo: RepoRow) -> None:
    now = create_commit(ann, repo, "main", body(HEADER, file("x")))
    with pytest.raises(StaleParent) as refused:
        create_commit(ann, repo, "main", body(header(parentCommit=repo.head_oid), file("y")))
    assert (refused.value.status, refused.value.limit) == (412, now.oid)
    made = create_commit(ann, repo, "main", body(header(parentCommit=now.oid), file("y")))
    assert head(repo) == made.oid


def test_commit_that_changes_nothing_answers_the_head(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("x")))
    assert create_commit(ann, repo, "main", body(HEADER, file("x"))).oid == made.oid == head(repo)
    assert create_commit(ann, repo, "main", body(HEADER)).oid == made.oid


def test_branch_must_exist_and_a_hash_is_none(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(RevisionNotFound):
        create_commit(ann, repo, "nowhere", body(HEADER, file("x")))
    with pytest.raises(BadRequest):
        create_commit(ann, repo, repo.head_oid, body(HEADER, file("x")))


def test_readers_and_nobody_do_not_commit(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    with pytest.raises(Forbidden):
        create_commit(bob, repo, "main", body(HEADER, file("x")))
    with pytest.raises(Unauthorized):
        create_commit(NOBODY, repo, "main", body(HEADER, file("x")))


def test_contributor_commits_to_their_own_repositories_only(
    ann: Actor, bob: Actor, make_org: Callable[..., str], again: Callable[[Actor], Actor], make_repo: Make
) -> None:
    make_org("acme", ann=Role.CONTRIBUTOR, bob=Role.CONTRIBUTOR)
    repo = make_repo(again(ann), "shared", namespace="acme")
    create_commit(again(ann), repo, "main", body(HEADER, file("x")))
    with pytest.raises(Forbidden):
        create_commit(again(bob), repo, "main", body(HEADER, file("y")))


def test_pull_request_leaves_the_branch_alone(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    made = create_commit(bob, repo, "main", body(header("Please take this"), file("x")), create_pr=True)
    assert made.pull_number == 1
    assert head(repo) == repo.head_oid
    assert head(repo, "refs/pr/1") == made.oid
    pull = Pull.objects.get()
    assert (pull.title, pull.status, pull.head_oid, pull.base_branch) == (
        "Please take this",
        "open",
        made.oid,
        "main",
    )


def test_author_commits_further_to_their_pull_request(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    create_commit(bob, repo, "main", body(HEADER, file("x")), create_pr=True)
    for revision in ("refs/pr/1", "pr/1"):
        made = create_commit(bob, repo, revision, body(HEADER, file(f"{revision}.txt")))
        assert head(repo, "refs/pr/1") == made.oid == Pull.objects.get().head_oid
    made = create_commit(ann, repo, "refs/pr/1", body(HEADER, file("by-owner.txt")))
    assert has(repo, made.oid, "x")


def test_stranger_does_not_commit_to_anothers_pull_request(
    bob: Actor, repo: RepoRow, make_actor: Callable[..., Actor]
) -> None:
    create_commit(bob, repo, "main", body(HEADER, file("x")), create_pr=True)
    with pytest.raises(Forbidden):
        create_commit(make_actor("eve"), repo, "refs/pr/1", body(HEADER, file("y")))


def test_commit_answers_as_clients_read_it(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    answer = api(
        "POST",
        "/api/models/ann/bert/commit/main",
        raw(HEADER, file("x")),
        actor=ann,
        content_type="application/x-ndjson",
    )
    assert answer.status == 200, answer.body
    assert answer.json["commitUrl"] == f"http://hub.test/ann/bert/commit/{answer.json['commitOid']}"
    assert answer.json["success"] is True
    answer = api(
        "POST", "/api/models/ann/bert/commit/main?create_pr=1", raw(HEADER, file("y")), actor=ann,
        content_type="application/x-ndjson",
    )  # fmt: skip
    assert answer.json["pullRequestUrl"] == "http://hub.test/ann/bert/discussions/1"


def test_private_repository_is_not_there_for_a_stranger(
    ann: Actor, bob: Actor, make_repo: Make, api: Callable[..., Any]
) -> None:
    make_repo(ann, "secret", visibility="private")
    send = {"body": raw(HEADER, file("x")), "content_type": "application/x-ndjson"}
    there = api("POST", "/api/models/ann/secret/commit/main", actor=bob, **send)
    missing = api("POST", "/api/models/ann/missing/commit/main", actor=bob, **send)
    assert (there.status, there.code, there.body) == (missing.status, missing.code, missing.body)
    assert there.status == 404
    assert api("POST", "/api/models/ann/secret/commit/main", **send).status == 401


def test_card_of_the_new_head_is_in_the_row(ann: Actor, repo: RepoRow) -> None:
    card = "---\nlicense: mit\nlanguage: [en, no]\ndatasets: squad\ntags: [nice]\n---\n# Hi arxiv.org/abs/1810.04805\n"
    config = '{"model_type": "bert", "architectures": ["BertForMaskedLM"]}'
    oid = upload(ann, repo, b"weights")
    create_commit(
        ann,
        repo,
        "main",
        body(
            HEADER, file("README.md", card), file("config.json", config), large("model.safetensors", oid, 7)
        ),
    )
    row = Repo.objects.get(pk=repo.id)
    tags = set(row.tags.values_list("tag", flat=True))
    assert {
        "license:mit",
        "en",
        "no",
        "dataset:squad",
        "nice",
        "safetensors",
        "transformers",
        "bert",
        "fill-mask",
    } <= tags
    assert "arxiv:1810.04805" in tags
    assert (row.pipeline_tag, row.library_name, row.card["license"]) == ("fill-mask", "transformers", "mit")
    create_commit(ann, repo, "main", body(HEADER, deleted("README.md")))
    row.refresh_from_db()
    assert row.card == {}
    assert not row.tags.filter(tag="license:mit").exists()


@pytest.mark.parametrize(
    "card",
    [
        "---\n[unclosed\n---\n",
        "---\na: &a [x,x,x]\nb: &b [*a,*a,*a]\n---\n",
        "---\n- list\n---\n",
        "---\nx: !!python/object:os.system {}\n---\n",
    ],
)
def test_card_that_cannot_be_read_does_not_stop_the_commit(ann: Actor, repo: RepoRow, card: str) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("README.md", card)))
    assert Repo.objects.get(pk=repo.id).head_oid == made.oid


def test_many_files_in_one_commit(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(
        ann, repo, "main", body(HEADER, *[file(f"d{n % 7}/{n}.txt", str(n)) for n in range(500)])
    )
    assert content(repo, made.oid, "d3/493.txt") == b"493"
    assert Repo.objects.get(pk=repo.id).git_bytes == repository.size_bytes(repo.path)


def test_renamed_repository_takes_commits_under_its_old_name(
    ann: Actor, repo: RepoRow, api: Callable[..., Any]
) -> None:
    from hutch.repos.service import move_repo

    move_repo(ann, repo, "ann/roberta")
    answer = api(
        "POST",
        "/api/models/ann/bert/commit/main",
        raw(HEADER, file("x")),
        actor=ann,
        content_type="application/x-ndjson",
    )
    assert answer.status == 200
    assert head(repo_by_id(repo.id)) == answer.json["commitOid"]
