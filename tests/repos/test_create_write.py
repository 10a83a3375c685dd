"""Making repositories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pygit2
import pytest

from hutch.core.errors import BadRequest, Forbidden, Unauthorized
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.git import repository
from hutch.repos.errors import InvalidName, QuotaExceeded, RepoExists
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import Repo

Make = Callable[..., RepoRow]


def test_new_repository_has_main_with_gitattributes(ann: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "bert")
    opened = repository.open(repo.path)
    head = opened.references["refs/heads/main"].peel(pygit2.Commit)
    assert str(head.id) == repo.head_oid
    assert [entry.name for entry in head.tree] == [".gitattributes"]
    assert (head.author.name, head.committer.name) == ("ann", "Hutch")
    assert repo.full_name == "ann/bert"


def test_new_space_has_a_card_with_its_sdk(ann: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "demo", type="space", sdk="gradio")
    row = Repo.objects.get(pk=repo.id)
    assert (row.sdk, row.card["sdk"], row.card["title"]) == ("gradio", "gradio", "demo")


def test_licence_stands_in_the_card_and_in_the_tags(ann: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "bert", license_id="apache-2.0")
    row = Repo.objects.get(pk=repo.id)
    assert row.card == {"license": "apache-2.0"}
    assert list(row.tags.values_list("tag", flat=True)) == ["license:apache-2.0"]


def test_name_is_taken_whatever_its_case(ann: Actor, make_repo: Make) -> None:
    make_repo(ann, "bert")
    with pytest.raises(RepoExists):
        make_repo(ann, "BERT")
    make_repo(ann, "bert", type="dataset")


def test_nobody_and_strangers_create_nothing(ann: Actor, bob: Actor, make_repo: Make) -> None:
    with pytest.raises(Unauthorized):
        make_repo(NOBODY, "x", namespace="ann")
    with pytest.raises(Forbidden) as strange:
        make_repo(bob, "x", namespace="ann")
    with pytest.raises(Forbidden) as missing:
        make_repo(bob, "x", namespace="nowhere")
    assert strange.value.message.replace("ann", "nowhere") == missing.value.message


@pytest.mark.parametrize(
    ("role", "allowed"), [(Role.READ, False), (Role.CONTRIBUTOR, True), (Role.ADMIN, True)]
)
def test_role_in_an_organisation_decides_who_creates(
    ann: Actor,
    make_org: Callable[..., str],
    again: Callable[[Actor], Actor],
    make_repo: Make,
    role: Role,
    allowed: bool,
) -> None:
    make_org("acme", ann=role)
    if allowed:
        assert make_repo(again(ann), "x", namespace="acme").full_name == "acme/x"
    else:
        with pytest.raises(Forbidden):
            make_repo(again(ann), "x", namespace="acme")


@pytest.mark.parametrize(
    "name", ["", "-a", "a-", ".a", "a.", "a--b", "a..b", "a b", "a/b/c", "ä", "x" * 97, "a.git", "settings"]
)
def test_bad_names_are_refused(ann: Actor, make_repo: Make, name: str) -> None:
    with pytest.raises(InvalidName):
        make_repo(ann, name, namespace="ann") if name else make_repo(ann, " ", namespace="ann")


def test_one_segment_names_are_given_by_administrators(
    ann: Actor, make_actor: Callable[..., Actor], make_repo: Make
) -> None:
    with pytest.raises(Forbidden):
        make_repo(ann, "gpt2", namespace="")
    root = make_actor("root", is_staff=True)
    assert make_repo(root, "gpt2", namespace="").full_name == "gpt2"
    for taken in ("ann", "api", "Datasets"):
        with pytest.raises(InvalidName):
            make_repo(root, taken, namespace="")


def test_account_cannot_take_the_name_of_a_one_segment_repository(
    make_actor: Callable[..., Actor], make_repo: Make, db: None
) -> None:
    from hutch.accounts import names

    make_repo(make_actor("root", is_staff=True), "gpt2", namespace="")
    assert names.is_taken("GPT2")


def test_space_without_sdk_is_refused(ann: Actor, make_repo: Make) -> None:
    with pytest.raises(BadRequest) as refused:
        make_repo(ann, "demo", type="space")
    assert refused.value.field == "sdk"


def test_refused_repository_leaves_no_folder(
    ann: Actor, make_repo: Make, configure: Callable[..., None]
) -> None:
    from hutch.settings import current

    configure(namespace_quota_bytes=10)
    with pytest.raises(QuotaExceeded):
        make_repo(ann, "bert")
    assert not list((current().data / "git").rglob("*.git"))
    assert not list((current().data / "git" / ".unsettled").iterdir())


def test_created_repository_is_found(ann: Actor, make_repo: Make) -> None:
    repo = make_repo(ann, "Bert")
    assert find_repo(ann, "model", "ANN/bert").id == repo.id


def test_api_answers_with_the_address(ann: Actor, api: Callable[..., Any]) -> None:
    answer = api("POST", "/api/repos/create", {"name": "bert", "organization": None}, actor=ann)
    assert (answer.status, answer.json["url"]) == (200, "http://hub.test/ann/bert")
    body = {"name": "d", "organization": "ann", "type": "dataset", "visibility": "private"}
    assert api("POST", "/api/repos/create", body, actor=ann).json["url"] == "http://hub.test/datasets/ann/d"
    assert Repo.objects.get(type="dataset").visibility == "private"


def test_api_names_the_repository_that_is_there(ann: Actor, api: Callable[..., Any]) -> None:
    for _ in range(2):
        answer = api("POST", "/api/repos/create", {"name": "bert"}, actor=ann)
    assert (answer.status, answer.code) == (409, "RepoExists")
    assert answer.json["url"] == "http://hub.test/ann/bert"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"visibility": "secret"}, "visibility"),
        ({"visibility": "protected"}, "visibility"),
        ({"visibility": "public", "private": True}, "private"),
        ({"private": "yes please"}, "private"),
        ({"gated": "maybe"}, "gated"),
        ({"type": "movie"}, "type"),
        ({"sdk": "gradio"}, "sdk"),
        ({"license": "a b"}, "license"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_api_names_the_field_that_is_wrong(
    ann: Actor, api: Callable[..., Any], body: dict[str, Any], field: str
) -> None:
    answer = api("POST", "/api/repos/create", {"name": "bert", **body}, actor=ann)
    assert (answer.status, answer.json["field"]) == (400, field)
    assert not Repo.objects.exists()


def test_older_clients_say_private(ann: Actor, api: Callable[..., Any]) -> None:
    api("POST", "/api/repos/create", {"name": "bert", "private": True}, actor=ann)
    assert Repo.objects.get().visibility == "private"


def test_options_that_are_not_offered_are_refused_and_named(ann: Actor, api: Callable[..., Any]) -> None:
    body = {"name": "s", "type": "space", "sdk": "docker", "secrets": [{"key": "A", "value": "b"}]}
    answer = api("POST", "/api/repos/create", body, actor=ann)
    assert (answer.status, answer.json["field"]) == (501, "secrets")


def test_kernel_is_a_type_like_the_others(ann: Actor, api: Callable[..., Any]) -> None:
    answer = api("POST", "/api/repos/create", {"name": "attention", "type": "kernel"}, actor=ann)
    assert answer.json["url"] == "http://hub.test/kernels/ann/attention"
    assert api("GET", "/api/kernels/ann/attention/auth-check").status == 200
    assert api("POST", "/api/kernels/ann/attention/branch/v1", {}, actor=ann).status == 200
