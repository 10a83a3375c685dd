"""Text comes out of tokens whole: no half characters, no stop string, whatever the steps were."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.lm.unfolding import Unfolding


def decode(ids: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(ids).decode("utf-8", "replace")


def told(data: bytes, cuts: Sequence[int], stops: Sequence[str] = ()) -> tuple[str, bool]:
    unfolding, text, at = Unfolding(decode, stops), "", 0
    for cut in [*sorted(cuts), len(data)]:
        text += unfolding.add(data[at:cut])
        at = max(at, cut)
        if unfolding.stopped:
            break
    return text + unfolding.finish(), unfolding.stopped


@given(st.text(max_size=60), st.lists(st.integers(0, 200), max_size=40))
def test_steps_of_any_length_give_the_text(text: str, cuts: list[int]) -> None:
    data = text.encode("utf-8", "replace")
    assert told(data, [min(cut, len(data)) for cut in cuts]) == (data.decode(), False)


@given(
    st.text("ab\N{FOX FACE}", max_size=40),
    st.lists(st.text("ab\N{FOX FACE}", min_size=1, max_size=4), min_size=1, max_size=3),
)
def test_answer_ends_before_the_first_stop_string_token_by_token(text: str, stops: list[str]) -> None:
    data = text.encode()
    shown, stopped = told(data, range(len(data)), stops)
    ends = [text.find(stop) + len(stop) for stop in stops if stop in text]
    if not ends:
        assert (shown, stopped) == (text, False)
        return
    assert stopped
    first_end = min(ends)
    places = [text[:first_end].rfind(stop) for stop in stops if text[:first_end].endswith(stop)]
    assert shown == text[: min(places)]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_half_a_character_is_held_back(size: int) -> None:
    unfolding = Unfolding(decode)
    fox = "\N{FOX FACE}".encode()
    assert unfolding.add(fox[:size]) == ""
    assert unfolding.add(fox[size:]) == "\N{FOX FACE}"


def test_what_could_become_a_stop_string_comes_once_it_cannot() -> None:
    unfolding = Unfolding(decode, ["<end>"])
    assert unfolding.add(b"one <en") == "one "
    assert unfolding.add(b"emy> two <") == "<enemy> two "
    assert unfolding.add(b"end> three") == ""
    assert unfolding.stopped
    assert unfolding.finish() == ""


def test_bytes_that_are_no_text_are_told_at_the_end() -> None:
    unfolding = Unfolding(decode)
    assert unfolding.add(b"ok\xff") == ""
    assert unfolding.finish() == "ok\ufffd"
