"""What a commit request may not say, and how that is told."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from hutch.cas import service as cas
from hutch.core.errors import (
    HutchError,
)
from hutch.core.permissions import Actor
from hutch.git import repository
from hutch.git.errors import PathCollision
from hutch.git.refs import read_ref
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import InvalidCommit, QuotaExceeded
from hutch.repos.lookup import RepoRow
from hutch.repos.models import RefIntent, Repo
from tests.repos.commit_body import (
    HEADER,
    body,
    deleted,
    file,
    header,
    large,
    raw,
    upload,
)

Make = Callable[..., RepoRow]


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


def head(repo: RepoRow, ref: str = "refs/heads/main") -> str | None:
    return read_ref(repository.open(repo.path), ref)


@pytest.mark.parametrize(
    ("lines", "line", "field"),
    [
        ((), 1, "header"),
        ((file("x"),), 1, "key"),
        ((b"{\n",), 1, "line"),
        ((b"[1]\n",), 1, "key"),
        ((b"\xff\xfe\n",), 1, "line"),
        ((b"[" * 100_000 + b"\n",), 1, "line"),
        ((header(""),), 1, "summary"),
        ((header(5),), 1, "summary"),
        ((header("x" * 10_001),), 1, "summary"),
        ((header(parentCommit="abc"),), 1, "parentCommit"),
        ((header(colour="red"),), 1, "colour"),
        ((HEADER, {"key": "wish", "value": {}}), 2, "key"),
        ((HEADER, {"key": "file", "value": []}), 2, "value"),
        ((HEADER, {"key": "file", "value": {}, "more": 1}), 2, "more"),
        ((HEADER, {"key": "file", "value": {"path": "x"}}), 2, "content"),
        (
            (HEADER, {"key": "file", "value": {"path": "x", "content": "a", "encoding": "base64"}}),
            2,
            "content",
        ),
        (
            (HEADER, {"key": "file", "value": {"path": "x", "content": "YQ==\n", "encoding": "base64"}}),
            2,
            "content",
        ),
        (
            (HEADER, {"key": "file", "value": {"path": "x", "content": "a", "encoding": "rot13"}}),
            2,
            "encoding",
        ),
        ((HEADER, {"key": "file", "value": {"path": "x", "content": "a", "mode": 1}}), 2, "mode"),
        ((HEADER, large("x.bin", "12")), 2, "oid"),
        ((HEADER, {"key": "lfsFile", "value": {"path": "x", "oid": "0" * 64, "algo": "md5"}}), 2, "algo"),
        ((HEADER, large("x.bin", "0" * 64, -1)), 2, "size"),
        ((HEADER, file("x"), b"\n", file("x")), 4, "path"),
        ((HEADER, deleted("a//b", folder=True)), 2, "path"),
    ],
)
def test_malformed_line_is_named(
    ann: Actor, repo: RepoRow, lines: tuple[Any, ...], line: int, field: str
) -> None:
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(*lines))
    assert (refused.value.line, refused.value.field, refused.value.status) == (line, field, 400)
    assert head(repo) == repo.head_oid


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "/x",
        "a/../x",
        "a\\b",
        "a\0b",
        ".git/config",
        "a/.GIT/x",
        "x" * 300,
        "a//b",
        "a/",
        "",
        ".",
        "\ud800",
    ],
)
def test_bad_path_is_refused(ann: Actor, repo: RepoRow, path: str) -> None:
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(HEADER, file(path)))
    assert (refused.value.line, refused.value.field) == (2, "path")


@pytest.mark.parametrize(
    ("one", "other"), [("Readme", "README"), ("\u00e9.txt", "e\u0301.txt"), ("A/x", "a/y")]
)
def test_paths_that_no_checkout_can_hold_together_are_refused(
    ann: Actor, repo: RepoRow, one: str, other: str
) -> None:
    create_commit(ann, repo, "main", body(HEADER, file(one)))
    with pytest.raises(PathCollision) as refused:
        create_commit(ann, repo, "main", body(HEADER, file(other)))
    assert refused.value.message.startswith("line 2")


def test_file_above_the_limit_is_refused_with_the_limit(
    ann: Actor, repo: RepoRow, configure: Callable[..., None]
) -> None:
    configure(regular_file_bytes=1000)
    create_commit(ann, repo, "main", body(HEADER, file("x", b"a" * 999)))
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(HEADER, file("y", b"a" * 1000)))
    assert refused.value.limit == 1000
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(HEADER, file("y", b"a" * 200_000)))
    assert refused.value.field == "line"


def test_file_that_belongs_to_lfs_is_refused_unless_empty(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(InvalidCommit) as refused:
        create_commit(ann, repo, "main", body(HEADER, file("w.safetensors", b"abc")))
    assert ".gitattributes" in refused.value.message
    create_commit(ann, repo, "main", body(HEADER, file("w.safetensors", b"")))


def test_quota_counts_large_objects_and_small_files(
    ann: Actor, repo: RepoRow, configure: Callable[..., None]
) -> None:
    used = Repo.objects.get(pk=repo.id).git_bytes
    oid = upload(ann, repo, b"x" * 50_000)
    configure(namespace_quota_bytes=used + 20_000)
    for lines in ([large("w.bin", oid, 50_000)], [file("big.txt", b"y" * 30_000)]):
        with pytest.raises(QuotaExceeded):
            create_commit(ann, repo, "main", body(HEADER, *lines))
    assert head(repo) == repo.head_oid
    assert cas.object_of(repo.id, oid) is None
    assert not RefIntent.objects.exists()
    create_commit(ann, repo, "main", body(HEADER, file("small.txt", b"y")))


def test_refused_commit_names_line_field_value_and_limit(
    ann: Actor, repo: RepoRow, api: Callable[..., Any]
) -> None:
    answer = api(
        "POST",
        "/api/models/ann/bert/commit/main",
        raw(HEADER, file("../x")),
        actor=ann,
        content_type="application/x-ndjson",
    )
    assert (answer.status, answer.code) == (400, "BadRequest")
    assert {**answer.json, "error": ""} == {
        "error": "",
        "code": "BadRequest",
        "field": "path",
        "value": "../x",
        "line": 2,
    }


def test_refusal_is_a_hutch_error_with_a_status(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(HutchError) as refused:
        create_commit(
            ann, repo, "main", body(HEADER, large("x.bin", hashlib.sha256(b"never sent").hexdigest(), 10))
        )
    assert (refused.value.status, refused.value.code) == (400, "MissingObjects")
