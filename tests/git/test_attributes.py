from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.git import repository
from hutch.git.attributes import DEFAULT_GITATTRIBUTES, lfs_rules, rules_of
from hutch.git.commits import Put
from tests.git.conftest import Committer, Git


def _oracle(git: Git, folder: Path, paths: list[str]) -> dict[str, str]:
    """What `git check-attr` says of each path."""
    stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
    words = git(folder, "check-attr", "-z", "--stdin", "filter", stdin=stdin).split(b"\0")[:-1]
    return {os.fsdecode(words[i]): words[i + 2].decode() for i in range(0, len(words), 3)}


def _spelled(state: bytes | bool | None) -> str:
    if isinstance(state, bytes):
        return state.decode()
    return {True: "set", False: "unset", None: "unspecified"}[state]


@pytest.fixture
def worktree(tmp_path: Path, git: Git) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    return folder


PATTERNS = [
    "*.bin", "*.tar.*", "data/*.txt", "/data/*.txt", "data/**", "**/x", "x/**/y", "a**/b", "x/foo**", "**", "*",
    "[ab].c", "[!a].c", "[^a-c]*", "[[:digit:]]x", "[[:nope:]]x", "[]x]y", "[a", "\\*.c", "a?c", "d/a?c", "d/", "foo",
    "/foo", "a/b/c", '"quoted name.bin"', '"tab\\tname"', "!negated", "*tfevents*", "saved_model/**/*", "x\\",
    "a/**/b/*",
    "***/x", "a/***", "b*/c", "[a/b]x", "d/[a/]x", "**\\/x", "x*y*z", "é*", "caf?", "[é]a", "data/**/*.bin", "a/*/c",
    "[a-]b", "[\\]]b", "[[:alpha:]-z]q", "[[:alpha:]", "[[x]", "[[:]x]",
]  # fmt: skip
PATHS = [
    "a.bin", "x/y/a.bin", "a.tar.gz", "data/a.txt", "x/data/a.txt", "data/x/a.txt", "x", "a/x", "a/b/x", "x/y", "x/a/y",
    "x/a/b/y", "ab", "a/b", "ac/b", "ac/d/b", "x/foo", "x/foobar", "x/foobar/baz", "x/foo/baz", "a.c", "b.c", "d.c",
    "1x", "xx", "]y", "xy", "[a", "*.c", "abc", "d/abc", "d/a/c", "d/x", "foo", "z/foo", "a/b/c", "quoted name.bin",
    "tab\tname", "!negated", "negated", "run/events.out.tfevents.12", "saved_model/a/b", "saved_model/v", "x\\", "x",
    "a/b/b/c", "a/b/c/b/d", "b/c", "bb/c", "bb/d/c", "/x", "ax", "d/ax", "xyz", "xayaz", "x/y/z", "été", "café", "caf",
    "éa", "data/q/r/s.bin", "data/s.bin", "a/c", "a/z/c", "a/z/y/c", "-b", "ab", "]b", "zq", "-q", "[x",
    "[", ":x]", "[x]",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pattern_matches_what_git_check_attr_says(pattern: str, worktree: Path, git: Git) -> None:
    text = f"{pattern} filter=lfs\n"
    (worktree / ".gitattributes").write_text(text)
    rules = rules_of(text.encode())
    paths = [path for path in PATHS if not path.startswith("/")]
    expected = _oracle(git, worktree, paths)
    assert {path: _spelled(rules.value(path, "filter")) for path in paths} == expected


_text = st.text(alphabet="ab/*?[]!^-.\\", min_size=1, max_size=9)
_line = st.tuples(
    _text, st.sampled_from(["filter=lfs", "-filter", "!filter", "filter", "lfs", "-lfs", "text filter=x"])
)
_paths = st.lists(
    st.lists(st.text(alphabet="ab.-]", min_size=1, max_size=4), min_size=1, max_size=4).map("/".join),
    min_size=8,
    max_size=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_line, min_size=1, max_size=6), paths=_paths)
