from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.git.pointers import MAX_POINTER_BYTES, MIN_POINTER_BYTES, Pointer, parse, render

pointers = st.builds(
    Pointer,
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.integers(min_value=0, max_value=2**63 - 1),
)
OID = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
GOOD = f"version https://git-lfs.github.com/spec/v1\noid sha256:{OID}\nsize 12345\n".encode()


@given(pointers)
def test_what_is_rendered_is_parsed_back(pointer: Pointer) -> None:
    data = render(pointer)
    assert parse(data) == pointer
    assert MIN_POINTER_BYTES <= len(data) <= MAX_POINTER_BYTES


@given(pointers, st.integers(min_value=0, max_value=200), st.binary(max_size=3))
def test_whatever_parses_has_one_spelling(pointer: Pointer, at: int, noise: bytes) -> None:
    data = render(pointer)
    changed = data[:at] + noise + data[at + len(noise) :]
    found = parse(changed)
    assert found is None or render(found) == changed


@given(st.binary(max_size=2000))
def test_other_bytes_are_no_pointer(data: bytes) -> None:
    found = parse(data)
    assert found is None or render(found) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:-1],
        GOOD + b"\n",
        GOOD + b"x" * 1024,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD.replace(b"spec/v1", b"spec/v2"),
        GOOD.replace(b"https://git-lfs", b"http://git-lfs"),
        GOOD.replace(b"sha256:4d", b"sha256:4D"),
        GOOD.replace(b"sha256", b"sha512"),
        GOOD.replace(b"size 12345", b"size 012345"),
        GOOD.replace(b"size 12345", b"size -1"),
        GOOD.replace(b"size 12345", b"size 12345 "),
        GOOD.replace(b"size 12345", b"size 9223372036854775808"),
        GOOD.replace(b"size", b"z a\nsize"),
        b"\n".join([*GOOD.split(b"\n")[:1], GOOD.split(b"\n")[2], GOOD.split(b"\n")[1], b""]),
    ],
)
def test_anything_but_the_strict_form_is_no_pointer(data: bytes) -> None:
    assert parse(data) is None


def test_extensions_are_accepted() -> None:
    extended = GOOD.replace(b"oid sha256", b"ext-0-foo sha256:" + b"1" * 64 + b"\noid sha256")
    assert parse(extended) == Pointer(OID, 12345)


@pytest.mark.skipif(shutil.which("git-lfs") is None, reason="git-lfs is not installed")
def test_git_lfs_writes_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content of a large file")
    command = ["git", "lfs", "pointer", "--file=file"]
    written = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout
    found = parse(written)
    assert found is not None
    assert found.size == 23
    assert render(found) == written
