"""What people write about themselves and name their things: short texts, checked before they are kept."""

from __future__ import annotations

from hutch.core.errors import BadRequest


def checked_text(field: str, value: str, limit: int, *, required: bool = False, lines: bool = False) -> str:
    """The text without space around it. Raises BadRequest if it is too long, empty or has control characters."""
    text = value.strip()
    if len(text) > limit:
        raise BadRequest(
            f"{field} has {len(text)} characters; at most {limit} are kept",
            field=field,
            value=text,
            limit=limit,
        )
    if required and not text:
        raise BadRequest(f"{field} must not be empty", field=field, value=value)
    if any(not c.isprintable() and not (lines and c in "\r\n\t") for c in text):
        raise BadRequest(f"{field} must not have control characters", field=field, value=value)
    return text
