"""Text that every database takes: PostgreSQL refuses NUL and lone surrogates, which git's paths may hold."""

from __future__ import annotations

from typing import Any


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
