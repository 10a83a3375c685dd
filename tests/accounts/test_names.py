"""What users and organisations may be called."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.accounts.names import LONGEST, RESERVED, check_name
from hutch.core.errors import BadRequest

# What huggingface_hub's own validation of a repository's name lets through (2.4.0, utils/_validators.py)
CLIENT_TAKES = re.compile(r"(\b[\w\-.]+\b/)?\b[\w\-.]{1,96}\b")


@pytest.mark.parametrize("name", ["ann", "a1", "Ann", "gpt-2", "a.b_c-d", "0x", "x" * LONGEST])
def test_ordinary_name_is_allowed(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "-a",
        "a-",
        ".a",
        "a.",
        "_a",
        "a_",
        "a--b",
        "a..b",
        "a b",
        "a/b",
        "ä",
        "ann\n",
        "a\0b",
        "x" * (LONGEST + 1),
        "a.git",
    ],
)
def test_name_that_breaks_a_rule_is_refused_with_the_name_in_the_answer(name: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check_name(name)
    assert refused.value.field == "name"
    assert refused.value.value == name


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_word_of_an_address_is_refused_even_to_an_administrator(name: str) -> None:
    for word in (name, name.upper()):
        with pytest.raises(BadRequest):
            check_name(word, by_admin=True)


@pytest.mark.parametrize("name", ["_internal", "Q", "UPPER", "a_", "x" * 96])
def test_administrator_may_give_names_that_nobody_may_choose(name: str) -> None:
    check_name(name, by_admin=True)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_every_name_that_is_allowed_is_one_that_clients_take(name: str) -> None:
    try:
        check_name(name, by_admin=True)
    except BadRequest:
        return
    assert CLIENT_TAKES.fullmatch(f"{name}/model")
    assert name.isascii()
