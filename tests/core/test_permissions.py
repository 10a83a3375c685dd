"""Who may do what, as one table: roles and tokens down, visibility and actions across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.core import permissions
from hutch.core.errors import Forbidden, NotFound, RepoNotFound, Unauthorized
from hutch.core.permissions import (
    ACTIONS,
    NOBODY,
    ROLE_NAMES,
    Action,
    Actor,
    Grant,
    Role,
    allows,
    register,
    require,
    role_on,
)

ANN, NAMESPACE, THING = 7, 70, 700


@dataclass(frozen=True)
class Pot:
    """A thing in the namespace `acme`, made by somebody else unless said."""

    visibility: str = "private"
    namespace_id: int | None = NAMESPACE
    creator_id: int | None = 1
    thing_id: int | None = THING
    entity: str = "model:acme/pot"
    namespace_entity: str = "org:acme"
    missing_error: type[NotFound] = RepoNotFound


@pytest.fixture(autouse=True, scope="module")
def actions() -> Iterator[None]:
    """Actions of this module, beside the rooms' own."""
    before = dict(ACTIONS)
    register(
        Action("pot.view", Role.READ, ("pot.read", "pot.write"), public=True, protected=True, writes=False)
    )
    register(Action("pot.read", Role.READ, ("pot.read", "pot.write"), public=True, writes=False))
    register(Action("pot.write", Role.WRITE, ("pot.write",), own=True))
    register(Action("pot.admin", Role.ADMIN, ("pot.write",)))
    yield
    ACTIONS.clear()
    ACTIONS.update(before)


def member(role: Role, **values: Any) -> Actor:
    return Actor(user_id=ANN, username="ann", roles={NAMESPACE: role}, **values)


def granted(role: Role, entity: str, *scopes: str) -> Actor:
    return member(role, token_id=1, token_role="fineGrained", grants=(Grant(entity, frozenset(scopes)),))


ACTORS = {
    "nobody": NOBODY,
    "nobody, sign-in required": Actor(sees_public=False),
    "stranger": Actor(user_id=ANN, username="ann", roles={71: Role.ADMIN}),
    "no access": member(Role.NO_ACCESS),
    "reader": member(Role.READ),
    "contributor": member(Role.CONTRIBUTOR),
    "writer": member(Role.WRITE),
    "admin": member(Role.ADMIN),
    "administrator": Actor(user_id=ANN, is_admin=True),
    "reader by name": Actor(user_id=ANN, repo_roles={THING: Role.READ}),
    "writer by name": Actor(user_id=ANN, repo_roles={THING: Role.WRITE}),
    "writer of another thing": Actor(user_id=ANN, repo_roles={701: Role.ADMIN}),
    "reader, writer by name": member(Role.READ, repo_roles={THING: Role.WRITE}),
    "stranger's write token": Actor(user_id=ANN, token_id=1, token_role="write"),
    "admin's write token": member(Role.ADMIN, token_id=1, token_role="write"),
    "admin's read token": member(Role.ADMIN, token_id=1, token_role="read"),
    "administrator's read token": Actor(user_id=ANN, is_admin=True, token_id=1, token_role="read"),
    "admin, token for nothing": member(Role.ADMIN, token_id=1, token_role="fineGrained"),
    "admin, token to read it": granted(Role.ADMIN, "model:acme/pot", "pot.read"),
    "admin, token to write it": granted(Role.ADMIN, "model:acme/pot", "pot.write"),
    "admin, token to write its namespace": granted(Role.ADMIN, "org:acme", "pot.write"),
    "admin, token to write all": granted(Role.ADMIN, "*", "pot.write"),
    "admin, token to write another": granted(Role.ADMIN, "model:acme/pan", "pot.write"),
    "admin, token to write its dataset": granted(Role.ADMIN, "dataset:acme/pot", "pot.write"),
    "admin, token for other work": granted(Role.ADMIN, "model:acme/pot", "discussion.write"),
    "reader, token to write it": granted(Role.READ, "model:acme/pot", "pot.write"),
    "stranger, token to write it": replace(granted(Role.NO_ACCESS, "model:acme/pot", "pot.write"), roles={}),
    "administrator, token to read it": replace(
        granted(Role.NO_ACCESS, "model:acme/pot", "pot.read"), is_admin=True
    ),
}

# v: view, r: read, w: write, a: administer
TABLE = """
                                    | public | protected | private | made by the actor, private
nobody                              | vr     | v         | -       | -
nobody, sign-in required            | -      | -         | -       | -
stranger                            | vr     | v         | -       | -
no access                           | vr     | v         | -       | -
reader                              | vr     | vr        | vr      | vr
contributor                         | vr     | vr        | vr      | vrw
writer                              | vrw    | vrw       | vrw     | vrw
admin                               | vrwa   | vrwa      | vrwa    | vrwa
administrator                       | vrwa   | vrwa      | vrwa    | vrwa
reader by name                      | vr     | vr        | vr      | vr
writer by name                      | vrw    | vrw       | vrw     | vrw
writer of another thing             | vr     | v         | -       | -
reader, writer by name              | vrw    | vrw       | vrw     | vrw
stranger's write token              | vr     | v         | -       | -
admin's write token                 | vrwa   | vrwa      | vrwa    | vrwa
admin's read token                  | vr     | vr        | vr      | vr
administrator's read token          | vr     | vr        | vr      | vr
admin, token for nothing            | vr     | v         | -       | -
admin, token to read it             | vr     | vr        | vr      | vr
admin, token to write it            | vrwa   | vrwa      | vrwa    | vrwa
admin, token to write its namespace | vrwa   | vrwa      | vrwa    | vrwa
admin, token to write all           | vrwa   | vrwa      | vrwa    | vrwa
admin, token to write another       | vr     | v         | -       | -
admin, token to write its dataset   | vr     | v         | -       | -
admin, token for other work         | vr     | v         | -       | -
reader, token to write it           | vr     | vr        | vr      | vr
stranger, token to write it         | vr     | v         | -       | -
administrator, token to read it     | vr     | vr        | vr      | vr
"""
POTS = [Pot("public"), Pot("protected"), Pot("private"), Pot("private", creator_id=ANN)]
WORDS = {"v": "pot.view", "r": "pot.read", "w": "pot.write", "a": "pot.admin"}


