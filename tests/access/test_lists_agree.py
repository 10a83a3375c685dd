"""The lists and the one permission function tell the same story, for any actor and every kind of repository."""

from __future__ import annotations

import itertools

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.accounts.models import Namespace, User
from hutch.core import clock
from hutch.core.errors import HutchError, RepoNotFound
from hutch.core.permissions import Actor, Grant, Role, allows
from hutch.repos import gating
from hutch.repos.lookup import find_repo, repo_by_id
from hutch.repos.models import AccessRequest, Repo
from hutch.repos.visibility import readable_by, visible_to

PEOPLE, ORGS = ("ann", "bob"), ("acme", "corp")
WORDS = ("repo.content.read", "repo.write", "user.read", "org.write", "discussion.write")


@pytest.fixture
def house(db: None) -> dict[str, list[int]]:
    """Keys of people, namespaces and repositories: every visibility, gate and owner, some disabled, some asked for."""
    spaces = {
        name: Namespace.objects.create(name=name, is_organization=name in ORGS) for name in (*PEOPLE, *ORGS)
    }
    people = [User.objects.create(username=name, namespace=spaces[name]) for name in PEOPLE]
    repos = []
    owners = [*spaces.values(), None]
    for number, (owner, visibility, gated) in enumerate(
        itertools.product(owners, ("public", "private", "protected"), ("", "manual"))
    ):
        name = f"{owner.name}/r{number}" if owner else f"r{number}"
        repos.append(
            Repo.objects.create(
                type=("model", "dataset", "space")[number % 3], namespace=owner, name=f"r{number}", full_name=name,
                lower_full_name=name.lower(), visibility=visibility, gated=gated, disabled=number % 7 == 0,
                creator=people[number % 2], updated_at=clock.now(),
            )
        )  # fmt: skip
        if number % 3 == 0:
            status = AccessRequest.Status.ACCEPTED if number % 2 else AccessRequest.Status.PENDING
            AccessRequest.objects.create(repo=repos[-1], user=people[0], status=status)
    return {
        "people": [user.pk for user in people], "spaces": [space.pk for space in spaces.values()],
        "repos": [repo.pk for repo in repos],
    }  # fmt: skip


ENTITIES = st.sampled_from(
    ["*", *(f"user:{name}" for name in PEOPLE), *(f"org:{name}" for name in ORGS), "org:ann", "user:acme",
     "model:ann/r0", "dataset:ann/r1", "model:ann/r1", "space:corp/r20",
     "model:r24", "dataset:r25", "space:r26", "model:absent"]
)  # fmt: skip
GRANTS = st.lists(st.builds(Grant, ENTITIES, st.frozensets(st.sampled_from(WORDS))), max_size=4).map(tuple)


@st.composite
def actors(draw: st.DrawFn, house: dict[str, list[int]]) -> Actor:
    """Nobody, or somebody with any roles, by any session or token."""
    if draw(st.integers(0, 9)) == 0:
        return Actor(sees_public=draw(st.booleans()))
    roles = st.sampled_from(Role)
    return Actor(
        user_id=draw(st.sampled_from(house["people"])), is_admin=draw(st.integers(0, 4)) == 0,
        token_role=draw(st.sampled_from(["session", "read", "write", "fineGrained"])), grants=draw(GRANTS),
        roles=draw(st.dictionaries(st.sampled_from(house["spaces"]), roles, max_size=4)),
        repo_roles=draw(st.dictionaries(st.sampled_from(house["repos"]), roles, max_size=4)),
    )  # fmt: skip


def may_have(actor: Actor, repo_id: int) -> bool:
    """Whether the one permission function, and the gate behind it, give the files."""
    row = repo_by_id(repo_id)
    try:
        gating.require_access(actor, row)
    except HutchError:
        return False
    return allows(actor, "repo.read", row)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_lists_hold_what_the_permission_function_allows(
    house: dict[str, list[int]], data: st.DataObject
) -> None:
    actor = data.draw(actors(house))
    seen = {key for key in house["repos"] if allows(actor, "repo.view", repo_by_id(key))}
    assert set(visible_to(actor).values_list("pk", flat=True)) == seen
    whole = set(
        Repo.objects.filter(disabled=False).values_list("pk", flat=True)
    )  # a list leaves disabled ones out
    files = {key for key in house["repos"] if key in whole and may_have(actor, key)}
    assert set(readable_by(actor).values_list("pk", flat=True)) == files
    assert files <= seen


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_look_up_by_name_agrees_and_a_hidden_name_costs_what_a_missing_one_does(
    house: dict[str, list[int]], data: st.DataObject
) -> None:
    actor = data.draw(actors(house))
    seen = set(visible_to(actor).values_list("pk", flat=True))
    hidden = {key: repo_by_id(key) for key in house["repos"] if key not in seen}
    with (
        CaptureQueriesContext(
            connection,
        ) as missing,
        pytest.raises(RepoNotFound) as absent,
    ):
        find_repo(actor, "model", "ann/absent", "repo.view")
    for row in hidden.values():
        with CaptureQueriesContext(connection) as asked, pytest.raises(RepoNotFound) as refused:
            find_repo(actor, row.type, row.full_name, "repo.view")
        assert len(asked) == len(missing)
        assert refused.value.body() == absent.value.body()
    for key in seen:
        row = repo_by_id(key)
        assert find_repo(actor, row.type, row.full_name.upper(), "repo.view") == row
