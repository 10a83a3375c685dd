"""What every engine offers: six methods, one shared test suite (`tests/lm/runner_suite.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hutch.lm.generation import Generation, Tokens


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model: `context` in tokens; `template` is its chat template (Jinja), "" without one; `features` are
    the names of what the runner can do (`Sampling.needs`)."""

    context: int
    template: str
    bos: str
    eos: str
    eos_ids: frozenset[int]
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stats:
    """How it goes now: requests that run and that wait, and the share of the KV cache in use, from 0 to 1."""

    running: int
    waiting: int
    cache_usage: float
    cache_bytes: int


class Runner(Protocol):
    """A model in memory that generates for many requests at a time. Not safe for threads: one loop owns it."""

    model: Model

    def encode(self, text: str) -> list[int]:
        """Token ids; special tokens are read, none is added."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Text without special tokens. The bytes of an unfinished character are U+FFFD or nothing."""
        ...

    def add(self, generation: Generation) -> None:
        """Takes a request. Raises NotSupported, BadGeneration, PromptTooLong, and then has not taken it."""
        ...

    def step(self) -> list[Tokens]:
        """Advances all requests by one forward pass at most; what came of it. Raises RunnerFailed: that is its end."""
        ...

    def abort(self, key: int) -> None:
        """Ends a request before the next step; one that is unknown or over is no error."""
        ...

    def stats(self) -> Stats:
        """How it goes now."""
        ...
