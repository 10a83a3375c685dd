"""Gated repositories: seen by all, read by those who were let in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hutch.cas.errors import MissingObjects
from hutch.core.errors import Unauthorized
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.repos import access_requests
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import GatedForNobody, GatedRepo
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import AccessRequest
from hutch.repos.visibility import readable_by, visible_to
from tests.repos.commit_body import HEADER, body, large, upload

Make = Callable[..., RepoRow]
AT = "/api/models/ann/llm"


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "llm", gated="manual")


def test_files_are_for_members_and_those_let_in(ann: Actor, bob: Actor, repo: RepoRow) -> None:
    assert find_repo(ann, "model", "ann/llm").id == repo.id
    with pytest.raises(GatedRepo):
        find_repo(bob, "model", "ann/llm")
    with pytest.raises(GatedForNobody):
        find_repo(NOBODY, "model", "ann/llm")
    assert find_repo(bob, "model", "ann/llm", "repo.view").id == repo.id
    access_requests.grant(ann, repo, "bob")
    assert find_repo(bob, "model", "ann/llm").id == repo.id


def test_list_of_the_readable_agrees_with_the_gate(
    ann: Actor,
    bob: Actor,
    repo: RepoRow,
    make_org: Callable[..., str],
    again: Callable[[Actor], Actor],
    make_repo: Make,
) -> None:
    make_org("acme", bob=Role.READ, ann=Role.ADMIN)
    team = make_repo(again(ann), "x", namespace="acme", gated="auto")
    assert {row.pk for row in readable_by(again(bob))} == {team.id}
    assert {row.pk for row in readable_by(NOBODY)} == set()
    assert {row.pk for row in visible_to(NOBODY)} == {team.id, repo.id}
    access_requests.grant(ann, repo, "bob")
    assert {row.pk for row in readable_by(again(bob))} == {team.id, repo.id}


def test_large_object_behind_a_gate_is_not_linked_elsewhere(
    ann: Actor, bob: Actor, repo: RepoRow, make_repo: Make
) -> None:
    oid = upload(ann, repo, b"weights")
    create_commit(ann, repo, "main", body(HEADER, large("w.bin", oid, 7)))
    mine = make_repo(bob, "mine")
    with pytest.raises(MissingObjects):
        create_commit(bob, mine, "main", body(HEADER, large("w.bin", oid, 7)))
    access_requests.grant(ann, repo, "bob")
    create_commit(bob, mine, "main", body(HEADER, large("w.bin", oid, 7)))


def test_request_is_asked_listed_and_answered(
    ann: Actor, bob: Actor, repo: RepoRow, api: Callable[..., Any]
) -> None:
    form = {"body": b"company=Acme", "content_type": "application/x-www-form-urlencoded"}
    assert api("POST", "/ann/llm/ask-access", actor=bob, **form).json == {"status": "pending"}
    assert api("POST", "/ann/llm/ask-access", actor=bob, **form).json == {"status": "pending"}
    (line,) = api("GET", f"{AT}/user-access-request/pending", actor=ann).json
    assert (line["user"]["user"], line["status"], line["fields"]) == ("bob", "pending", {"company": "Acme"})
    answer = api("POST", f"{AT}/user-access-request/handle", {"user": "bob", "status": "accepted"}, actor=ann)
    assert answer.status == 200
    assert api("GET", f"{AT}/auth-check", actor=bob).status == 200
    again = api("POST", f"{AT}/user-access-request/handle", {"user": "bob", "status": "accepted"}, actor=ann)
    assert again.status == 404
    send = {"requestId": line["requestId"], "status": "rejected", "rejectionReason": "Sorry"}
    assert api("POST", f"{AT}/user-access-request/handle", send, actor=ann).json["rejectionReason"] == "Sorry"
    refused = api("GET", f"{AT}/auth-check", actor=bob)
    assert (refused.status, refused.code) == (403, "GatedRepo")
    nobody = api("GET", f"{AT}/auth-check")
    assert (nobody.status, nobody.code) == (401, "GatedRepo")


def test_automatic_gate_opens_by_asking_and_shuts_by_cancelling(
    ann: Actor, bob: Actor, make_repo: Make, api: Callable[..., Any]
) -> None:
    make_repo(ann, "auto", gated="auto")
    assert api("POST", "/ann/auto/ask-access", b"", actor=bob).json == {"status": "accepted"}
    assert api("GET", "/api/models/ann/auto/auth-check", actor=bob).status == 200
    assert api("POST", "/api/models/ann/auto/user-access-request/cancel", {}, actor=bob).status == 200
    assert api("GET", "/api/models/ann/auto/auth-check", actor=bob).status == 403
    assert api("POST", "/api/models/ann/auto/user-access-request/cancel", {}, actor=bob).status == 404


def test_rejected_user_is_not_let_in_by_asking_again(ann: Actor, bob: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "auto", gated="auto")
    access_requests.ask(bob, repo)
    access_requests.handle(ann, repo, status="rejected", username="bob")
    assert access_requests.ask(bob, repo).status == "rejected"


def test_requests_are_for_those_who_administer(bob: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    assert api("GET", f"{AT}/user-access-request/pending", actor=bob).status == 403
    assert api("POST", f"{AT}/user-access-request/grant", {"user": "bob"}, actor=bob).status == 403
    assert (
        api(
            "POST", f"{AT}/user-access-request/handle", {"user": "bob", "status": "accepted"}, actor=bob
        ).status
        == 403
    )
    assert api("POST", "/ann/llm/ask-access", b"").status in (401, 403)  # a form without a cookie is forged
    with pytest.raises(Unauthorized):
        access_requests.ask(NOBODY, repo)
    assert not AccessRequest.objects.exists()


@pytest.mark.parametrize(
    ("send", "status"),
    [
        ({"user": "nosuchuser", "status": "accepted"}, 404),
        ({"user": "bob", "status": "adored"}, 400),
        ({"status": "accepted"}, 400),
        ({"user": "bob", "requestId": "1", "status": "accepted"}, 400),
        ({"user": "bob", "status": "accepted", "rejectionReason": "no"}, 400),
        ({"user": "bob", "status": "accepted"}, 404),
    ],
)
def test_wrong_answers_are_refused(
    ann: Actor, bob: Actor, repo: RepoRow, api: Callable[..., Any], send: dict[str, Any], status: int
) -> None:
    assert api("POST", f"{AT}/user-access-request/handle", send, actor=ann).status == status


def test_ungated_repository_has_no_requests(
    ann: Actor, bob: Actor, make_repo: Make, api: Callable[..., Any]
) -> None:
    make_repo(ann, "free")
    assert api("POST", "/ann/free/ask-access", b"", actor=bob).status == 400
    assert (
        api("POST", "/api/models/ann/free/user-access-request/grant", {"user": "bob"}, actor=ann).status
        == 400
    )


@pytest.mark.parametrize("word", ["a\0b", "a\ud800b"])
def test_text_that_no_database_keeps_does_no_harm(
    ann: Actor, repo: RepoRow, api: Callable[..., Any], word: str
) -> None:
    handle = f"{AT}/user-access-request/handle"
    assert api("POST", handle, {"user": word, "status": "accepted"}, actor=ann).status == 404
    assert api("POST", handle, {"requestId": word, "status": "accepted"}, actor=ann).status == 404
    assert api("POST", "/api/repos/create", {"name": word}, actor=ann).status == 400
    assert api("POST", "/api/repos/create", {"name": "x", "organization": word}, actor=ann).status == 403
    assert (
        api("POST", "/api/repos/move", {"fromRepo": "ann/llm", "toRepo": f"{word}/x"}, actor=ann).status
        == 403
    )
    assert api("POST", f"{AT}/discussions", {"title": word, "pullRequest": True}, actor=ann).status == 200
    assert api("POST", f"{AT}/branch/x", {"startingPoint": word}, actor=ann).status == 404
    assert api("POST", f"{AT}/tag/main", {"tag": "t", "message": word}, actor=ann).status == 200
    assert api("PUT", f"{AT}/settings", {"defaultBranch": word}, actor=ann).status == 400
    assert api("GET", "/api/models/ann/ll%00m/auth-check", actor=ann).status == 404
    assert api("GET", "/api/models/ann/ll%FFm/auth-check", actor=ann).status == 404
    listed = api("GET", f"{AT}/discussions?author=%00", actor=ann)
    assert (listed.status, listed.json["field"]) == (400, "author")
