"""Safetensors files: numbers come out as they went in, and what lies about itself is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.lm.formats import safetensors
from hutch.lm.formats.safetensors import NotSafetensors

FLOATS = np.array([[1.5, -2.0, 0.25], [3.0, 1e-3, 7.0]], "<f4")


def written(path: Path, header: Any, data: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def told(dtype: str, shape: list[int], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_numbers_come_out_as_they_went_in(tmp_path: Path) -> None:
    halves = (FLOATS.view("<u4") >> 16).astype("<u2")
    header = {
        "__metadata__": {"format": "pt"}, "b": told("BF16", [2, 3], 24, 36), "a": told("F32", [2, 3], 0, 24),
        "none": told("F32", [0, 3], 36, 36), "one": told("I64", [], 36, 44),
    }  # fmt: skip
    data = FLOATS.tobytes() + halves.tobytes() + np.int64(5).tobytes()
    found = safetensors.tensors(written(tmp_path / "x.safetensors", header, data))
    assert np.array_equal(found["a"].values(), FLOATS)
    assert isinstance(found["a"].values(), np.memmap)
    assert np.array_equal(found["b"].as_float32(), (halves.astype("<u4") << 16).view("<f4"))
    assert found["none"].values().shape == (0, 3)
    assert found["one"].as_float32() == 5


@pytest.mark.parametrize(
    ("header", "data"),
    [
        ({"a": told("F32", [2], 0, 8)}, b"\0" * 7),
        ({"a": told("F32", [2], 0, 8)}, b"\0" * 9),
        ({"a": told("F32", [2], 0, 12)}, b"\0" * 12),
        ({"a": told("F32", [2], 4, 12)}, b"\0" * 12),
        ({"a": told("F32", [2], 0, 8), "b": told("F32", [2], 4, 12)}, b"\0" * 12),
        ({"a": told("F32", [2], 0, 8), "b": told("F32", [1], 12, 16)}, b"\0" * 16),
        ({"a": told("X9", [2], 0, 8)}, b"\0" * 8),
        ({"a": told("F32", [1 << 40, 1 << 40], 0, 8)}, b"\0" * 8),
        ({"a": told("F32", [-2], 0, 8)}, b"\0" * 8),
        ({"a": told("F32", [True, 2], 0, 8)}, b"\0" * 8),
        ({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0]}}, b"\0" * 8),
        ({"a": {"dtype": ["F32"], "shape": [2], "data_offsets": [0, 8]}}, b"\0" * 8),
        ({"a": 5}, b""),
        ([], b""),
        (b"{", b""),
        (b"[" * 100_000, b""),
    ],
)
def test_a_file_that_lies_about_itself_is_refused(tmp_path: Path, header: Any, data: bytes) -> None:
    with pytest.raises(NotSafetensors):
        safetensors.tensors(written(tmp_path / "x.safetensors", header, data))


def test_a_length_that_is_claimed_is_not_believed(tmp_path: Path) -> None:
    for start in (b"", b"\0" * 8, b"\xff" * 8, (24_999_999).to_bytes(8, "little") + b"{}"):
        (tmp_path / "x.safetensors").write_bytes(start)
        with pytest.raises(NotSafetensors):
            safetensors.tensors(tmp_path / "x.safetensors")


@given(data=st.binary(max_size=200), is_header=st.booleans())
def test_any_bytes_give_tensors_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, is_header: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    if is_header:
        written(path, data)
    else:
        path.write_bytes(data)
    try:
        safetensors.tensors(path)
    except NotSafetensors:
        return


values = st.sampled_from(["F32", "BF16", "", None, 0, 1, 8, -1, 1 << 70, 0.5, True]) | st.lists(
    st.integers(-2, 20), max_size=3
)


@given(
    st.dictionaries(
        st.sampled_from("abc"),
        st.fixed_dictionaries({"dtype": values, "shape": values, "data_offsets": values}),
    )
)
def test_any_header_gives_tensors_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, header: dict[str, Any]
) -> None:
    path = written(tmp_path_factory.getbasetemp() / "header.safetensors", header, b"\0" * 16)
    try:
        found = safetensors.tensors(path)
    except NotSafetensors:
        return
    assert sum(tensor.values().nbytes for tensor in found.values()) == 16


def index(folder: Path, weights: Any) -> None:
    (folder / safetensors.INDEX).write_text(json.dumps({"weight_map": weights}))


def test_a_model_in_two_files_is_one(tmp_path: Path) -> None:
    written(tmp_path / "1.safetensors", {"a": told("F32", [2, 3], 0, 24)}, FLOATS.tobytes())
    written(tmp_path / "2.safetensors", {"b": told("F32", [2, 3], 0, 24)}, FLOATS.tobytes())
    index(tmp_path, {"a": "1.safetensors", "b": "2.safetensors"})
    assert sorted(safetensors.model(tmp_path)) == ["a", "b"]
    index(tmp_path, {"a": "1.safetensors", "b": "1.safetensors"})
    with pytest.raises(NotSafetensors) as refused:
        safetensors.model(tmp_path)
    assert refused.value.field == "b"


@pytest.mark.parametrize(
    "name",
    ["../1.safetensors", "/etc/passwd", "a/1.safetensors", "2.safetensors", "1.bin", 5, "\0.safetensors"],
)
def test_an_index_names_files_of_its_folder_alone(tmp_path: Path, name: object) -> None:
    (tmp_path / "inner").mkdir()
    for folder in (tmp_path, tmp_path / "inner"):
        written(folder / "1.safetensors", {"a": told("F32", [2, 3], 0, 24)}, FLOATS.tobytes())
    index(tmp_path / "inner", {"a": name})
    with pytest.raises(NotSafetensors):
        safetensors.model(tmp_path / "inner")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": 5}', "[" * 100_000])
def test_an_index_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / safetensors.INDEX).write_text(text)
    with pytest.raises(NotSafetensors):
        safetensors.model(tmp_path)
