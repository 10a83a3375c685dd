"""What may be asked of a runner; each refusal names the field, the value and the limit."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hutch.lm.errors import BadGeneration
from hutch.lm.generation import MAX_LOGPROBS, MAX_STOPS, Generation, Sampling


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 1 << 30),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("top_p", 0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", 2),
        ("repetition_penalty", 0),
        ("presence_penalty", 3),
        ("frequency_penalty", -math.inf),
        ("seed", -1),
        ("seed", 1 << 64),
        ("logprobs", MAX_LOGPROBS + 1),
        ("stop", ("",)),
        ("stop", ("x" * 300,)),
        ("stop", ("x",) * (MAX_STOPS + 1)),
    ],
)
def test_value_that_cannot_be_meant_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadGeneration) as caught:
        Sampling(**{field: value})
    assert caught.value.field == field
    assert caught.value.limit is not None


def test_two_forms_for_one_answer_are_refused() -> None:
    with pytest.raises(BadGeneration, match="one of"):
        Sampling(schema="{}", regex="a")


def test_empty_prompt_is_refused() -> None:
    with pytest.raises(BadGeneration) as caught:
        Generation(1, (), Sampling())
    assert caught.value.field == "prompt"


def test_request_comes_through_a_pipe_as_it_went_in() -> None:
    whole = Sampling(
        max_tokens=5, temperature=0, seed=7, stop=("a", "b"), logit_bias=((3, -1.5),), regex="a+", logprobs=2
    )
    for sampling in (Sampling(), whole):
        asked = Generation(9, (1, 2, 3), sampling)
        assert Generation.of_shape(asked.shape()) == asked
    assert Generation(1, (1,), Sampling()).shape()["sampling"] == {}


def test_what_a_runner_must_know_is_what_differs_from_the_plain() -> None:
    assert Sampling().needs == frozenset()
    assert Sampling(seed=0, min_p=0.1, top_p=0.5, stop=("x",)).needs == {"seed", "min_p"}
    assert Sampling(logprobs=0).needs == {"logprobs"}
