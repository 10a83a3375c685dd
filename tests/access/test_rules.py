"""Rules between rooms that no single request shows: what ends with a membership, who can make more of themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hutch.accounts import organizations, teams
from hutch.accounts.models import RepoRole
from hutch.core.errors import Forbidden, RepoNotFound
from hutch.core.permissions import Actor, Grant, Role, allows
from hutch.repos import access_requests, gating, service
from hutch.repos import settings as repo_settings
from hutch.repos.errors import GatedRepo
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.settings import Changes
from tests.repos.conftest import _data, again, ann, bob, make_actor, make_org, make_repo

__all__ = ["_data", "again", "ann", "bob", "make_actor", "make_org", "make_repo"]

Make = Callable[..., Any]


def narrow(actor: Actor, *grants: Grant) -> Actor:
    """The same person by a fine-grained token."""
    return replace(actor, token_id=1, token_role="fineGrained", grants=grants)


def reading(actor: Actor) -> Actor:
    """The same person by a token that may only read."""
    return replace(actor, token_id=1, token_role="read")


@pytest.fixture
def acme(ann: Actor, bob: Actor, make_org: Make, again: Callable[[Actor], Actor]) -> dict[str, Actor]:
    """acme, where ann is an admin and bob a writer; both as they are now."""
    make_org("acme", ann=Role.ADMIN, bob=Role.WRITE)
    return {"ann": again(ann), "bob": again(bob)}


def test_writer_cannot_make_an_administrator_of_anybody(
    acme: dict[str, Actor], make_repo: Make, again: Make
) -> None:
    repo = make_repo(acme["ann"], "guarded", namespace="acme")
    with pytest.raises(Forbidden):
        teams.set_repo_role(acme["bob"], repo, role=Role.ADMIN, username="bob")
    assert not allows(again(acme["bob"]), "repo.protect", repo)
    teams.set_repo_role(acme["bob"], repo, role=Role.WRITE, username="bob")


def test_writer_cannot_take_an_administrators_role(
    acme: dict[str, Actor], make_repo: Make, make_actor: Make
) -> None:
    repo = make_repo(acme["ann"], "guarded", namespace="acme")
    make_actor("carl")
    teams.set_repo_role(acme["ann"], repo, role=Role.ADMIN, username="carl")
    for role in (Role.READ, Role.NO_ACCESS):
        with pytest.raises(Forbidden):
            teams.set_repo_role(acme["bob"], repo, role=role, username="carl")
    assert RepoRole.objects.get(user__username="carl").role == Role.ADMIN


def test_roles_end_when_a_repository_leaves_its_namespace(
    acme: dict[str, Actor], make_repo: Make, again: Make
) -> None:
    repo = make_repo(acme["ann"], "moving", namespace="acme", visibility="private")
    teams.set_repo_role(acme["ann"], repo, role=Role.WRITE, username="bob")
    moved = service.move_repo(acme["ann"], repo, "ann/moving")
    assert not RepoRole.objects.filter(repo_id=repo.id).exists()
    with pytest.raises(RepoNotFound):
        find_repo(again(acme["bob"]), "model", moved.full_name)
    with pytest.raises(RepoNotFound):
        find_repo(again(acme["bob"]), "model", "acme/moving")


def test_roles_stay_when_a_repository_is_renamed_where_it_is(acme: dict[str, Actor], make_repo: Make) -> None:
    repo = make_repo(acme["ann"], "renamed", namespace="acme")
    teams.set_repo_role(acme["ann"], repo, role=Role.WRITE, username="bob")
    service.move_repo(acme["ann"], repo, "acme/renamed-again")
    assert RepoRole.objects.filter(repo_id=repo.id).exists()


def test_roles_of_a_deleted_repository_are_gone(acme: dict[str, Actor], make_repo: Make) -> None:
    repo = make_repo(acme["ann"], "brief", namespace="acme")
    teams.set_repo_role(acme["ann"], repo, role=Role.WRITE, username="bob")
    service.delete_repo(acme["ann"], repo)
    assert not RepoRole.objects.exists()


def test_whoever_leaves_an_organization_leaves_its_gated_files_even_their_own(
    acme: dict[str, Actor], make_repo: Make, again: Make
) -> None:
    repo = make_repo(acme["bob"], "gated", namespace="acme", gated="manual")
    gating.require_access(acme["bob"], repo)
    organizations.remove_member(acme["ann"], "acme", "bob")
    with pytest.raises(GatedRepo):
        gating.require_access(again(acme["bob"]), repo)


def gated_repo(acme: dict[str, Actor], make_repo: Make) -> RepoRow:
    repo: RepoRow = make_repo(acme["ann"], "gated", namespace="acme", gated="manual")
    return repo


def test_narrow_token_opens_a_gate_only_where_it_names_the_repository(
    acme: dict[str, Actor], make_repo: Make
) -> None:
    repo = gated_repo(acme, make_repo)
    for grants in (
        (),
        (Grant("model:acme/other", frozenset({"repo.write"})),),
        (Grant("org:acme", frozenset({"org.read"})),),
    ):
        with pytest.raises(GatedRepo):
            gating.require_access(narrow(acme["ann"], *grants), repo)
    for entity in ("model:acme/gated", "org:acme", "*"):
        gating.require_access(narrow(acme["ann"], Grant(entity, frozenset({"repo.content.read"}))), repo)


def test_token_that_may_only_read_asks_for_nothing_and_takes_nothing_back(
    acme: dict[str, Actor], make_repo: Make, make_actor: Make
) -> None:
    repo, carl = gated_repo(acme, make_repo), make_actor("carl")
    repo = repo_settings.update_settings(acme["ann"], repo, Changes(gated="auto"))
    for actor in (reading(carl), narrow(carl)):
        with pytest.raises(Forbidden):
            access_requests.ask(actor, repo)
    access_requests.ask(carl, repo)
    for actor in (reading(carl), narrow(carl)):
        with pytest.raises(Forbidden):
            access_requests.cancel(actor, repo)


def test_narrow_and_reading_tokens_do_not_end_a_membership(acme: dict[str, Actor]) -> None:
    for actor in (reading(acme["bob"]), narrow(acme["bob"], Grant("org:acme", frozenset({"org.read"})))):
        with pytest.raises(Forbidden):
            organizations.remove_member(actor, "acme", "bob")
    organizations.remove_member(acme["bob"], "acme", "bob")
