"""Pull requests: opened, talked about, merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.models import StoredEvent
from hutch.core.permissions import NOBODY, Actor
from hutch.git import process, repository
from hutch.git.refs import read_ref
from hutch.repos.changes import pulls, refs
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import MergeConflict
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, Repo
from tests.repos.commit_body import HEADER, body, content, file, has, header

Make = Callable[..., RepoRow]
AT = "/api/models/ann/bert"


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture
def opened(bob: Actor, repo: RepoRow) -> str:
    """Bob's pull request number 1, by its commit."""
    return create_commit(
        bob, repo, "main", body(header("Add x", description="For you"), file("x")), create_pr=True
    ).oid


def main(repo: RepoRow) -> str:
    return read_ref(repository.open(repo.path), "refs/heads/main") or ""


def test_merge_goes_straight_ahead_where_it_can(ann: Actor, repo: RepoRow, opened: str) -> None:
    assert pulls.merge(ann, repo, 1) == opened == main(repo)
    assert Repo.objects.get().head_oid == opened
    pull = Pull.objects.get()
    assert (pull.status, pull.merge_oid, pull.merged_onto_oid) == ("merged", opened, repo.head_oid)


def test_merge_onto_a_base_that_moved_is_one_commit(
    ann: Actor, bob: Actor, repo: RepoRow, opened: str
) -> None:
    create_commit(bob, repo, "refs/pr/1", body(HEADER, file("x2")))
    base = create_commit(ann, repo, "main", body(HEADER, file("y"))).oid
    merged = pulls.merge(ann, repo, 1, "Thanks")
    assert process.run(repo.path, ["rev-list", f"{base}..{merged}"]).decode().split() == [merged]
    assert all(has(repo, merged, name) for name in ("x", "x2", "y"))
    assert process.run(repo.path, ["log", "-1", "--format=%s %an", merged]).strip() == b"Add x (#1) ann"
    process.run(repo.path, ["fsck", "--strict"])


def test_conflict_names_the_files_and_changes_nothing(ann: Actor, repo: RepoRow, opened: str) -> None:
    base = create_commit(ann, repo, "main", body(HEADER, file("x", "other"))).oid
    with pytest.raises(MergeConflict) as refused:
        pulls.merge(ann, repo, 1)
    assert (refused.value.paths, refused.value.status) == (("x",), 409)
    assert main(repo) == base
    assert Pull.objects.get().status == "open"


def test_merge_is_for_writers_and_open_pull_requests(
    ann: Actor, bob: Actor, repo: RepoRow, opened: str
) -> None:
    with pytest.raises(Forbidden):
        pulls.merge(bob, repo, 1)
    pulls.set_status(bob, repo, 1, "closed", "Never mind")
    with pytest.raises(Conflict):
        pulls.merge(ann, repo, 1)
    pulls.set_status(ann, repo, 1, "open")
    pulls.merge(ann, repo, 1)
    with pytest.raises(Conflict):
        pulls.merge(ann, repo, 1)
    with pytest.raises(Conflict):
        pulls.set_status(ann, repo, 1, "closed")
    with pytest.raises(NotFound):
        pulls.merge(ann, repo, 2)


def test_what_is_in_the_base_already_is_merged_without_a_commit(
    ann: Actor, repo: RepoRow, opened: str
) -> None:
    base = create_commit(ann, repo, "main", body(HEADER, file("x"))).oid
    assert pulls.merge(ann, repo, 1) == base == main(repo)
    assert Pull.objects.get().status == "merged"


def test_strangers_change_nothing_of_anothers(
    ann: Actor, repo: RepoRow, opened: str, make_actor: Callable[..., Actor]
) -> None:
    eve = make_actor("eve")
    for call in (
        lambda: pulls.set_status(eve, repo, 1, "closed"),
        lambda: pulls.set_title(eve, repo, 1, "Mine"),
    ):
        with pytest.raises(Forbidden):
            call()
    with pytest.raises(Unauthorized):
        pulls.comment(NOBODY, repo, 1, "hi")
    assert pulls.comment(eve, repo, 1, "hi").data["latest"]["raw"] == "hi"
    for text in ("", "x" * 70_000):
        with pytest.raises(BadRequest):
            pulls.comment(eve, repo, 1, text)


def test_pull_request_that_could_not_be_made_is_not_there(bob: Actor, repo: RepoRow) -> None:
    with pytest.raises(BadRequest):
        pulls.open_pull(bob, repo, base_ref="refs/heads/main", head="1" * 40, title="x")
    assert not Pull.objects.exists()
    with pytest.raises(BadRequest):
        pulls.open_pull(bob, repo, base_ref="refs/heads/main", head=repo.head_oid, title=" ")


def test_pull_request_left_by_a_crash_is_never_seen(
    ann: Actor, repo: RepoRow, api: Callable[..., Any]
) -> None:
    from hutch.core import clock

    Pull.objects.create(repo_id=repo.id, number=1, title="ghost", base_branch="main")
    assert api("GET", f"{AT}/discussions").json["count"] == 0
    assert api("GET", f"{AT}/discussions/1").status == 404
    Pull.objects.update(created_at=clock.now() - refs.INTENT_LEASE * 2)
    refs.recover()
    assert not Pull.objects.exists()


