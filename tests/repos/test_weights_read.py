"""Heads of weight files: whatever the bytes are, the answer is a head or a refusal, and soon."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.lm.formats import gguf, safetensors
from hutch.lm.formats.gguf import NotGguf
from hutch.lm.formats.safetensors import NotSafetensors
from tests.repos.test_info_read import gguf as gguf_file
from tests.repos.test_info_read import safetensors as safetensors_file


def reader(data: bytes) -> safetensors.Read:
    return lambda start, end: data[start:end]


names = st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__")
shapes = st.lists(st.integers(0, 100), max_size=3)


@given(st.dictionaries(names, st.tuples(st.sampled_from(["F32", "BF16", "I8"]), shapes), max_size=5))
def test_header_of_safetensors_is_read_as_it_was_written(tensors: dict[str, tuple[str, list[int]]]) -> None:
    found = safetensors.header(reader(safetensors_file(tensors)))
    assert {name: (found[name]["dtype"], found[name]["shape"]) for name in tensors} == tensors
    total = 0
    for _, shape in tensors.values():
        count = 1
        for size in shape:
            count *= size
        total += count
    assert sum(safetensors.parameters(found).values()) == total


@given(st.binary(max_size=300))
def test_other_bytes_are_no_safetensors(data: bytes) -> None:
    with pytest.raises(NotSafetensors):
        safetensors.header(reader(data))


@given(st.integers(0, 2**64 - 1))
def test_length_of_a_header_is_believed_within_bounds_only(length: int) -> None:
    data = struct.pack("<Q", length) + b"{}" + b" " * 50
    if 2 <= length <= 52:
        assert safetensors.header(reader(data)) == {}
    else:
        with pytest.raises(NotSafetensors):
            safetensors.header(reader(data))


def test_header_longer_than_the_first_read_is_read_whole() -> None:
    tensors = {f"layer.{number}.weight": ("F32", [number]) for number in range(5000)}
    assert len(safetensors.header(reader(safetensors_file(tensors)))) == 5001


@pytest.mark.parametrize("shape", [[-1], ["x"], [True], [2**60], "x", None])
def test_shape_that_cannot_be_counts_nothing(shape: object) -> None:
    assert safetensors.parameters({"w": {"dtype": "F32", "shape": shape}, "x": 5}) == {}


texts = st.text(max_size=10)
values = st.one_of(texts, st.integers(0, 2**32 - 1), st.lists(texts, max_size=4))


@given(
    st.dictionaries(texts, values, max_size=5),
    st.dictionaries(texts, st.lists(st.integers(0, 50), max_size=4), max_size=4),
)
def test_head_of_gguf_counts_its_parameters(pairs: dict[str, object], tensors: dict[str, list[int]]) -> None:
    total = 0
    for shape in tensors.values():
        count = 1
        for size in shape:
            count *= size
        total += count
    assert gguf.head(gguf_file(pairs, tensors))["total"] == total


@given(st.binary(max_size=200), st.booleans())
def test_other_bytes_are_no_gguf(data: bytes, has_magic: bool) -> None:
    data = b"GGUF" + struct.pack("<IQQ", 3, 5, 5) + data if has_magic else data
    try:
        assert "total" in gguf.head(data)
    except NotGguf:
        return


@given(st.integers(0, 400))
def test_gguf_that_ends_early_is_refused(length: int) -> None:
    whole = gguf_file(
        {"general.architecture": "llama", "tokenizer.ggml.tokens": ["a", "b"] * 10}, {"w": [3, 4]}
    )
    needed = len(whole) - 64
    if length < needed:
        with pytest.raises(NotGguf):
            gguf.head(whole[:length])
    else:
        assert gguf.head(whole[:length])["total"] == 12


@pytest.mark.parametrize("count", [2**63, 2**40, 3_000_000])
def test_counts_beyond_reason_are_refused_at_once(count: int) -> None:
    with pytest.raises(NotGguf):
        gguf.head(b"GGUF" + struct.pack("<IQQ", 3, count, 0))
    with pytest.raises(NotGguf):
        gguf.head(
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + struct.pack("<Q", 1)
            + b"k"
            + struct.pack("<IIQ", 9, 8, count)
        )
