"""Organisations: who belongs to them, with which role, and who may change that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hutch.accounts import actors, organizations, profiles, teams
from hutch.accounts.models import Membership
from hutch.accounts.permissions import NamespaceThing
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.permissions import NOBODY, Actor, Role, allows

pytestmark = pytest.mark.django_db
Acting = Callable[..., Actor]


@pytest.fixture
def acme(acting: Acting) -> str:
    """An organisation of which ann is admin."""
    organizations.create_organization(acting("ann"), "acme", full_name="Acme Inc")
    return "acme"


def role_in(name: str, username: str) -> Role | None:
    row = Membership.objects.filter(organization__namespace__name=name, user__username=username).first()
    return Role(row.role) if row else None


def test_whoever_makes_an_organization_is_its_admin(acme: str) -> None:
    assert role_in(acme, "ann") is Role.ADMIN


def test_nobody_and_read_tokens_make_no_organization(acting: Acting) -> None:
    with pytest.raises(Unauthorized):
        organizations.create_organization(NOBODY, "acme")
    ann = acting("ann")
    for role in ("read", "fineGrained"):
        token = Actor(user_id=ann.user_id, username="ann", token_id=1, token_role=role, roles=ann.roles)
        with pytest.raises(Forbidden):
            organizations.create_organization(token, "acme")


@pytest.mark.parametrize("role", [role for role in Role if role < Role.ADMIN])
def test_members_below_admin_change_nobody(acme: str, acting: Acting, role: Role) -> None:
    acting("bob"), acting("cat")
    organizations.set_role(acting("ann"), acme, "bob", role)
    with pytest.raises(Forbidden):
        organizations.set_role(acting("bob"), acme, "cat", Role.READ)
    with pytest.raises(Forbidden):
        organizations.set_role(acting("bob"), acme, "bob", Role.ADMIN)
    with pytest.raises(Forbidden):
        organizations.change_organization(acting("bob"), acme, full_name="Bob's")
    assert role_in(acme, "cat") is None


def test_last_admin_can_neither_go_nor_step_down(acme: str, acting: Acting) -> None:
    ann = acting("ann")
    with pytest.raises(Forbidden):
        organizations.set_role(ann, acme, "ann", Role.WRITE)
    with pytest.raises(Forbidden):
        organizations.remove_member(ann, acme, "ann")
    acting("bob")
    organizations.set_role(ann, acme, "bob", Role.ADMIN)
    organizations.set_role(ann, acme, "ann", Role.READ)
    assert role_in(acme, "ann") is Role.READ


def test_disabled_admin_does_not_count_as_one(acme: str, acting: Acting) -> None:
    from hutch.accounts import users

    acting("bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.ADMIN)
    users.disable_user(actors.operator(), "bob")
    with pytest.raises(Forbidden):
        organizations.remove_member(acting("ann"), acme, "ann")


def test_member_may_leave_but_not_by_a_read_token(acme: str, acting: Acting) -> None:
    acting("bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.WRITE)
    bob = acting("bob")
    token = Actor(user_id=bob.user_id, username="bob", token_id=1, token_role="read", roles=bob.roles)
    with pytest.raises(Forbidden):
        organizations.remove_member(token, acme, "bob")
    organizations.remove_member(bob, acme, "bob")
    assert role_in(acme, "bob") is None


def test_change_of_a_role_needs_a_member(acme: str, acting: Acting) -> None:
    acting("bob")
    with pytest.raises(NotFound):
        organizations.set_role(acting("ann"), acme, "bob", Role.READ, add=False)


def test_hidden_members_are_shown_to_members_alone(acme: str, acting: Acting) -> None:
    acting("bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.READ)
    organizations.change_organization(acting("ann"), acme, members_are_public=False)
    assert profiles.members_of(acting("bob"), acme).count() == 2
    with pytest.raises(Forbidden):
        profiles.members_of(acting("cat"), acme)
    with pytest.raises(Unauthorized):
        profiles.members_of(NOBODY, acme)
    shown = [org["name"] for org in profiles.user_overview(acting("cat"), "bob", "http://h")["orgs"]]
    assert shown == []
    assert "numUsers" not in profiles.organization_overview(NOBODY, acme, "http://h")


def test_fine_grained_token_sees_only_the_organization_that_it_names(acme: str, acting: Acting) -> None:
    from hutch.core.permissions import Grant

    organizations.create_organization(acting("ann"), "other")
    ann = acting("ann")
    grants = (Grant("org:acme", frozenset({"org.write"})),)
    token = Actor(
        user_id=ann.user_id,
        username="ann",
        token_id=None,
        token_role="fineGrained",
        grants=grants,
        roles=ann.roles,
    )
    assert organizations.change_organization(token, acme, full_name="New").full_name == "New"
    with pytest.raises(Forbidden):
        organizations.change_organization(token, "other", full_name="New")
    assert [org["name"] for org in profiles.whoami(token, "http://h")["orgs"]] == ["acme"]
    assert "email" not in profiles.whoami(token, "http://h")


def test_team_takes_members_of_its_organization_alone(acme: str, acting: Acting) -> None:
    acting("bob")
    team = teams.create_team(acting("ann"), acme, "core")
    with pytest.raises(BadRequest):
        teams.add_to_team(acting("ann"), acme, team.pk, "bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.READ)
    teams.add_to_team(acting("ann"), acme, team.pk, "bob")
    with pytest.raises(Conflict):
        teams.create_team(acting("ann"), acme, "core")
    assert [
        [person.username for person in row.members.all()] for row in teams.teams_of(acting("bob"), acme)
    ] == [["bob"]]
    with pytest.raises(Forbidden):
        teams.teams_of(acting("cat"), acme)


class _Repo:
    """A private repository, as this room sees one."""

    def __init__(self, namespace_id: int | None) -> None:
        self.namespace_id = namespace_id

    entity, namespace_entity, thing_id, visibility, creator_id = (
        "model:acme/x",
        "org:acme",
        77,
        "private",
        None,
    )
    missing_error = NotFound


@pytest.fixture
def repo(acme: str) -> _Repo:
    """A private repository of the organisation."""
    return _Repo(organizations.organization_by_name(acme).namespace_id)


def test_role_on_one_repository_by_team_and_by_name(acme: str, acting: Acting, repo: _Repo) -> None:
    ann = acting("ann")
    acting("bob"), acting("cat")
    organizations.set_role(ann, acme, "bob", Role.NO_ACCESS)
    team = teams.create_team(ann, acme, "core")
    teams.add_to_team(ann, acme, team.pk, "bob")
    assert not allows(acting("bob"), "repo.read", repo)
    teams.set_repo_role(ann, repo, role=Role.WRITE, team="core")
    teams.set_repo_role(ann, repo, role=Role.READ, username="cat")
    assert allows(acting("bob"), "repo.write", repo)
    assert allows(acting("cat"), "repo.read", repo)
    assert not allows(acting("cat"), "repo.write", repo)
    assert [(h.kind, h.name, h.role) for h in teams.repo_roles(ann, repo)] == [
        ("team", "core", "write"), ("user", "cat", "read"),
    ]  # fmt: skip
    teams.set_repo_role(ann, repo, role=Role.NO_ACCESS, team="core")
    assert not allows(acting("bob"), "repo.read", repo)
    teams.forget_repo(77)
    assert not allows(acting("cat"), "repo.read", repo)


def test_roles_of_a_team_end_with_membership_and_with_the_team(
    acme: str, acting: Acting, repo: _Repo
) -> None:
    ann = acting("ann")
    acting("bob")
    organizations.set_role(ann, acme, "bob", Role.NO_ACCESS)
    team = teams.create_team(ann, acme, "core")
    teams.add_to_team(ann, acme, team.pk, "bob")
    teams.set_repo_role(ann, repo, role=Role.WRITE, team="core")
    organizations.remove_member(ann, acme, "bob")
    assert not allows(acting("bob"), "repo.read", repo)
    organizations.set_role(ann, acme, "bob", Role.NO_ACCESS)
    assert not allows(acting("bob"), "repo.read", repo)
    teams.add_to_team(ann, acme, team.pk, "bob")
    teams.delete_team(ann, acme, team.pk)
    assert not allows(acting("bob"), "repo.read", repo)


def test_only_those_who_administer_a_repository_share_it(acme: str, acting: Acting, repo: _Repo) -> None:
    acting("bob")
    organizations.set_role(acting("ann"), acme, "bob", Role.READ)
    with pytest.raises(Forbidden):
        teams.set_repo_role(acting("bob"), repo, role=Role.WRITE, username="bob")
    with pytest.raises(NotFound):
        teams.set_repo_role(acting("cat"), repo, role=Role.WRITE, username="cat")


def test_thing_of_an_organization_is_named_in_lower_case() -> None:
    assert NamespaceThing(1, "AcMe", is_organization=True).entity == "org:acme"
