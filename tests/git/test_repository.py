from __future__ import annotations

import os
from pathlib import Path

import pytest

from hutch.core.errors import NotFound
from hutch.git import repository
from hutch.git.commits import Put
from hutch.git.errors import InvalidRefName
from tests.git.conftest import Committer, Git


def test_a_new_repository_is_what_git_calls_one(bare: Path, git: Git) -> None:
    assert git(bare, "rev-parse", "--is-bare-repository") == b"true\n"
    assert git(bare, "symbolic-ref", "HEAD") == b"refs/heads/main\n"
    git(bare, "fsck", "--strict")


def test_a_new_repository_has_few_files(bare: Path) -> None:
    assert sorted(os.listdir(bare)) == ["HEAD", "config", "objects", "refs"]
    assert os.listdir(bare.parent) == ["repo.git"]


def test_a_repository_is_not_made_twice(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))
    with pytest.raises(FileExistsError):
        repository.create(bare)
    assert os.listdir(bare.parent) == ["repo.git"]
    assert not repository.open(bare).is_empty


def test_opening_never_searches_the_folders_above(bare: Path) -> None:
    (bare / "inner").mkdir()
    for path in (bare / "inner", bare / "missing", bare / "refs"):
        with pytest.raises(NotFound):
            repository.open(path)


def test_a_repository_of_another_owner_opens(bare: Path, put: Committer, git: Git) -> None:
    commit = put(Put("a", b"1"))
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for folder, folders, files in os.walk(bare):
        for name in [*folders, *files, "."]:
            os.chown(os.path.join(folder, name), 12345, 12345)
    assert commit in repository.open(bare)
    assert git(bare, "rev-parse", "main").decode().strip() == commit


def test_the_default_branch_can_be_changed_before_it_exists(bare: Path, git: Git) -> None:
    repository.set_default_branch(bare, "trunk")
    assert repository.default_branch(repository.open(bare)) == "trunk"
    assert git(bare, "symbolic-ref", "HEAD") == b"refs/heads/trunk\n"
    with pytest.raises(InvalidRefName):
        repository.set_default_branch(bare, "../../x")


def test_size_grows_by_what_is_stored(bare: Path, put: Committer) -> None:
    before = repository.size_bytes(bare)
    put(Put("a", os.urandom(100_000)))
    assert 100_000 < repository.size_bytes(bare) - before < 110_000


def test_a_repository_opened_empty_sees_the_packs_that_come_later(bare: Path, put: Committer) -> None:
    early = repository.open(bare)
    commit = put(*(Put(f"{number}", b"%d" % number) for number in range(100)))
    assert list((bare / "objects" / "pack").glob("*.pack"))
    assert commit in early
