"""How files of an upload shall be sent, and what keeps `.gitattributes` true."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.core.errors import BadRequest, Forbidden, HutchError, RevisionNotFound
from hutch.core.permissions import Actor
from hutch.git import attributes
from hutch.git.process import environment
from hutch.repos.changes import tracking
from hutch.repos.changes.commits import create_commit
from hutch.repos.changes.ignore_rules import IgnoreRules
from hutch.repos.changes.preupload import MAX_FILES, Planned, is_binary, preupload
from hutch.repos.lookup import RepoRow
from tests.repos.commit_body import HEADER, body, content, file, large, upload

Make = Callable[..., RepoRow]


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


def advise(actor: Actor, repo: RepoRow, path: str, size: int, sample: bytes = b"text", **more: Any) -> Any:
    planned = Planned(path, size, base64.b64encode(sample).decode())
    return preupload(actor, repo, "main", [planned], **more)[1][0]


@pytest.mark.parametrize(
    ("path", "size", "sample", "mode"),
    [
        ("README.md", 100, b"# Hi", "regular"),
        ("w.safetensors", 100, b"abc", "lfs"),
        ("w.safetensors", 0, b"", "regular"),
        ("notes.txt", 10 << 20, b"abc", "lfs"),
        ("notes.txt", (10 << 20) - 1, b"abc", "regular"),
        ("thing.dat", 100, b"\x00\x01\x02", "lfs"),
        ("data/sub/x.parquet", 10, b"PAR1", "lfs"),
    ],
)
def test_name_size_and_first_bytes_decide(
    ann: Actor, repo: RepoRow, path: str, size: int, sample: bytes, mode: str
) -> None:
    assert advise(ann, repo, path, size, sample).upload_mode == mode


def test_rules_are_those_of_the_revision_or_of_the_request(ann: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file(".gitattributes", "*.foo filter=lfs\n")))
    assert advise(ann, repo, "a.foo", 10).upload_mode == "lfs"
    assert advise(ann, repo, "a.safetensors", 10).upload_mode == "regular"
    assert advise(ann, repo, "a.bar", 10, git_attributes="*.bar filter=lfs").upload_mode == "lfs"


def test_file_that_is_there_is_told_by_its_blob(ann: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file("x", b"hello\n")))
    assert advise(ann, repo, "x", 6).oid == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert advise(ann, repo, "y", 6).oid is None


def test_ignored_files_are_told(ann: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file(".gitignore", "*.log\n")))
    assert advise(ann, repo, "a/x.log", 1).should_ignore
    assert not advise(ann, repo, "a/x.log", 1, git_ignore="").should_ignore
    assert advise(ann, repo, "a/x.txt", 1, git_ignore="a/\n").should_ignore


def test_stranger_asks_only_for_a_pull_request(bob: Actor, repo: RepoRow) -> None:
    with pytest.raises(Forbidden):
        advise(bob, repo, "x", 1)
    assert advise(bob, repo, "x", 1, create_pr=True).upload_mode == "regular"
    create_commit(bob, repo, "main", body(HEADER, file("x")), create_pr=True)
    assert preupload(bob, repo, "refs/pr/1", [Planned("x", 6)])[1][0].oid is not None


@pytest.mark.parametrize(
    ("planned", "field"),
    [
        ([Planned("../x", 1)], "path"),
        ([Planned("x", -1)], "size"),
        ([Planned("x", 1 << 50)], "size"),
        ([Planned("x", 1, "!!")], "sample"),
        ([Planned("x", 1, "a" * 100_000)], "sample"),
        ([Planned("x", 1)] * (MAX_FILES + 1), "files"),
    ],
)
def test_bad_request_names_its_field(ann: Actor, repo: RepoRow, planned: list[Planned], field: str) -> None:
    with pytest.raises(HutchError) as refused:
        preupload(ann, repo, "main", planned)
    assert (refused.value.status, refused.value.field) == (400, field)


def test_revision_must_be_a_branch(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(RevisionNotFound):
        preupload(ann, repo, "nowhere", [])
    with pytest.raises(BadRequest):
        preupload(ann, repo, repo.head_oid, [])


def test_api_answers_every_path(ann: Actor, repo: RepoRow, api: Callable[..., Any]) -> None:
    send = {
        "files": [
            {"path": "a b.txt", "size": 3, "sample": "YWJj"},
            {"path": "w.gguf", "size": 9, "sample": "YWJj"},
        ]
    }
    answer = api("POST", "/api/models/ann/bert/preupload/main", send, actor=ann)
    assert answer.json == {
        "commitOid": repo.head_oid,
        "files": [
            {"path": "a b.txt", "uploadMode": "regular", "shouldIgnore": False},
            {"path": "w.gguf", "uploadMode": "lfs", "shouldIgnore": False},
        ],
    }


@pytest.mark.parametrize(
    ("sample", "whole", "binary"),
    [
        (b"", True, False),
        (b"a\0b", True, True),
        ("é".encode() * 200, True, False),
        (b"abc\xc3", False, False),
        (b"abc\xc3", True, False),
        ("Grüße aus Köln".encode("latin-1"), True, False),
        (bytes(range(1, 256)), True, True),
    ],
)
def test_text_in_any_encoding_is_no_binary(sample: bytes, whole: bool, binary: bool) -> None:
    assert is_binary(sample, whole=whole) is binary


_names = st.text("ab.c", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_patterns = st.lists(
    st.sampled_from(["a", "b", ".", "c", "*", "?", "/", "**", "!", "\\", "[ab]", " "]), min_size=1, max_size=6
)


@pytest.fixture(scope="module")
def plain_git(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    subprocess.run(["git", "init", "-q", folder], check=True, env=environment())
    return folder


def test_ignoring_agrees_with_git(plain_git: Path) -> None:
    @given(
        st.lists(_patterns.map("".join), min_size=1, max_size=4),
        st.lists(_paths, min_size=1, max_size=5, unique=True),
    )
    def agrees(patterns: list[str], paths: list[str]) -> None:
        text = "\n".join(patterns).encode() + b"\n"
        (plain_git / ".gitignore").write_bytes(text)
        asked = "\0".join(paths) + "\0"
        done = subprocess.run(
            ["git", "-C", plain_git, "check-ignore", "--no-index", "-z", "--stdin"],
            input=asked.encode(), capture_output=True, env=environment(), check=False,
        )  # fmt: skip
        ignored = {path for path in done.stdout.decode().split("\0") if path}
        rules = IgnoreRules(text)
        assert {path for path in paths if rules.ignores(path)} == ignored, (patterns, paths)

    agrees()


def test_large_file_that_no_rule_names_gets_one(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x" * 100)
    paths = ["notes.txt", "a dir/we[i]rd*.txt", 'quo"te.txt', "sub/notes.txt"]
    made = create_commit(ann, repo, "main", body(HEADER, *[large(path, oid, 100) for path in paths]))
    rules = attributes.rules_of(content(repo, made.oid, ".gitattributes"))
    assert all(rules.is_lfs(path) for path in paths)
    assert not rules.is_lfs("other.txt")
    assert not rules.is_lfs("deeper/notes.txt")
    again = create_commit(ann, repo, "main", body(HEADER, large("more.bin", oid, 100)))
    assert content(repo, again.oid, ".gitattributes") == content(repo, made.oid, ".gitattributes")


def test_many_large_files_of_a_kind_get_one_rule(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x")
    made = create_commit(ann, repo, "main", body(HEADER, *[large(f"d/{n}.foo", oid, 1) for n in range(20)]))
    assert content(repo, made.oid, ".gitattributes").count(b".foo ") == 1


def test_rules_of_the_same_commit_count(ann: Actor, repo: RepoRow) -> None:
    oid = upload(ann, repo, b"x")
    own = b"*.foo filter=lfs diff=lfs merge=lfs -text\n"
    made = create_commit(ann, repo, "main", body(HEADER, file(".gitattributes", own), large("a.foo", oid, 1)))
    assert content(repo, made.oid, ".gitattributes") == own


def test_written_rules_mean_the_path_to_git_itself(plain_git: Path) -> None:
    @given(
        st.text("ab *?[]\\\"'#!.-é", min_size=1, max_size=8).filter(
            lambda name: name not in (".", "..") and "\\" not in name
        )
    )
    def means(name: str) -> None:
        line = (
            "\n".join(f"{pattern} filter=lfs" for pattern in tracking._patterns([name, f"d/{name}"])) + "\n"
        )
        (plain_git / ".gitattributes").write_text(line)
        done = subprocess.run(
            ["git", "-C", plain_git, "check-attr", "-z", "--stdin", "filter"],
            input=f"{name}\0d/{name}\0".encode(), capture_output=True, env=environment(), check=True,
        )  # fmt: skip
        assert done.stdout.decode().split("\0")[2::3] == ["lfs", "lfs"], line

    means()