def test_api_tells_a_pull_request_as_clients_read_it(
    bob: Actor, repo: RepoRow, opened: str, api: Callable[..., Any]
) -> None:
    pulls.comment(bob, repo, 1, "Look")
    found = api("GET", f"{AT}/discussions/1?diff=1", actor=bob).json
    assert (found["num"], found["title"], found["status"], found["isPullRequest"]) == (
        1,
        "Add x",
        "open",
        True,
    )
    assert (found["author"]["name"], found["repo"]) == ("bob", {"name": "ann/bert", "type": "model"})
    assert found["changes"] == {"base": "refs/heads/main"}
    assert found["filesWithConflicts"] == []
    assert "+hello" in found["diff"]
    kinds = [each["type"] for each in found["events"]]
    assert sorted(kinds) == ["comment", "comment", "commit"]
    assert found["events"][0]["data"]["latest"]["raw"] == "For you"
    assert [each["data"]["oid"] for each in found["events"] if each["type"] == "commit"] == [opened]


def test_api_keeps_the_diff_after_the_merge(
    ann: Actor, repo: RepoRow, opened: str, api: Callable[..., Any]
) -> None:
    answer = api("POST", f"{AT}/discussions/1/merge", {"comment": "Thanks"}, actor=ann)
    assert answer.json == {"mergeCommitId": opened}
    found = api("GET", f"{AT}/discussions/1?diff=1", actor=ann).json
    assert (found["status"], found["changes"]["mergeCommitId"]) == ("merged", opened)
    assert "+hello" in found["diff"]


def test_api_opens_lists_closes_and_renames(
    ann: Actor, bob: Actor, repo: RepoRow, api: Callable[..., Any]
) -> None:
    send = {"title": "Plan", "description": "Soon", "pullRequest": True}
    made = api("POST", f"{AT}/discussions", send, actor=bob).json
    assert (made["num"], made["status"]) == (1, "draft")
    told = api(
        "POST", f"{AT}/discussions/1/status", {"status": "closed", "comment": "Later"}, actor=bob
    ).json["newStatus"]
    assert (told["type"], told["data"]) == ("status-change", {"status": "closed"})
    told = api("POST", f"{AT}/discussions/1/title", {"title": "Plan B"}, actor=ann).json["newTitle"]
    assert told["data"] == {"from": "Plan", "to": "Plan B"}
    told = api("POST", f"{AT}/discussions/1/comment", {"comment": "OK"}, actor=ann).json["newMessage"]
    assert told["data"]["latest"]["raw"] == "OK"
    create_commit(bob, repo, "main", body(HEADER, file("x")), create_pr=True)
    listed = api("GET", f"{AT}/discussions").json
    assert ([each["num"] for each in listed["discussions"]], listed["count"], listed["start"]) == (
        [2, 1],
        2,
        0,
    )
    for query, numbers in (
        ("status=open", [2]),
        ("status=closed", [1]),
        ("author=BOB", [2, 1]),
        ("author=ann", []),
        ("type=discussion", []),
        ("p=1", []),
    ):
        assert [
            each["num"] for each in api("GET", f"{AT}/discussions?{query}").json["discussions"]
        ] == numbers
    names = list(
        StoredEvent.objects.filter(name__startswith="Pull").order_by("pk").values_list("name", flat=True)
    )
    assert names == ["PullOpened", "PullCommented", "PullStatusChanged", "PullCommented", "PullOpened"]


@pytest.mark.parametrize(
    ("method", "path", "send", "status"),
    [
        ("GET", "/discussions?status=odd", None, 400),
        ("GET", "/discussions?p=-1", None, 400),
        ("GET", "/discussions/0", None, 400),
        ("GET", "/discussions/abc", None, 400),
        ("GET", "/discussions/99", None, 404),
        ("POST", "/discussions", {"title": "Talk", "pullRequest": False}, 501),
        ("POST", "/discussions/1/status", {"status": "merged"}, 400),
        ("POST", "/discussions/1/title", {"title": "  "}, 400),
    ],
)
def test_api_refuses_what_makes_no_sense(
    bob: Actor,
    repo: RepoRow,
    opened: str,
    api: Callable[..., Any],
    method: str,
    path: str,
    send: Any,
    status: int,
) -> None:
    assert api(method, AT + path, send, actor=bob).status == status


def test_merged_files_are_those_of_the_pull_request(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file("a", "1\n2\n3\n4\n5\n6\n7\n8\n")))
    create_commit(bob, repo, "main", body(HEADER, file("a", "one\n2\n3\n4\n5\n6\n7\n8\n")), create_pr=True)
    create_commit(ann, repo, "main", body(HEADER, file("a", "1\n2\n3\n4\n5\n6\n7\neight\n")))
    merged = pulls.merge(ann, repo, 1)
    assert content(repo, merged, "a") == b"one\n2\n3\n4\n5\n6\n7\neight\n"
