"""A runner's loop: takes requests, advances them together, and gives each its text as it comes.

Plain data in, plain data out: `child` runs it behind a pipe, tests in one process.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hutch.core.errors import HutchError
from hutch.lm.generation import Generation, Tokens
from hutch.lm.runners.port import Runner
from hutch.lm.unfolding import Unfolding

Shape = dict[str, Any]


@dataclass(slots=True)
class _Answer:
    """A request on its way. Moments are of `time.monotonic`."""

    unfolding: Unfolding
    prompt_tokens: int
    begun: float
    first: float = 0.0
    tokens: int = 0
    logprobs: list[float] = field(default_factory=list)


class Engine:
    """Owns a runner. Events are dicts with the request's `key` and one of:

    `begun` (prompt tokens), `text` (with `tokens`, and `logprobs` where asked for), `finish` ("stop", "length",
    "abort"; with `usage`), `error` (the house's JSON shape, with `status`).
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._answers: dict[int, _Answer] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return not self._answers

    def add(self, key: int, prompt: str | list[int], sampling: Shape) -> list[Shape]:
        """Takes a request; `prompt` is text, its special tokens read, or token ids."""
        try:
            ids = self.runner.encode(prompt) if isinstance(prompt, str) else prompt
            generation = Generation.of_shape({"key": key, "prompt": ids, "sampling": sampling})
            self.runner.add(generation)
        except HutchError as error:
            return [_error(key, error)]
        unfolding = Unfolding(self.runner.decode, generation.sampling.stop)
        self._answers[key] = _Answer(unfolding, len(ids), time.monotonic())
        return [{"key": key, "begun": len(ids)}]

    def abort(self, key: int) -> list[Shape]:
        """Ends a request; nothing if it is over."""
        answer = self._answers.pop(key, None)
        if answer is None:
            return []
        self.runner.abort(key)
        return [{"key": key, "finish": "abort", "usage": _usage(answer)}]

    def step(self) -> list[Shape]:
        """Advances all. Raises RunnerFailed."""
        return [event for tokens in self.runner.step() for event in self._told(tokens)]

    def _told(self, tokens: Tokens) -> Iterator[Shape]:
        answer = self._answers.get(tokens.key)
        if answer is None:
            return
        answer.first = answer.first or time.monotonic()
        answer.tokens += len(tokens.ids)
        text = answer.unfolding.add(tokens.ids)
        finish = tokens.finish
        if answer.unfolding.stopped and not finish:
            self.runner.abort(tokens.key)
            finish = "stop"
        if finish:
            text += answer.unfolding.finish()
        if text:
            yield {"key": tokens.key, "text": text, "tokens": len(tokens.ids)}
        if finish:
            del self._answers[tokens.key]
            yield {"key": tokens.key, "finish": finish, "usage": _usage(answer)}


def _usage(answer: _Answer) -> Shape:
    now = time.monotonic()
    return {
        "prompt_tokens": answer.prompt_tokens,
        "completion_tokens": answer.tokens,
        "first_token_s": round((answer.first or now) - answer.begun, 6),
        "total_s": round(now - answer.begun, 6),
    }


def _error(key: int, error: HutchError) -> Shape:
    return {"key": key, "error": {**error.body(), "status": error.status}}
