"""Fine-grained tokens in the shape that clients know."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.accounts import scopes
from hutch.core.errors import BadRequest
from hutch.core.permissions import Grant

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
ON_REPOS = st.frozensets(st.sampled_from(["repo.content.read", "repo.write"]), min_size=1)
GRANTS = st.one_of(
    st.builds(lambda name, words: Grant(f"org:{name}", words), NAMES, ON_REPOS),
    st.builds(lambda space, name, words: Grant(f"model:{space}/{name}", words), NAMES, NAMES, ON_REPOS),
    st.builds(lambda words: Grant("*", words), ON_REPOS),
)


@given(st.lists(GRANTS, max_size=8, unique_by=lambda grant: grant.entity))
def test_grants_survive_the_way_to_the_client_and_back(grants: list[Grant]) -> None:
    assert sorted(scopes.from_client(scopes.to_client(grants)), key=str) == sorted(grants, key=str)
    assert scopes.from_rows(scopes.checked_grants(grants)) == tuple(grants)


def test_grants_on_the_same_thing_are_one() -> None:
    twice = [Grant("org:acme", frozenset({"org.read"})), Grant("ORG:Acme", frozenset({"org.write"}))]
    assert scopes.checked_grants(twice) == [{"entity": "org:acme", "permissions": ["org.read", "org.write"]}]


@pytest.mark.parametrize(
    ("grant", "field"),
    [
        (Grant("planet:earth", frozenset({"repo.write"})), "entity.type"),
        (Grant("org:", frozenset({"repo.write"})), "entity.name"),
        (Grant("org:a/b", frozenset({"repo.write"})), "entity.name"),
        (Grant("model:a/b/c", frozenset({"repo.write"})), "entity.name"),
        (Grant("model:a/../b", frozenset({"repo.write"})), "entity.name"),
        (Grant("model:a/b", frozenset({"org.write"})), "permissions"),
        (Grant("*", frozenset({"everything"})), "permissions"),
    ],
)
def test_unknown_thing_or_permission_is_refused(grant: Grant, field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        scopes.checked_grants([grant])
    assert refused.value.field == field


@pytest.mark.parametrize(
    "shape",
    [
        {"global": "repo.write"},
        {"global": [1]},
        {"scoped": {}},
        {"scoped": [1]},
        {"scoped": [{}]},
        {"scoped": [{"entity": {"type": "org"}, "permissions": []}]},
        {"scoped": [{"entity": {"type": "org", "name": "x"}}]},
    ],
)
def test_malformed_shape_is_refused(shape: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        scopes.from_client(shape)
