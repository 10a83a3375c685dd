"""The head of a GGUF file, read within bounds (ggml, docs/gguf.md): what a page and a client want to know of it."""

from __future__ import annotations

import math
import struct
from typing import Any

from hutch.core.errors import BadRequest

# Vocabularies stand in the head; the largest known need about 12 MB.
MAX_HEAD_BYTES = 32 << 20
_MAX_ITEMS = 2_000_000
_MAX_TEXT_CHARACTERS = 200_000
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TOKENS = "tokenizer.ggml.tokens"


class NotGguf(BadRequest):
    """This file is not in the GGUF format, or its head is too long."""

    code = "NotGguf"


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        if size < 0 or self._at + size > len(self._data):
            raise NotGguf(
                f"The file's head ends early, or is longer than {MAX_HEAD_BYTES} bytes", limit=MAX_HEAD_BYTES
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def scalar(self, letter: str) -> Any:
        """One number."""
        return struct.unpack("<" + letter, self.take(struct.calcsize("<" + letter)))[0]

    def text(self) -> bytes:
        """One string."""
        return self.take(self.scalar("Q"))

    def value(self, kind: int, *, is_kept: bool) -> Any:
        """One value of a type; arrays that nobody wants are passed over."""
        if kind == _STRING:
            return self.text().decode("utf-8", "replace")
        if kind != _ARRAY:
            if kind not in _SCALARS:
                raise NotGguf("A value of an unknown type stands in the file's head", value=kind)
            return self.scalar(_SCALARS[kind])
        return self._array(is_kept=is_kept)

    def _array(self, *, is_kept: bool) -> list[bytes] | None:
        kind, count = self.scalar("I"), self.scalar("Q")
        if count > _MAX_ITEMS or (kind != _STRING and kind not in _SCALARS):
            raise NotGguf(
                "An array of the file's head is too long or of an unknown type", value=count, limit=_MAX_ITEMS
            )
        if kind != _STRING:
            self.take(count * struct.calcsize("<" + _SCALARS[kind]))
            return None
        texts = [self.text() for _ in range(count)]
        return texts if is_kept else None


def head(data: bytes) -> dict[str, Any]:
    """`architecture`, `context_length`, `total` (parameters), chat template and special tokens, as far as told.

    `data` is the file's beginning. Raises NotGguf.
    """
    cursor = _Cursor(data)
    if cursor.take(4) != b"GGUF" or cursor.scalar("I") not in (2, 3):
        raise NotGguf("The file does not begin as GGUF of version 2 or 3")
    tensors, pairs = cursor.scalar("Q"), cursor.scalar("Q")
    if tensors > _MAX_ITEMS or pairs > _MAX_ITEMS:
        raise NotGguf("The file's head tells of too many things", value=max(tensors, pairs), limit=_MAX_ITEMS)
    known: dict[str, Any] = {}
    for _ in range(pairs):
        key = cursor.text().decode("utf-8", "replace")
        known[key] = cursor.value(cursor.scalar("I"), is_kept=key == _TOKENS)
    return {"total": sum(_parameters(cursor) for _ in range(tensors)), **_told(known)}


def _parameters(cursor: _Cursor) -> int:
    cursor.text()
    dimensions = cursor.scalar("I")
    if dimensions > 8:
        raise NotGguf("A tensor of the file has too many dimensions", value=dimensions, limit=8)
    count = math.prod(cursor.scalar("Q") for _ in range(dimensions))
    cursor.take(12)
    return count


def _told(known: dict[str, Any]) -> dict[str, Any]:
    architecture = known.get("general.architecture")
    told = {
        "architecture": architecture,
        "context_length": known.get(f"{architecture}.context_length"),
        "chat_template": known.get("tokenizer.chat_template"),
        "bos_token": _token(known, "bos"),
        "eos_token": _token(known, "eos"),
    }
    return {key: value for key, value in told.items() if value is not None and _is_short(value)}


def _token(known: dict[str, Any], which: str) -> str | None:
    tokens, place = known.get(_TOKENS), known.get(f"tokenizer.ggml.{which}_token_id")
    if not isinstance(tokens, list) or not isinstance(place, int) or not 0 <= place < len(tokens):
        return None
    return bytes(tokens[place]).decode("utf-8", "replace")


def _is_short(value: object) -> bool:
    return not isinstance(value, str) or len(value) <= _MAX_TEXT_CHARACTERS
