"""Names that change, and accounts and organisations that go."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hutch.accounts import actors, invitations, names, organizations, profiles, renaming, teams, tokens, users
from hutch.accounts.models import AccessToken, Membership, Namespace, Organization, User
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, RepoNotFound, Unauthorized
from hutch.core.models import StoredEvent
from hutch.core.permissions import NOBODY, Actor, Grant, Role
from hutch.repos import service
from hutch.repos.lookup import find_repo

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("data_folder")]
Acting = Callable[..., Actor]
OPERATOR = actors.operator()


@pytest.fixture
def acme(acting: Acting) -> str:
    organizations.create_organization(acting("ann"), "acme")
    return "acme"


def new_repo(actor: Actor, namespace: str, name: str, type_: str = "model") -> int:
    return service.create_repo(actor, service.NewRepo(type=type_, name=name, namespace=namespace)).id


def told(name: str) -> list[dict[str, object]]:
    rows = StoredEvent.objects.filter(name=name).order_by("id")
    return [row.payload for row in rows]


def test_renamed_user_keeps_everything_and_the_old_addresses_lead_there(acting: Acting) -> None:
    ann = acting("ann")
    first, second = new_repo(ann, "ann", "bert"), new_repo(ann, "ann", "Data", "dataset")
    assert renaming.rename(ann, "ANN", "anna") == "anna"
    anna = acting("anna")
    assert (anna.user_id, anna.username) == (ann.user_id, "anna")
    for name in ("anna/bert", "ann/bert", "Ann/BERT"):
        found = find_repo(anna, "model", name, "repo.admin")
        assert (found.id, found.full_name) == (first, "anna/bert")
    assert find_repo(anna, "dataset", "ann/data", "repo.read").id == second
    with pytest.raises(NotFound):
        users.user_by_name("ann")
    with pytest.raises(NotFound):
        profiles.require_user(NOBODY, "ann")


def test_renamed_organization_keeps_members_teams_and_roles(acme: str, acting: Acting) -> None:
    ann, bob = acting("ann"), acting("bob")
    organizations.set_role(ann, acme, "bob", Role.WRITE)
    team = teams.create_team(ann, acme, "readers")
    repo_id = new_repo(acting("ann"), acme, "bert")
    renaming.rename(acting("ann"), acme, "Acme-Labs")
    organization = organizations.organization_by_name("acme-labs")
    assert set(Membership.objects.filter(organization=organization).values_list("user__username", flat=True)) == {
        "ann", "bob",
    }  # fmt: skip
    assert organization.teams.get().pk == team.pk
    assert find_repo(acting("bob"), "model", "acme/bert", "repo.write").id == repo_id
    assert bob.user_id == acting("bob").user_id


def test_case_of_a_name_alone_may_change(acting: Acting) -> None:
    ann = acting("ann")
    repo_id = new_repo(ann, "ann", "bert")
    renaming.rename(ann, "ann", "Ann")
    assert User.objects.get(pk=ann.user_id).username == "Ann"
    assert find_repo(acting("Ann"), "model", "ann/bert", "repo.read").full_name == "Ann/bert"
    assert repo_id == find_repo(acting("Ann"), "model", "Ann/bert", "repo.read").id


def test_there_and_back_again_leads_to_the_same_repository(acting: Acting) -> None:
    ann = acting("ann")
    repo_id = new_repo(ann, "ann", "bert")
    renaming.rename(ann, "ann", "anna")
    renaming.rename(acting("anna"), "anna", "ann")
    for name in ("ann/bert", "anna/bert"):
        found = find_repo(acting("ann"), "model", name, "repo.read")
        assert (found.id, found.full_name) == (repo_id, "ann/bert")


def test_who_takes_the_old_name_takes_its_addresses_and_nothing_else(acting: Acting) -> None:
    ann = acting("ann")
    service.create_repo(ann, service.NewRepo(type="model", name="secret", visibility="private"))
    renaming.rename(ann, "ann", "anna")
    other = acting("ann")
    with pytest.raises(RepoNotFound):
        find_repo(other, "model", "ann/secret", "repo.view")
    new_id = new_repo(other, "ann", "secret")
    assert find_repo(other, "model", "ann/secret", "repo.admin").id == new_id
    assert find_repo(acting("anna"), "model", "anna/secret", "repo.admin").id != new_id


def test_narrow_tokens_name_the_new_name(acme: str, acting: Acting) -> None:
    ann = acting("ann")
    repo_id = new_repo(ann, acme, "bert")
    lines = [
        ("org:acme", "repo.write"),
        ("model:acme/bert", "repo.content.read"),
        ("user:ann", "user.read"),
        ("model:acme-x/a", "repo.write"),
    ]
    grants = [Grant(entity, frozenset({permission})) for entity, permission in lines]
    row, word = tokens.create_token(ann, "ann", name="narrow", role="fineGrained", grants=grants)
    renaming.rename(ann, acme, "labs")
    row.refresh_from_db()
    assert [grant["entity"] for grant in AccessToken.objects.get(pk=row.pk).grants] == [
        "org:labs", "model:labs/bert", "user:ann", "model:acme-x/a",
    ]  # fmt: skip
    assert find_repo(actors.by_token(word), "model", "labs/bert", "repo.write").id == repo_id


@pytest.mark.parametrize("new", ["bob", "BOB", "acme", "gpt2"])
def test_name_that_somebody_or_something_has_is_refused(acme: str, acting: Acting, new: str) -> None:
    acting("bob")
    service.create_repo(
        acting("root", is_admin=True), service.NewRepo(type="model", name="gpt2", namespace="")
    )
    with pytest.raises(Conflict) as caught:
        renaming.rename(acting("ann"), "ann", new)
    assert caught.value.field == "new_name"
    assert acting("ann").username == "ann"


@pytest.mark.parametrize("new", ["", "a", "a--b", "settings", "a/b", "a\0b", "x" * 43, "an organization"])
def test_name_that_nobody_may_have_is_refused(acting: Acting, new: str) -> None:
    with pytest.raises(BadRequest) as caught:
        renaming.rename(acting("ann"), "ann", new)
    assert caught.value.field == "new_name"


def test_only_who_administers_a_name_changes_it(acme: str, acting: Acting) -> None:
    acting("bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.WRITE)
    for actor in (acting("bob"), acting("cat")):
        for name in (acme, "ann"):
            with pytest.raises(Forbidden):
                renaming.rename(actor, name, "other")
        with pytest.raises(Forbidden):
            renaming.delete_organization(actor, acme)
        with pytest.raises(Forbidden):
            renaming.delete_user(actor, "ann")
    for verb in (lambda: renaming.rename(NOBODY, "ann", "other"), lambda: renaming.delete_organization(NOBODY, acme),
                 lambda: renaming.delete_user(NOBODY, "ann")):  # fmt: skip
        with pytest.raises(Unauthorized):
            verb()
    ann = acting("ann")
    reader = Actor(user_id=ann.user_id, username="ann", token_id=1, token_role="read", roles=ann.roles)
    with pytest.raises(Forbidden):
        renaming.rename(reader, "ann", "other")
    with pytest.raises(NotFound):
        renaming.rename(acting("root", is_admin=True), "nobody-of-that-name", "other")


def test_organization_that_holds_a_repository_stays(acme: str, acting: Acting) -> None:
    new_repo(acting("ann"), acme, "bert")
    with pytest.raises(Conflict) as caught:
        renaming.delete_organization(acting("ann"), acme)
    assert "1 repository" in caught.value.message
    assert organizations.organization_by_name(acme)


def test_empty_organization_goes_with_teams_members_and_invitations_and_its_name_is_free(
    acme: str, acting: Acting
) -> None:
    ann = acting("ann")
    repo_id = new_repo(ann, acme, "bert")
    teams.create_team(ann, acme, "readers")
    invitations.organization_link(ann, acme, role=Role.READ)
    service.delete_repo(ann, find_repo(ann, "model", "acme/bert", "repo.admin"))
    renaming.delete_organization(ann, "ACME")
    assert not Organization.objects.exists()
    assert not Membership.objects.exists()
    assert not Namespace.objects.filter(lower_name="acme").exists()
    assert told("OrganizationDeleted")[0]["name"] == "acme"
    assert acting("acme").username == "acme"
    assert repo_id


def test_account_that_holds_a_repository_or_is_the_last_of_its_kind_stays(acting: Acting) -> None:
    root = acting("root", is_admin=True)
    ann, bob = acting("ann"), acting("bob")
    new_repo(ann, "ann", "bert")
    organizations.create_organization(bob, "acme")
    with pytest.raises(Conflict):
        renaming.delete_user(root, "ann")
    with pytest.raises(Forbidden):
        renaming.delete_user(root, "bob")
    with pytest.raises(Forbidden):
        renaming.delete_user(root, "root")
    with pytest.raises(Forbidden):
        renaming.delete_user(OPERATOR, "root")
    assert User.objects.count() == 3


def test_account_goes_with_its_tokens_and_memberships_and_what_it_wrote_elsewhere_stays(
    acting: Acting,
) -> None:
    root, ann = acting("root", is_admin=True), acting("ann")
    organizations.create_organization(ann, "acme")
    acting("bob")
    organizations.set_role(acting("ann"), "acme", "bob", Role.WRITE)
    repo_id = new_repo(acting("bob"), "acme", "by-bob")
    _, word = tokens.create_token(acting("bob"), "bob", name="laptop", role="write")
    key = acting("bob").user_id
    renaming.delete_user(root, "bob")
    with pytest.raises(Unauthorized):
        actors.by_token(word)
    found = find_repo(acting("ann"), "model", "acme/by-bob", "repo.admin")
    assert (found.id, found.creator_id) == (repo_id, None)
    assert not names.is_taken("bob")
    assert acting("bob").user_id != key
    assert told("UserDeleted")[0]["username"] == "bob"


def test_repository_is_not_made_under_a_name_that_has_just_changed(
    acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = acting("ann")
    checked = service._checked

    def checked_and_renamed(*words: object) -> object:
        place = checked(*words)  # type: ignore[arg-type]
        renaming.rename(ann, "ann", "anna")
        return place

    monkeypatch.setattr(service, "_checked", checked_and_renamed)
    with pytest.raises(Conflict):
        new_repo(ann, "ann", "bert")


def test_each_repository_tells_of_its_move(acting: Acting) -> None:
    ann = acting("ann")
    new_repo(ann, "ann", "bert")
    renaming.rename(ann, "ann", "anna")
    assert told("NamespaceRenamed")[0]["old_name"] == "ann"
    moved = told("RepoMoved")[0]
    assert (moved["old_name"], moved["full_name"]) == ("ann/bert", "anna/bert")
