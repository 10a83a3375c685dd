"""The JSON route that checks a card before it is committed."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from ninja import Router

from hutch.core.errors import PayloadTooLarge
from hutch.repos import names
from hutch.repos.api.write import Strict
from hutch.repos.cards import checks as card_checks

router = Router()


class Card(Strict):
    """A README to check."""

    content: str
    repoType: str | None = None


@router.post("/api/validate-yaml", summary="Check a card's metadata")
def validate_yaml(request: HttpRequest, body: Card) -> Any:
    limit = card_checks.MAX_CONTENT_BYTES
    if len(body.content) > limit:
        raise PayloadTooLarge(
            f"A card has at most {limit} bytes", field="content", value=len(body.content), limit=limit
        )
    found = card_checks.check(body.content, names.check_type(body.repoType, with_git=True))
    answer: dict[str, Any] = {
        "errors": [{"message": said} for said in found.errors],
        "warnings": [{"message": said} for said in found.warnings],
    }
    if found.errors:
        answer["error"] = "Invalid metadata in README.md: " + "; ".join(found.errors)
    return JsonResponse(answer, status=400 if found.errors else 200)
