"""What was used: told as an event, for whoever counts."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from hutch.core.events import emit
from hutch.core.permissions import Actor
from hutch.inference.admission import Runnable
from hutch.inference.events import AnswerGenerated


def note(actor: Actor, runnable: Runnable, told: dict[str, Any]) -> None:
    """Tells that an answer has come to its end. `told` is the runner's last event of it (`finish`, `usage`)."""
    used = told["usage"]
    with transaction.atomic():
        emit(
            AnswerGenerated(
                repo_id=runnable.repo_id,
                full_name=runnable.full_name,
                by_user_id=actor.user_id,
                finish=told["finish"],
                prompt_tokens=used["prompt_tokens"],
                completion_tokens=used["completion_tokens"],
                first_token_ms=round(used["first_token_s"] * 1000),
                total_ms=round(used["total_s"] * 1000),
            ),
            actor=actor,
        )