def test_any_patterns_match_what_git_check_attr_says(
    lines: list[tuple[str, str]], paths: list[str], worktree: Path, git: Git
) -> None:
    paths = [path for path in dict.fromkeys(paths) if not {".", ".."} & set(path.split("/"))]
    text = "[attr]lfs filter=lfs diff=lfs -text\n" + "".join(f"{p} {attributes}\n" for p, attributes in lines)
    (worktree / ".gitattributes").write_text(text)
    rules = rules_of(text.encode())
    assert {path: _spelled(rules.value(path, "filter")) for path in paths} == _oracle(git, worktree, paths)


NESTED = {
    ".gitattributes": "*.bin filter=lfs\n[attr]big filter=lfs\n*.mac big\n*.out -big\nsub/*.keep filter=lfs\n",
    "sub/.gitattributes": "*.bin -filter\n*.dat filter=lfs\n/here.txt filter=lfs\n[attr]bad filter=lfs\n*.bad bad\n",
    "sub/deep/.gitattributes": "*.bin !filter\n*.keep -filter\nx/*.y filter=lfs\n*.mac -filter big\n",
}


def test_nested_files_and_macros_as_git_has_them(
    bare: Path, put: Committer, worktree: Path, git: Git
) -> None:
    commit = put(*(Put(path, text.encode()) for path, text in NESTED.items()))
    for path, text in NESTED.items():
        (worktree / path).parent.mkdir(parents=True, exist_ok=True)
        (worktree / path).write_text(text)
    names = ["a.bin", "a.dat", "here.txt", "a.bad", "a.keep", "x/a.y", "a.mac", "a.out", "deep/here.txt"]
    paths = [
        prefix + name for prefix in ("", "sub/", "sub/deep/", "sub/deep/er/", "other/") for name in names
    ]
    rules = lfs_rules(repository.open(bare), commit)
    assert {path: _spelled(rules.value(path, "filter")) for path in paths} == _oracle(git, worktree, paths)


@pytest.mark.parametrize(
    "text",
    [
        b"a.bin filter=lfs\r\n",
        b"\xef\xbb\xbfa.bin filter=lfs\n",
        b"  a.bin\tfilter=lfs",
        b"#a.bin filter=lfs\na.bin -filter filter=lfs\n",
        b"a.bin filter=lfs -filter\n",
        b"a.bin filter=lfs " + b"x" * 2040 + b"\n",
        b"a.bin filter=lfs =x\n",
        b"a.bin filter=lfs fil^ter\n",
        b'"a.bin" filter=lfs\n',
        b'"a.bin filter=lfs\n',
        b'"\\141.bin" filter=lfs\n',
        b"a.bin\n",
        b"a.bin binary\na.bin filter=\n",
        b"[attr]filter filter=lfs\na.bin filter\n",
        b"[attr]one two\n[attr]two one filter=lfs\na.bin one\n",
    ],
)
def test_odd_spellings_as_git_has_them(text: bytes, worktree: Path, git: Git) -> None:
    (worktree / ".gitattributes").write_bytes(text)
    expected = _oracle(git, worktree, ["a.bin"])["a.bin"]
    assert _spelled(rules_of(text).value("a.bin", "filter")) == expected


@pytest.mark.parametrize(
    "path", ["model.safetensors", "a/b/c.gguf", "x.tar.gz", "run/events.out.tfevents.1.host", "d.parquet"]
)
def test_the_default_file_sends_the_fields_formats_to_lfs(path: str) -> None:
    assert rules_of(DEFAULT_GITATTRIBUTES.encode()).is_lfs(path)


@pytest.mark.parametrize(
    "path", ["README.md", "config.json", "tokenizer.json", "a.py", "safetensors", ".gitattributes"]
)
def test_the_default_file_leaves_text_in_git(path: str) -> None:
    assert not rules_of(DEFAULT_GITATTRIBUTES.encode()).is_lfs(path)


def test_a_repository_without_commits_has_no_lfs_rules(bare: Path) -> None:
    assert not lfs_rules(repository.open(bare), None).is_lfs("a.bin")


def test_a_hostile_pattern_costs_no_exponential_time() -> None:
    rules = rules_of(b"x/" + b"*a" * 200 + b"*b filter=lfs\n")
    began = time.process_time()
    assert not rules.is_lfs("x/" + "a" * 2000)
    # Backtracking would need longer than the age of the universe: the bound is no measurement.
    assert time.process_time() - began < 60
