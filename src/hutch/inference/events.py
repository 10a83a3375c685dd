"""What models do, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.events import Event, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGenerated(Event):
    """A model has answered somebody, or was stopped while it did."""

    repo_id: int = doc("key of the model's repository")
    full_name: str = doc("its name at that moment")
    by_user_id: int | None = doc("key of the user who asked")
    finish: str = doc("`stop`, `length` or `abort`")
    prompt_tokens: int = doc("tokens read")
    completion_tokens: int = doc("tokens generated")
    first_token_ms: int = doc("milliseconds from the request to the first token")
    total_ms: int = doc("milliseconds from the request to the last token")
