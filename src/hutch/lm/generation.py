"""What is asked of a runner and what comes back: plain data, the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from hutch.lm.errors import BadGeneration

MAX_STOPS = 16
MAX_STOP_CHARACTERS = 256
MAX_LOGPROBS = 20


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. The defaults are those of OpenAI's API, temperature 1 and no filter.

    `temperature` 0 takes the likeliest token. `schema` is JSON Schema as text; of `schema`, `regex` and `grammar`
    (EBNF) at most one stands. `logprobs` is how many of the likeliest tokens are told besides the one taken; None tells
    none. Raises BadGeneration naming the field, its value and the limit.
    """

    max_tokens: int = 1024
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()
    schema: str = ""
    regex: str = ""
    grammar: str = ""

    _BOUNDS: ClassVar[dict[str, tuple[float, float]]] = {
        "max_tokens": (1, 1 << 20), "temperature": (0, 2), "top_p": (0, 1), "top_k": (0, 1 << 20), "min_p": (0, 1),
        "repetition_penalty": (0.01, 10), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2),
        "seed": (0, (1 << 63) - 1), "logprobs": (0, MAX_LOGPROBS),
    }  # fmt: skip

    _WHOLE: ClassVar[frozenset[str]] = frozenset({"max_tokens", "top_k", "seed", "logprobs"})

    def __post_init__(self) -> None:
        for name in sorted(self._WHOLE):
            if not isinstance(getattr(self, name), int | None):
                raise BadGeneration(f"{name} must be a whole number", field=name, value=getattr(self, name))
        for name, (least, most) in self._BOUNDS.items():
            value = getattr(self, name)
            if value is not None and (not least <= value <= most):
                raise BadGeneration(
                    f"{name} must be from {least} to {most}",
                    field=name,
                    value=value,
                    limit=f"{least} to {most}",
                )
        if self.top_p == 0:
            raise BadGeneration("top_p must be above 0", field="top_p", value=0, limit="above 0")
        self._check_stops()
        if sum(map(bool, (self.schema, self.regex, self.grammar))) > 1:
            raise BadGeneration("Give one of schema, regex and grammar", field="schema", limit=1)

    def _check_stops(self) -> None:
        if len(self.stop) > MAX_STOPS:
            raise BadGeneration(
                f"There may be {MAX_STOPS} stop strings", field="stop", value=len(self.stop), limit=MAX_STOPS
            )
        for word in self.stop:
            if not 0 < len(word) <= MAX_STOP_CHARACTERS:
                raise BadGeneration(
                    f"A stop string has 1 to {MAX_STOP_CHARACTERS} characters",
                    field="stop", value=word, limit=MAX_STOP_CHARACTERS,
                )  # fmt: skip

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return self.temperature == 0

    @property
    def needs(self) -> frozenset[str]:
        """The features of a runner without which this cannot be done."""
        plain = Sampling()
        names = ("min_p", "logit_bias", "schema", "regex", "grammar", "logprobs", "seed")
        return frozenset(name for name in names if getattr(self, name) != getattr(plain, name))


@dataclass(frozen=True, slots=True)
class Generation:
    """A request: `prompt` is token ids, at least one. `key` is the caller's, and stands in each piece of the answer."""

    key: int
    prompt: tuple[int, ...]
    sampling: Sampling

    def __post_init__(self) -> None:
        if not self.prompt:
            raise BadGeneration("The prompt is empty", field="prompt", value="")

    def shape(self) -> dict[str, Any]:
        """Plain data for a pipe; `of_shape` reads it."""
        plain, sampling = Sampling(), self.sampling
        told = {f.name: getattr(sampling, f.name) for f in fields(Sampling)}
        changed = {name: value for name, value in told.items() if value != getattr(plain, name)}
        return {"key": self.key, "prompt": list(self.prompt), "sampling": changed}

    @classmethod
    def of_shape(cls, shape: dict[str, Any]) -> Generation:
        """What `shape` told."""
        told = dict(shape["sampling"])
        told["stop"] = tuple(told.get("stop", ()))
        told["logit_bias"] = tuple((int(token), float(bias)) for token, bias in told.get("logit_bias", ()))
        return cls(shape["key"], tuple(shape["prompt"]), Sampling(**told))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a step gave to one request: `ids` in order, `logprobs` [len(ids)] natural, of the tokens taken.

    `finish` is empty while it goes on, then "stop" (the model's end token, or a stop string), "length" or "abort".
    """

    key: int
    ids: tuple[int, ...]
    logprobs: tuple[float, ...] = ()
    finish: str = ""