def rows() -> list[tuple[str, Pot, str]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip("\n").split("\n")[1:]]
    return [
        (name, pot, cell.strip("-")) for name, *cells in lines for pot, cell in zip(POTS, cells, strict=True)
    ]


def test_table_has_a_row_for_every_actor() -> None:
    assert {name for name, _, _ in rows()} == set(ACTORS)


@pytest.mark.parametrize(("name", "pot", "may"), rows())
def test_actor_may_do_what_the_table_says_and_nothing_else(name: str, pot: Pot, may: str) -> None:
    actor = ACTORS[name]
    assert "".join(letter for letter, action in WORDS.items() if allows(actor, action, pot)) == may


@pytest.mark.parametrize(("name", "pot", "may"), rows())
def test_refusal_tells_nothing_to_who_may_not_see(name: str, pot: Pot, may: str) -> None:
    actor = ACTORS[name]
    for letter, action in WORDS.items():
        if letter in may:
            require(actor, action, pot, see="pot.view")
            continue
        expected = RepoNotFound if "v" not in may else Unauthorized if actor.is_nobody else Forbidden
        with pytest.raises(expected) as caught:
            require(actor, action, pot, see="pot.view")
        if expected is RepoNotFound:
            assert "acme" not in str(caught.value.body())


def test_thing_outside_of_namespaces_is_the_administrators() -> None:
    pot = Pot("public", namespace_id=None, namespace_entity="")
    assert not allows(member(Role.ADMIN), "pot.write", pot)
    assert allows(Actor(user_id=ANN, is_admin=True), "pot.write", pot)


def test_nobody_created_what_has_no_creator() -> None:
    pot = Pot(creator_id=None)
    assert not allows(Actor(roles={NAMESPACE: Role.CONTRIBUTOR}), "pot.write", pot)
    assert not allows(member(Role.CONTRIBUTOR), "pot.write", pot)


def test_grant_for_no_namespace_opens_nothing() -> None:
    token = granted(Role.ADMIN, "", "pot.write")
    assert not allows(token, "pot.write", Pot(namespace_entity=""))


def test_action_registered_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pot\.view is registered twice"):
        register(Action("pot.view", Role.READ, ()))


def test_unknown_action_is_a_mistake_of_the_caller_and_permits_nothing() -> None:
    with pytest.raises(KeyError):
        allows(Actor(user_id=ANN, is_admin=True), "pot.melt", Pot("public"))


def test_older_names_of_roles_are_known() -> None:
    assert (ROLE_NAMES["owner"], ROLE_NAMES["maintainer"], ROLE_NAMES["member"]) == (
        Role.ADMIN,
        Role.WRITE,
        Role.READ,
    )


POT = st.builds(
    Pot,
    visibility=st.sampled_from(["public", "protected", "private"]),
    creator_id=st.sampled_from([None, ANN, 1]),
)
ROLES = st.sampled_from(list(Role))
GRANTS = st.lists(
    st.builds(
        Grant,
        st.sampled_from(["*", "model:acme/pot", "org:acme", "user:ann"]),
        st.frozensets(st.sampled_from(["pot.read", "pot.write", "user.write"])),
    ),
    max_size=3,
)


@given(POT, ROLES, ROLES, GRANTS, st.sampled_from(["session", "read", "write", "fineGrained"]), st.booleans())
def test_token_never_opens_more_than_its_user_may(
    pot: Pot, role: Role, by_name: Role, grants: list[Grant], kind: Any, is_admin: bool
) -> None:
    user = member(role, repo_roles={THING: by_name}, is_admin=is_admin)
    token = replace(user, token_id=1, token_role=kind, grants=tuple(grants))
    for action in WORDS.values():
        if allows(token, action, pot):
            assert allows(user, action, pot)
    assert role_on(token, pot) == role_on(user, pot)


@given(POT, ROLES, ROLES)
def test_higher_role_never_closes_what_a_lower_one_opens(pot: Pot, one: Role, other: Role) -> None:
    lower, higher = sorted((one, other))
    for action in WORDS.values():
        if allows(member(lower), action, pot):
            assert allows(member(higher), action, pot)


def test_all_actions_of_the_house_are_words_of_thing_and_verb() -> None:
    assert permissions.ACTIONS
    assert all(name.count(".") == 1 and name.islower() for name in permissions.ACTIONS)
