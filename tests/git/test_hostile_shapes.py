"""Paths, trees and patterns whose shape alone would hold a thread, or overflow a stack."""

from __future__ import annotations

from pathlib import Path

import pygit2
import pytest
from pygit2.enums import FileMode

from hutch.git import attributes, repository, trees, wildmatch
from hutch.git.commits import Copy, Put, Signature, build_tree, commit
from hutch.git.errors import InvalidPath, PatternsTooCostly
from hutch.git.paths import MAX_COMPONENTS, check_path

HOSTILE = (b"**/" * 200 + b"x" + b"*a" * 100 + b" filter=lfs\n") * 300


@pytest.fixture
def repo(tmp_path: Path) -> pygit2.Repository:
    repository.create(tmp_path / "r.git")
    return repository.open(tmp_path / "r.git")


def nested(repo: pygit2.Repository, depth: int) -> str:
    """A tree with a file below so many folders."""
    builder = repo.TreeBuilder()
    builder.insert("f", repo.create_blob(b"x"), FileMode.BLOB)
    tree = builder.write()
    for _ in range(depth):
        builder = repo.TreeBuilder()
        builder.insert("a", tree, FileMode.TREE)
        tree = builder.write()
    return str(tree)


def test_path_of_very_many_parts_is_refused() -> None:
    assert check_path("/".join(["a"] * MAX_COMPONENTS))
    with pytest.raises(InvalidPath) as refused:
        check_path("/".join(["a"] * (MAX_COMPONENTS + 1)))
    assert (refused.value.field, refused.value.limit) == ("path", MAX_COMPONENTS)


def test_folders_may_lie_as_deep_as_a_path_may_name(repo: pygit2.Repository) -> None:
    trees.check_depth(repo, [nested(repo, MAX_COMPONENTS - 1)])
    for depth, above in ((MAX_COMPONENTS, 0), (MAX_COMPONENTS - 1, 1), (400, 0)):
        with pytest.raises(InvalidPath):
            trees.check_depth(repo, [nested(repo, depth)], above=above)


def test_copy_of_a_folder_into_itself_cannot_be_repeated_without_end(repo: pygit2.Repository) -> None:
    from hutch.core import clock

    who, path = Signature("a", "a@example.org", clock.now()), "/".join(["a"] * 40)
    head = commit(repo, build_tree(repo, None, [Put(f"{path}/f", b"x")]), [], "one", who)
    head = commit(repo, build_tree(repo, head, [Copy(head, "a", f"b/{path}")]), [head], "two", who)
    with pytest.raises(InvalidPath):
        build_tree(repo, head, [Copy(head, "b", f"c/{path}/x/y/z/{path}")])


def test_walk_of_a_tree_from_before_the_limit_ends_with_a_clear_error(repo: pygit2.Repository) -> None:
    who = pygit2.Signature("a", "a@example.org")
    made = repo.create_commit("refs/heads/main", who, who, "deep", pygit2.Oid(hex=nested(repo, 400)), [])
    with pytest.raises(InvalidPath):
        list(trees.walk(repo, str(made)))


def test_hostile_patterns_are_given_up_after_a_number_of_steps() -> None:
    rules = attributes.rules_of(HOSTILE)
    with pytest.raises(PatternsTooCostly), wildmatch.bounded(100_000):
        for number in range(1000):
            rules.is_lfs("a" * 200 + str(number))


def test_lines_of_a_new_repository_cost_next_to_nothing() -> None:
    rules = attributes.rules_of(attributes.DEFAULT_GITATTRIBUTES.encode())
    with wildmatch.bounded(wildmatch.REQUEST_STEPS // 10):
        assert [rules.is_lfs(f"data/part-{number:05}.parquet") for number in range(1000)] == [True] * 1000


def test_bound_ends_with_its_block() -> None:
    rules = attributes.rules_of(b"*a*b*c filter=lfs\n")
    with pytest.raises(PatternsTooCostly), wildmatch.bounded(1):
        rules.is_lfs("abc")
    assert rules.is_lfs("abc")
    with wildmatch.bounded(1):
        wildmatch.allow(10_000)
        assert rules.is_lfs("abc")
