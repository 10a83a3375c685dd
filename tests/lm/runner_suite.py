"""What every runner must do, with the real SmolLM2. A test module of an adapter takes these in and gives `runner`."""

from __future__ import annotations

import pytest

from hutch.lm.engine import Engine, Shape
from hutch.lm.errors import NotSupported, PromptTooLong
from hutch.lm.generation import Generation, Sampling
from hutch.lm.runners.port import Runner

PARIS = "What is the capital of France?"
QUESTIONS = [
    f"Write a story about {x}." for x in ("a fox", "the sea", "a train", "bread", "snow", "the moon")
]


def prompt_of(question: str) -> str:
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def ask(runner: Runner, questions: list[str], **sampling: object) -> list[tuple[str, str]]:
    """Texts and how they ended, all generated together."""
    engine, texts, ends = Engine(runner), dict.fromkeys(range(len(questions)), ""), dict[int, str]()

    def take(events: list[Shape]) -> None:
        for event in events:
            texts[event["key"]] += event.get("text", "")
            if "finish" in event or "error" in event:
                ends[event["key"]] = event.get("finish") or event["error"]["code"]

    for key, question in enumerate(questions):
        take(engine.add(key, prompt_of(question), dict(sampling)))
    while not engine.is_idle:
        take(engine.step())
    return [(texts[key], ends[key]) for key in sorted(texts)]


def test_the_model_says_what_it_is(runner: Runner) -> None:
    assert runner.model.context >= 2048
    assert "<|im_start|>" in runner.model.template
    assert runner.encode("<|im_end|>")[0] in runner.model.eos_ids


def test_text_comes_back_from_its_tokens(runner: Runner) -> None:
    for text in ("plain", "h\u00e9llo \N{FOX FACE}", "\u4f60\u597d", " two  spaces\n"):
        assert runner.decode(runner.encode(text)) == text


def test_it_knows_the_capital_of_france(runner: Runner) -> None:
    ((text, end),) = ask(runner, [PARIS], temperature=0, max_tokens=40)
    assert ("Paris" in text, end) == (True, "stop")


def test_among_others_it_says_what_it_says_alone(runner: Runner) -> None:
    alone = [ask(runner, [question], temperature=0, max_tokens=48)[0] for question in QUESTIONS]
    assert ask(runner, QUESTIONS * 3, temperature=0, max_tokens=48) == alone * 3


def test_the_same_seed_gives_the_same_text_and_none_gives_another(runner: Runner) -> None:
    first, again = (ask(runner, [QUESTIONS[0]], seed=7, max_tokens=30) for _ in range(2))
    assert first == again
    assert ask(runner, [QUESTIONS[0]], max_tokens=30) != ask(runner, [QUESTIONS[0]], max_tokens=30)


def test_it_ends_at_the_limit_and_at_a_stop_string(runner: Runner) -> None:
    ((text, end),) = ask(runner, [QUESTIONS[0]], temperature=0, max_tokens=5)
    assert (end, len(runner.encode(text)) <= 5) == ("length", True)
    whole = ask(runner, [PARIS], temperature=0)[0][0]
    assert ask(runner, [PARIS], temperature=0, stop=["capital"])[0] == (whole.split("capital")[0], "stop")


def test_an_aborted_request_gives_no_more_and_leaves_the_others_alone(runner: Runner) -> None:
    engine = Engine(runner)
    for key in (1, 2):
        engine.add(key, prompt_of(QUESTIONS[key]), {"temperature": 0, "max_tokens": 20})
    events = engine.step()
    assert engine.abort(1)[0]["finish"] == "abort"
    assert engine.abort(1) == []
    while not engine.is_idle:
        events += engine.step()
    assert [event["finish"] for event in events if event.get("key") == 2 and "finish" in event] == ["length"]
    assert not [event for event in events if event["key"] == 1 and "finish" in event]
    assert runner.stats().waiting == 0


def test_what_does_not_fit_or_is_not_known_is_refused_and_breaks_nothing(runner: Runner) -> None:
    long = tuple(runner.encode("word ")) * runner.model.context
    with pytest.raises(PromptTooLong) as caught:
        runner.add(Generation(1, long, Sampling()))
    assert caught.value.limit == runner.model.context
    unknown = {"schema", "regex", "grammar", "logit_bias"} - runner.model.features
    for name in sorted(unknown):
        value = ((1, 1.0),) if name == "logit_bias" else "x"
        with pytest.raises(NotSupported) as refused:
            runner.add(Generation(2, (1, 2), Sampling(**{name: value})))  # type: ignore[arg-type]
        assert refused.value.field == name
    assert "Paris" in ask(runner, [PARIS], temperature=0, max_tokens=40)[0][0]
