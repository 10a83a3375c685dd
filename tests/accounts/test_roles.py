"""Roles by the names that clients use."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hutch.accounts.organizations import role_name, role_of
from hutch.core.errors import BadRequest
from hutch.core.permissions import ROLE_NAMES, Role


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("no access", Role.NO_ACCESS), ("read", Role.READ), ("contributor", Role.CONTRIBUTOR), ("write", Role.WRITE),
        ("admin", Role.ADMIN), ("owner", Role.ADMIN), ("maintainer", Role.WRITE), ("member", Role.READ),
    ],
)  # fmt: skip
def test_role_is_known_by_each_of_its_names(name: str, role: Role) -> None:
    assert role_of(name) is role
    assert role_of(name.upper()) is role


@given(st.sampled_from(Role))
def test_name_of_a_role_leads_back_to_it(role: Role) -> None:
    assert role_of(role_name(role)) is role


@given(st.text())
def test_any_other_word_is_refused_naming_what_is_known(word: str) -> None:
    assume(word.strip().lower().replace(" ", "_").replace("-", "_") not in ROLE_NAMES)
    with pytest.raises(BadRequest) as refused:
        role_of(word)
    assert refused.value.field == "role"
    assert "contributor" in refused.value.message
