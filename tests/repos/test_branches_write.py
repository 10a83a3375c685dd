"""Branches, tags, and histories made short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pygit2
import pytest

from hutch.core.errors import Conflict, Forbidden, HutchError, RevisionNotFound
from hutch.core.permissions import Actor
from hutch.git import process, repository
from hutch.git.errors import InvalidRefName, RefConflict
from hutch.git.refs import read_ref
from hutch.repos import settings
from hutch.repos.changes import branches
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import ProtectedBranch
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from tests.repos.commit_body import HEADER, body, content, file, has

Make = Callable[..., RepoRow]


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


def at(repo: RepoRow, ref: str) -> str | None:
    return read_ref(repository.open(repo.path), ref)


def test_branch_begins_at_the_default_branch_or_at_a_revision(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("x"))).oid
    assert branches.create_branch(ann, repo, "a") == made == at(repo, "refs/heads/a")
    branches.create_branch(ann, repo, "feature/b", start=repo.head_oid)
    assert at(repo, "refs/heads/feature/b") == repo.head_oid
    branches.create_branch(ann, repo, "refs/convert/parquet")
    assert at(repo, "refs/convert/parquet") == made


def test_branch_that_is_there_is_a_conflict_unless_overwritten(ann: Actor, repo: RepoRow) -> None:
    branches.create_branch(ann, repo, "a")
    made = create_commit(ann, repo, "main", body(HEADER, file("x"))).oid
    with pytest.raises(Conflict):
        branches.create_branch(ann, repo, "a")
    branches.create_branch(ann, repo, "a", overwrite=True)
    assert at(repo, "refs/heads/a") == made


def test_empty_branch_has_a_history_of_its_own(ann: Actor, repo: RepoRow) -> None:
    made = branches.create_branch(ann, repo, "blank", empty=True)
    assert process.run(repo.path, ["rev-list", "--count", made]).strip() == b"1"
    assert not has(repo, made, ".gitattributes")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda a, r: branches.create_branch(a, r, "x", start="nowhere"), RevisionNotFound),
        (lambda a, r: branches.create_branch(a, r, "a b"), InvalidRefName),
        (lambda a, r: branches.create_branch(a, r, "main/sub"), RefConflict),
        (lambda a, r: branches.delete_branch(a, r, "nowhere"), RevisionNotFound),
        (lambda a, r: branches.delete_tag(a, r, "nowhere"), RevisionNotFound),
        (lambda a, r: branches.create_tag(a, r, "v1", revision="nowhere"), RevisionNotFound),
        (lambda a, r: branches.create_tag(a, r, "a..b", revision="main"), InvalidRefName),
        (lambda a, r: branches.super_squash(a, r, "nowhere"), RevisionNotFound),
    ],
)
def test_what_cannot_be_is_refused(
    ann: Actor, repo: RepoRow, call: Callable[[Actor, RepoRow], Any], error: type[HutchError]
) -> None:
    with pytest.raises(error):
        call(ann, repo)


def test_readers_change_no_refs(bob: Actor, repo: RepoRow) -> None:
    for call in (
        lambda: branches.create_branch(bob, repo, "x"),
        lambda: branches.delete_branch(bob, repo, "nowhere"),
        lambda: branches.create_tag(bob, repo, "v1", revision="main"),
        lambda: branches.super_squash(bob, repo, "main"),
    ):
        with pytest.raises(Forbidden):
            call()


def test_tag_with_a_message_is_annotated(ann: Actor, repo: RepoRow) -> None:
    branches.create_tag(ann, repo, "plain", revision="main")
    branches.create_tag(ann, repo, "v1", revision="main", message="First\nof all")
    assert at(repo, "refs/tags/plain") == repo.head_oid
    tag = repository.open(repo.path)[at(repo, "refs/tags/v1")]
    assert isinstance(tag, pygit2.Tag)
    assert (tag.message, tag.name, str(tag.target), tag.tagger.name) == (
        "First\nof all\n",
        "v1",
        repo.head_oid,
        "ann",
    )
    process.run(repo.path, ["fsck", "--strict"])
    with pytest.raises(Conflict):
        branches.create_tag(ann, repo, "v1", revision="main")
    branches.delete_tag(ann, repo, "v1")
    assert at(repo, "refs/tags/v1") is None


def test_squash_keeps_the_files_and_drops_the_history(ann: Actor, repo: RepoRow) -> None:
    for name in ("x", "y"):
        create_commit(ann, repo, "main", body(HEADER, file(name)))
    made = branches.super_squash(ann, repo, "main", "All in one")
    assert at(repo, "refs/heads/main") == made == Repo.objects.get(pk=repo.id).head_oid
    assert process.run(repo.path, ["rev-list", "--count", "main"]).strip() == b"1"
    assert content(repo, made, "y") == b"hello\n"


def test_protected_branch_is_not_squashed(ann: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file("x")))
    settings.update_settings(ann, repo, settings.Changes(protected_branches=["main"]))
    with pytest.raises(ProtectedBranch):
        branches.super_squash(ann, repo, "main")


def test_api_of_branches_and_tags(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    at_repo = "/api/models/ann/bert"
    assert api("POST", f"{at_repo}/branch/feature%2Fx", {}, actor=ann).status == 200
    assert at(repo, "refs/heads/feature/x") == repo.head_oid
    again = api("POST", f"{at_repo}/branch/feature%2Fx", {"startingPoint": "main"}, actor=ann)
    assert (again.status, again.code) == (409, "Conflict")
    assert api("DELETE", f"{at_repo}/branch/feature%2Fx", actor=ann).status == 200
    assert at(repo, "refs/heads/feature/x") is None
    assert api("DELETE", f"{at_repo}/branch/main", actor=ann).status == 400
    assert api("POST", f"{at_repo}/tag/main", {"tag": "v1", "message": "hi"}, actor=ann).status == 200
    assert api("DELETE", f"{at_repo}/tag/v1", actor=ann).status == 200
    missing = api("DELETE", f"{at_repo}/tag/v1", actor=ann)
    assert (missing.status, missing.code) == (404, "RevisionNotFound")
    assert api("POST", f"{at_repo}/super-squash/main", {"message": "one"}, actor=ann).status == 200
    assert (
        api("POST", f"{at_repo}/branch/x", {"startingpoint": "main"}, actor=ann).json["field"]
        == "startingpoint"
    )
