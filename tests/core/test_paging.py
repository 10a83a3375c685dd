from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.core.errors import BadRequest
from hutch.core.paging import decode_cursor, encode_cursor, limit_of, next_link

VALUES = st.lists(st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False))


@given(VALUES)
def test_cursor_comes_back_as_it_went(position: list[object]) -> None:
    word = encode_cursor(position)
    assert decode_cursor(word) == position
    assert all(c.isalnum() or c in "-_" for c in word)


@given(st.text())
def test_word_that_is_no_cursor_is_refused_with_its_field(word: str) -> None:
    with pytest.raises(BadRequest, match="not one that this server gave") as caught:
        decode_cursor(word)
    assert (caught.value.field, caught.value.value) == ("cursor", word)


def test_cursor_made_or_changed_by_the_caller_is_refused() -> None:
    forged = base64.urlsafe_b64encode(json.dumps(["id", {"drop": 1}]).encode()).decode()
    good = encode_cursor([17, "x"])
    changed = good[:-3] + ("AAA" if good[-3:] != "AAA" else "BBB")
    for word in (forged, changed, good[:-1], good[4:], "", "=", "é"):
        with pytest.raises(BadRequest):
            decode_cursor(word)


@pytest.mark.parametrize(
    ("text", "limit"),
    [(None, 20), ("", 20), ("1", 1), ("0007", 7), ("100", 100), ("101", 100), ("9" * 18, 100)],
)
def test_limit_is_taken_up_to_the_most(text: str | None, limit: int) -> None:
    assert limit_of(text, 20, 100) == limit


@pytest.mark.parametrize(
    "text", ["0", "-1", "1.5", "1e3", " 1", "ten", "٣", "²", "+1", "1_0", "9" * 5000, "\x00"]
)
def test_limit_that_is_no_whole_number_is_refused_with_the_most(text: str) -> None:
    with pytest.raises(BadRequest, match="whole number from 1 to 100") as caught:
        limit_of(text, 20, 100)
    assert (caught.value.field, caught.value.limit) == ("limit", 100)


@given(st.dictionaries(st.text(min_size=1), st.text() | st.lists(st.text(), min_size=1)), st.text(min_size=1))
def test_link_keeps_the_query_and_is_one_line(query: dict[str, str | list[str]], cursor: str) -> None:
    link = next_link("https://hub", "/api/models", query, cursor)
    address, _, rel = link.removeprefix("<").partition(">")
    assert rel == '; rel="next"'
    assert address.isascii()
    assert address.isprintable()
    found = parse_qs(urlsplit(address).query, keep_blank_values=True)
    wanted = {key: value if isinstance(value, list) else [value] for key, value in query.items()}
    assert found == {**wanted, "cursor": [cursor]}


def test_link_carries_bytes_that_are_no_text() -> None:
    assert next_link("", "/x", {"search": "a\udcff"}, "c") == '</x?search=a%FF&cursor=c>; rel="next"'
