from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.git.errors import InvalidPath
from hutch.git.paths import MAX_COMPONENT_BYTES, MAX_PATH_BYTES, check_path, fold
from tests.git.conftest import Git

BAD = {
    "": "empty",
    "/etc/passwd": "absolute",
    "a/../b": "'..'",
    "..": "'..'",
    "./a": "'.'",
    "a//b": "empty part",
    "a/": "empty part",
    "a\\b": "backslash",
    "a\0b": "control",
    "a\nb": "control",
    "a\x7f": "control",
    "a\x85b": "control",
    ".git": ".git",
    "x/.GIT/config": ".git",
    "x/.gIt": ".git",
    "git~1": ".git",
    "GIT~1/x": ".git",
    ".git ": ".git",
    ".git.": ".git",
    ".git . .": ".git",
    ".git::$INDEX_ALLOCATION/x": ".git",
    ".g\u200cit": ".git",
    "\ufeff.git": ".git",
    ".gi\u206at/x": ".git",
    "．git": ".git",
    "a\ud800": "Unicode",
}


@pytest.mark.parametrize(("path", "rule"), BAD.items())
def test_bad_path_is_refused_with_its_rule(path: str, rule: str) -> None:
    with pytest.raises(InvalidPath) as refused:
        check_path(path)
    assert rule in refused.value.message
    assert refused.value.field == "path"
    assert refused.value.status == 400


def test_over_long_paths_are_refused_with_their_limit() -> None:
    with pytest.raises(InvalidPath) as refused:
        check_path("/".join(["a" * 200] * 21))
    assert refused.value.limit == MAX_PATH_BYTES
    with pytest.raises(InvalidPath) as refused:
        check_path("x/" + "é" * 128)
    assert refused.value.limit == MAX_COMPONENT_BYTES
    assert check_path("x/" + "é" * 127)


@pytest.mark.parametrize(
    "path",
    ["a", "a/b.c", ".gitattributes", ".github/x", "git", "...", "ünï/cödé", "a b", "-x", "x.git", "日本/語"],
)
def test_ordinary_paths_are_accepted(path: str) -> None:
    assert check_path(path) == path


@given(st.text())
def test_any_text_is_accepted_or_refused_by_name(path: str) -> None:
    acceptable = True
    try:
        check_path(path)
    except InvalidPath:
        acceptable = False
    if path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        assert not acceptable
    if path.isalnum() and path.isascii():
        assert acceptable


@given(st.text())
def test_folding_ignores_case_and_normal_form(path: str) -> None:
    for form in ("NFC", "NFD"):
        assert fold(unicodedata.normalize(form, path)) == fold(path)
    assert fold(fold(path)) == fold(path)


def test_folding_keeps_different_names_apart() -> None:
    assert fold("README") == fold("readme")
    assert fold("é") == fold("E\u0301")
    assert fold("a") != fold("b")


def test_git_itself_refuses_what_we_refuse_as_dot_git(tmp_path: Path, git: Git) -> None:
    git(tmp_path, "init", "-q")
    blob = git(tmp_path, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    git(tmp_path, "config", "core.protectHFS", "true")
    git(tmp_path, "config", "core.protectNTFS", "true")
    for path, rule in BAD.items():
        if rule == ".git" and path not in ("．git",) and "\ufeff" not in path:
            with pytest.raises(AssertionError):
                git(tmp_path, "update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
