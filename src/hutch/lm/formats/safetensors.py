"""Safetensors files, read within bounds (huggingface/safetensors, README, "Format"): headers, tensors as maps."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hutch.core.errors import BadRequest

# What the format's own library and the public hub accept.
MAX_HEADER_BYTES = 25_000_000
# One read gets the whole header of nearly all files.
_FIRST_READ_BYTES = 100_000
_LENGTH_BYTES = 8

# The format's names of types -> numpy's; numpy has no bfloat16 and no 8-bit floats, whose bits it keeps as integers.
_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?", "F8_E4M3": "u1", "F8_E5M2": "u1",
}  # fmt: skip
INDEX = "model.safetensors.index.json"
_MAX_SHARDS = 1000
_MAX_INDEX_BYTES = 64 << 20
_MAX_TENSORS = 1_000_000

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


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor in a file: `dtype` in the format's words, its bytes from `begin` to `end` of the file."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    def values(self) -> np.ndarray:
        """Its numbers as a memory map, [*shape]; bfloat16 and 8-bit floats as the integers that have their bits."""
        kind = np.dtype(_TYPES[self.dtype])
        if self.begin == self.end:
            return np.empty(self.shape, kind)
        return np.memmap(self.path, kind, "r", self.begin, self.shape)

    def as_float32(self) -> np.ndarray:
        """Its numbers as 32-bit floats, [*shape], in memory. Raises NotSafetensors for 8-bit floats."""
        if self.dtype.startswith("F8"):
            raise NotSafetensors(
                f"{self.name} is of {self.dtype}, which is not read", field=self.name, value=self.dtype
            )
        bits = self.values()
        if self.dtype == "BF16":
            return (bits.astype("<u4") << 16).view("<f4")
        return bits.astype("<f4")


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of one file by name: they fill it without hole or overlap. Raises NotSafetensors naming it."""
    with path.open("rb") as file:

        def read(start: int, end: int) -> bytes:
            file.seek(start)
            return file.read(end - start)

        length = int.from_bytes(read(0, _LENGTH_BYTES), "little")
        found = header(read)
    begin = _LENGTH_BYTES + length
    if len(found) > _MAX_TENSORS:
        raise NotSafetensors("The file has too many tensors", value=len(found), limit=_MAX_TENSORS)
    made = [_tensor(path, name, told, begin) for name, told in found.items() if name != "__metadata__"]
    free = begin
    for tensor in sorted(made, key=lambda tensor: (tensor.begin, tensor.end)):
        if tensor.begin != free:
            raise NotSafetensors(
                f"{tensor.name} does not follow the one before it",
                field=tensor.name,
                value=tensor.begin,
                limit=free,
            )
        free = tensor.end
    if free != path.stat().st_size:
        raise NotSafetensors(
            "The file is not as long as its header says", field="file", value=path.stat().st_size, limit=free
        )
    return {tensor.name: tensor for tensor in made}


def model(folder: Path) -> dict[str, Tensor]:
    """All tensors of a model's folder: of `model.safetensors`, or of the files that its index names.

    Raises NotSafetensors for an index that names a file elsewhere, or a tensor that its file does not have.
    """
    if not (folder / INDEX).is_file():
        return tensors(folder / "model.safetensors")
    weights = _weight_map(folder / INDEX)
    files = sorted(set(weights.values()))
    if len(files) > _MAX_SHARDS:
        raise NotSafetensors(
            "The index names too many files", field="weight_map", value=len(files), limit=_MAX_SHARDS
        )
    found: dict[str, Tensor] = {}
    for name in files:
        found |= {key: tensor for key, tensor in tensors(folder / name).items() if weights.get(key) == name}
    for name in weights:
        if name not in found:
            raise NotSafetensors(
                f"{name} is not in the file that the index names", field=name, value=weights[name]
            )
    return found


def _weight_map(path: Path) -> dict[str, str]:
    if path.stat().st_size > _MAX_INDEX_BYTES:
        raise NotSafetensors(
            "The index is too long", field="file", value=path.stat().st_size, limit=_MAX_INDEX_BYTES
        )
    try:
        told = json.loads(path.read_bytes())
        weights = told["weight_map"]
        pairs = list(weights.items())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise NotSafetensors("The index is no object with a weight_map", field="weight_map") from None
    for _, name in pairs:
        if (
            not isinstance(name, str)
            or not name.endswith(".safetensors")
            or name != Path(name).name
            or "\0" in name
        ):
            raise NotSafetensors("The index names a file elsewhere", field="weight_map", value=name)
        if not (path.parent / name).is_file():
            raise NotSafetensors(f"The file {name} of the index is missing", field="weight_map", value=name)
    return dict(pairs)


def _tensor(path: Path, name: str, told: object, begin: int) -> Tensor:
    dtype = told.get("dtype") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping) or not isinstance(dtype, str) or dtype not in _TYPES:
        raise NotSafetensors(
            f"{name} has no type that is known", field=name, value=dtype, limit=", ".join(_TYPES)
        )
    shape, offsets = list(_sizes(told.get("shape"))), list(_sizes(told.get("data_offsets")))
    if len(offsets) != 2 or (-1 in offsets) or (-1 in shape) or len(shape) > 32:
        raise NotSafetensors(f"{name} has no shape or no place", field=name, value=told)
    size = math.prod(shape) * np.dtype(_TYPES[dtype]).itemsize
    if offsets[1] - offsets[0] != size:
        raise NotSafetensors(
            f"{name} has {offsets[1] - offsets[0]} bytes, its shape {size}",
            field=name,
            value=offsets,
            limit=size,
        )
    return Tensor(path, name, dtype, tuple(shape), begin + offsets[0], begin + offsets[1])


def _sizes(told: object) -> Iterator[int]:
    """The sizes of a list; -1 for what is none."""
    yield from (size if _is_size(size) else -1 for size in told) if isinstance(told, list) else [-1]
