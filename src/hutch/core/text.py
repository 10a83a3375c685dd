"""Text that every database takes: PostgreSQL refuses NUL and lone surrogates, which git's paths may hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hutch.core.errors import BadRequest


def is_storable(text: str) -> bool:
    """Whether every database can be asked for this text: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def require_storable(text: str, field: str | None = None) -> None:
    """Raises BadRequest that names the field and shows its value."""
    if not is_storable(text):
        message = f"{field or 'A text'} has a NUL or half of a surrogate pair in it, which is no text"
        raise BadRequest(message, field=field, value=storable(text))


def require_all_storable(found: Iterable[tuple[str, Iterable[str]]]) -> None:
    """The same for the fields of a query or a form, each with its values, and for their names."""
    for field, values in found:
        require_storable(field, "the name of a field")
        for value in values:
            require_storable(value, field)


def storable(text: str) -> str:
    r"""The text with lone surrogates and NUL written as `\udc80` and `\x00`."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def storable_json(value: Any) -> Any:
    """A JSON value in which every text, keys included, is storable."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(part) for part in value]
    return value
