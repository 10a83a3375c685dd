"""The head of a GGUF file, read within bounds (ggml, docs/gguf.md): what pages, clients and runners want to know."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hutch.core.errors import BadRequest

# Vocabularies stand in the head; the largest known need about 12 MB.
MAX_HEAD_BYTES = 32 << 20
_MAX_ITEMS = 2_000_000
_MAX_TEXT_CHARACTERS = 200_000
_STRING, _ARRAY = 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_TOKENS = "tokenizer.ggml.tokens"
_MAX_DIMENSIONS = 8
_MAX_ALIGNMENT = 1 << 16
# ggml's type -> values in a block, bytes of a block (ggml-common.h)
_TYPES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36), 10: (256, 84),
    11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74),
    18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2),
    26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
}  # fmt: skip


class NotGguf(BadRequest):
    """This file is not in the GGUF format, or its head is too long."""

    code = "NotGguf"


class _Cursor:
    """Reads little-endian values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def at(self) -> int:
        """How many bytes were read."""
        return self._at

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


@dataclass(frozen=True, slots=True)
class Tensor:
    """One line of the table of tensors: `shape` as ggml has it, the dimension that varies fastest first."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def values(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Weights:
    """A whole file that was looked through: what a runner must know before it loads it.

    `context` is the longest that it was trained for, in tokens; `cache_values` are the keys and values that one token
    leaves behind, in numbers.
    """

    architecture: str
    context: int
    cache_values: int
    vocabulary: int
    tensors: tuple[Tensor, ...]


def head(data: bytes) -> dict[str, Any]:
    """`architecture`, `context_length`, `total` (parameters), chat template and special tokens, as far as told.

    `data` is the file's beginning. Raises NotGguf.
    """
    known, tensors, _ = _read(data)
    return {"total": sum(tensor.values for tensor in tensors), **_told(known)}


def weights(path: Path) -> Weights:
    """What stands in the file, its tensors shown to lie within it. Raises NotGguf naming what is wrong."""
    with path.open("rb") as file:
        known, tensors, end = _read(file.read(MAX_HEAD_BYTES))
    _check(known, tensors, end, path.stat().st_size)
    name = known.get("general.architecture")
    if not isinstance(name, str) or not tensors:
        raise NotGguf("The file names no architecture, or holds no tensors", field="general.architecture")
    size = _Sizes(known, name)
    heads = size.of("attention.head_count")
    width = size.of("attention.key_length", size.of("embedding_length") // heads)
    tokens = known.get(_TOKENS)
    return Weights(
        architecture=name,
        context=size.of("context_length"),
        cache_values=2 * size.of("block_count") * size.of("attention.head_count_kv", heads) * width,
        vocabulary=len(tokens) if isinstance(tokens, list) else 0,
        tensors=tensors,
    )


class _Sizes:
    """Numbers of an architecture, each from 1 to ten million. Raises NotGguf where one is missing or is none."""

    _MOST = 10_000_000

    def __init__(self, known: dict[str, Any], architecture: str) -> None:
        self._known, self._architecture = known, architecture

    def of(self, name: str, default: int | None = None) -> int:
        """The number `ARCHITECTURE.name`."""
        key = f"{self._architecture}.{name}"
        value = self._known.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= self._MOST:
            raise NotGguf(
                f"{key} is no number from 1 to {self._MOST}", field=key, value=value, limit=self._MOST
            )
        return value


def _read(data: bytes) -> tuple[dict[str, Any], tuple[Tensor, ...], int]:
    """Metadata, tensors, and where the head ends."""
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
    return known, tuple(_tensors(cursor, tensors)), cursor.at


def _tensors(cursor: _Cursor, count: int) -> Iterator[Tensor]:
    for _ in range(count):
        name = cursor.text().decode("utf-8", "replace")
        dimensions = cursor.scalar("I")
        if dimensions > _MAX_DIMENSIONS:
            raise NotGguf(
                "A tensor of the file has too many dimensions", value=dimensions, limit=_MAX_DIMENSIONS
            )
        shape = tuple(cursor.scalar("Q") for _ in range(dimensions))
        yield Tensor(name, shape, cursor.scalar("I"), cursor.scalar("Q"))


def _check(known: dict[str, Any], tensors: tuple[Tensor, ...], end: int, size: int) -> None:
    """Raises NotGguf unless each tensor lies in the file, in a type that is known, and no two at one place."""
    alignment = known.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= _MAX_ALIGNMENT:
        raise NotGguf(
            "general.alignment is out of bounds",
            field="general.alignment",
            value=alignment,
            limit=_MAX_ALIGNMENT,
        )
    begin, free = -(-end // alignment) * alignment, 0
    for tensor in sorted(tensors, key=lambda tensor: tensor.offset):
        if tensor.kind not in _TYPES:
            raise NotGguf(
                f"The tensor {tensor.name} has an unknown type", field=tensor.name, value=tensor.kind
            )
        block, block_bytes = _TYPES[tensor.kind]
        if not tensor.values or tensor.shape[0] % block:
            raise NotGguf(
                f"The tensor {tensor.name} has no whole blocks",
                field=tensor.name,
                value=tensor.shape,
                limit=block,
            )
        if tensor.offset < free:
            raise NotGguf(
                f"The tensor {tensor.name} lies over another",
                field=tensor.name,
                value=tensor.offset,
                limit=free,
            )
        free = tensor.offset + tensor.values // block * block_bytes
        if begin + free > size:
            raise NotGguf(
                f"The tensor {tensor.name} ends beyond the file",
                field=tensor.name,
                value=begin + free,
                limit=size,
            )


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
