"""The header of a safetensors file, read within bounds (huggingface/safetensors, README, "Format")."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from hutch.core.errors import BadRequest

# What the format's own library and the public hub accept.
MAX_HEADER_BYTES = 25_000_000
# One read gets the whole header of nearly all files.
_FIRST_READ_BYTES = 100_000
_LENGTH_BYTES = 8

# Reads bytes from `start` to `end` (exclusive); fewer at the file's end.
Read = Callable[[int, int], bytes]


class NotSafetensors(BadRequest):
    """This file is not in the safetensors format."""

    code = "NotSafetensors"


def header(read: Read) -> dict[str, Any]:
    """The header: tensor name -> {dtype, shape, data_offsets}, and `__metadata__`. Raises NotSafetensors."""
    first = read(0, _FIRST_READ_BYTES)
    length = int.from_bytes(first[:_LENGTH_BYTES], "little")
    if len(first) < _LENGTH_BYTES or not 0 < length <= MAX_HEADER_BYTES:
        raise NotSafetensors(
            "The file does not begin with the length of a safetensors header", limit=MAX_HEADER_BYTES
        )
    end = _LENGTH_BYTES + length
    text = first[_LENGTH_BYTES:end] if end <= len(first) else read(_LENGTH_BYTES, end)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise NotSafetensors("The file's header is not JSON") from None
    if len(text) != length or not isinstance(found, dict):
        raise NotSafetensors("The file's header is cut off or no object")
    return found


def parameters(found: dict[str, Any]) -> dict[str, int]:
    """Number of parameters by dtype (`F32`, `BF16` ...); what is not a tensor counts nothing."""
    counts: dict[str, int] = {}
    for name, tensor in found.items():
        if name == "__metadata__" or not isinstance(tensor, dict):
            continue
        dtype, shape = tensor.get("dtype"), tensor.get("shape")
        if isinstance(dtype, str) and isinstance(shape, list) and all(_is_size(size) for size in shape):
            counts[dtype] = counts.get(dtype, 0) + math.prod(shape)
    return counts


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 48
