from __future__ import annotations

import os
import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from hutch.core.errors import EntryNotFound, RevisionNotFound
from hutch.git import blame, check, commits, diffs, history, pointers, process, refs, repository, trees
from hutch.git.commits import Delete, Put, Signature
from hutch.git.diffs import Limits
from hutch.git.errors import BlobTooLarge
from hutch.git.last_commits import last_commits
from tests.git.conftest import WHO, Committer, Git

PATHS = ["a", "b", "d/x", "d/y", "d/e/z", "f/1", "f/2"]


def _tangle(bare: Path, seed: int, length: int = 40) -> str:
    """A history with branches and merges; returns its head."""
    chance = random.Random(seed)
    repo = repository.open(bare)
    made: list[str] = []
    for number in range(length):
        parents = made[-1:]
        if len(made) > 4:
            parents = [chance.choice(made[-4:])]
            if chance.random() < 0.4:
                parents = list(dict.fromkeys([*parents, chance.choice(made[-4:])]))
        changes: list[commits.Change] = []
        for path in chance.sample(PATHS, chance.choice([0, 1, 1, 2])):
            present = parents and path in trees.find_files(repo, parents[0], [path])
            remove = present and chance.random() < 0.2
            changes.append(Delete(path) if remove else Put(path, b"%d" % chance.randrange(4)))
        tree = commits.build_tree(repo, parents[0] if parents else None, changes)
        who = Signature(
            "Ada", "ada@example.org", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)
        )
        made.append(commits.commit(repo, tree, parents, f"commit {number}\n\nbody {number}", who))
    refs.update(bare, [refs.RefUpdate("refs/heads/main", None, made[-1])])
    return made[-1]


@pytest.mark.parametrize("seed", range(6))
def test_last_commits_are_those_of_git_log(bare: Path, git: Git, seed: int) -> None:
    head = _tangle(bare, seed)
    repo = repository.open(bare)
    paths = [entry.path for entry in trees.list_entries(repo, head, recursive=True)]
    found = last_commits(repo, head, [*paths, "missing"])
    expected = {
        path: git(bare, "log", "-1", "--format=%H", head, "--", path).decode().strip() for path in paths
    }
    assert {path: commit.id for path, commit in found.items()} == expected


def test_last_commits_stop_at_their_budget(bare: Path, put: Committer) -> None:
    put(Put("old", b"1"))
    for number in range(10):
        head = put(Put("new", b"%d" % number))
    found = last_commits(repository.open(bare), head, ["old", "new"], max_commits=3)
    assert found.keys() == {"new"}
    assert found["new"].id == head


@pytest.mark.parametrize("seed", range(2))
def test_log_and_count_are_gits(bare: Path, git: Git, seed: int) -> None:
    head = _tangle(bare, seed)
    repo = repository.open(bare)
    expected = git(bare, "log", "--format=%H", head).decode().split()
    assert [commit.id for commit in history.log(repo, head, limit=None)] == expected
    assert [commit.id for commit in history.log(repo, head, skip=3, limit=5)] == expected[3:8]
    assert history.count(repo, head) == len(expected)
    for path in ("a", "d", "d/e/z", "nope"):
        touched = git(bare, "log", "--format=%H", head, "--", path).decode().split()
        assert [commit.id for commit in history.log(repo, head, path, limit=None)] == touched
        assert [commit.id for commit in history.log(repo, head, path, skip=1, limit=2)] == touched[1:3]
        assert history.count(repo, head, path) == len(touched)


def test_a_path_is_no_pathspec(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))
    head = put(Put("[a]*", b"2"))
    repo = repository.open(bare)
    assert [commit.id for commit in history.log(repo, head, "[a]*")] == [head]
    assert history.log(repo, head, ":(glob)*") == []
    assert history.log(repo, head, "--all") == []


def test_commits_are_told_in_full(bare: Path, git: Git) -> None:
    head = _tangle(bare, 1, 3)
    commit = history.log(repository.open(bare), head)[0]
    assert (commit.title, commit.message, commit.author_name) == ("commit 2", "body 2", "Ada")
    assert commit.author_email == "ada@example.org"
    assert commit.date == commit.authored_date == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    assert commit.parents == [history.log(repository.open(bare), head)[1].id]


def test_commits_with_broken_headers_are_still_told(bare: Path, put: Committer, git: Git) -> None:
    tree = trees.tree_of(repository.open(bare), put(Put("a", b"1")))
    raw = (
        f"tree {tree}\nauthor ".encode()
        + b"J\xfcrgen <j\xfc> 99999999999999 +9999\ncommitter x <> 0 -0001\nencoding no-such\n\n\n\n"
    )
    oid = git(bare, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=raw).decode().strip()
    commit = history.read_commit(repository.open(bare), oid)
    assert commit.author_name.startswith("J")
    assert (commit.title, commit.message) == ("", "")


@pytest.mark.parametrize("seed", range(2))
def test_ancestry_is_gits(bare: Path, git: Git, seed: int) -> None:
    head = _tangle(bare, seed)
    repo = repository.open(bare)
    ids = git(bare, "rev-list", head).decode().split()
    for other in ids[:: max(1, len(ids) // 4)]:
        third = ids[len(ids) // 2]
        assert history.is_ancestor(repo, other, head)
        base = git(bare, "merge-base", "--all", other, third).decode().split()
        assert history.merge_base(repo, other, third) in base
        between = git(bare, "rev-list", f"{third}..{other}").decode().split()
        assert [commit.id for commit in history.between(repo, third, other)] == between
        assert history.ahead_behind(repo, other, third)[0] == len(between)
    assert history.is_ancestor(repo, head, head)
    assert not history.is_ancestor(repo, head, ids[-1])


def test_histories_that_never_met_have_no_merge_base(bare: Path, put: Committer) -> None:
    one = put(Put("a", b"1"))
    repo = repository.open(bare)
    other = commits.commit(repo, trees.tree_of(repo, one), [], "alone", WHO)
    assert history.merge_base(repo, one, other) is None
    compared = diffs.compare(repo, one, other)
    assert (compared.merge_base, [commit.id for commit in compared.ahead]) == (None, [other])
    assert [file.path for file in compared.diff.files] == ["a"]


def test_blame_covers_each_line_with_the_commit_that_wrote_it(bare: Path, put: Committer, git: Git) -> None:
    put(Put("f", b"one\ntwo\nthree\n"))
    put(Put("f", b"one\n2\nthree\nfour\n"), message="second")
    head = put(Put("f", b"zero\none\n2\nthree\nfour\n\tauthor x\n"), message="third")
    hunks = blame.blame(repository.open(bare), head, "f")
    lines = [hunk.commit.id for hunk in hunks for _ in range(hunk.lines)]
    printed = git(bare, "blame", "-ls", "--root", head, "--", "f").decode().splitlines()
    assert lines == [line.split()[0] for line in printed]
    assert [hunk.start for hunk in hunks] == [1 + sum(h.lines for h in hunks[:i]) for i in range(len(hunks))]


def test_blame_of_what_is_no_file_or_too_large_is_refused(bare: Path, put: Committer) -> None:
    head = put(Put("d/f", b"x"), Put("big", b"x\n" * (blame.MAX_BLAME_BYTES // 2 + 1)), Put("empty", b""))
    repo = repository.open(bare)
    for path in ("d", "nope"):
        with pytest.raises(EntryNotFound):
            blame.blame(repo, head, path)
    with pytest.raises(BlobTooLarge):
        blame.blame(repo, head, "big")
    with pytest.raises(RevisionNotFound):
        blame.blame(repo, "--contents", "d/f")
    assert blame.blame(repo, head, "empty") == []


LONG = b"".join(b"line %d\n" % number for number in range(40))


def test_diff_tells_what_became_of_each_file(bare: Path, put: Committer) -> None:
    old = put(
        Put("gone", b"bye\n"),
        Put("stays", b"1\n"),
        Put("before", LONG),
        Put("text", LONG),
        Put("bin", b"\0\1"),
    )
    new = put(
        Delete("gone"),
        Delete("before"),
        Put("after", LONG.replace(b"line 7\n", b"line seven\n")),
        Put("text", LONG.replace(b"line 20\n", b"line twenty\nand more\n")),
        Put("bin", b"\0\2"),
        Put("new", b"hello"),
    )
    found = {file.path: file for file in diffs.diff(repository.open(bare), old, new).files}
    assert {path: file.status for path, file in found.items()} == {
        "after": "renamed",
        "bin": "modified",
        "gone": "deleted",
        "new": "added",
        "text": "modified",
    }
    assert found["after"].old_path == "before"
    assert found["bin"].binary
    assert found["gone"].new_path is None
    assert found["new"].old_oid is None
    text = found["text"]
    assert (text.additions, text.deletions, text.truncated, text.binary) == (2, 1, False, False)
    (hunk,) = text.hunks
    changed = [
        (line.origin, line.old_number, line.new_number, line.text)
        for line in hunk.lines
        if line.origin != " "
    ]
    assert changed == [
        ("-", 21, None, "line 20"),
        ("+", None, 21, "line twenty"),
        ("+", None, 22, "and more"),
    ]
    assert hunk.header.startswith("@@ -18,7 +18,8 @@")


@pytest.mark.parametrize("seed", range(2))
def test_diffs_count_the_lines_that_git_counts(bare: Path, git: Git, seed: int) -> None:
    head = _tangle(bare, seed)
    repo = repository.open(bare)
    ids = git(bare, "rev-list", head).decode().split()
    for old in ids[1 :: max(1, len(ids) // 4)]:
        counted = git(bare, "diff-tree", "-r", "--no-renames", "--numstat", old, head).decode().splitlines()
        expected = {line.split("\t")[2]: tuple(map(int, line.split("\t")[:2])) for line in counted}
        files = diffs.diff(repo, old, head).files
        if not any(file.status == "renamed" for file in files):
            assert {file.path: (file.additions, file.deletions) for file in files} == expected


def test_the_first_commit_is_all_additions(bare: Path, put: Committer) -> None:
    head = put(Put("a", b"1\n2\n"), Put("d/b", b""))
    repo = repository.open(bare)
    files = diffs.diff_of_commit(repo, head).files
    assert [(file.path, file.status, file.additions) for file in files] == [
        ("a", "added", 2),
        ("d/b", "added", 0),
    ]
    assert b"+1\n+2\n" in b"".join(diffs.raw_diff(repo, None, head))


def test_a_large_object_that_changes_shows_both_pointers(bare: Path, put: Committer) -> None:
    one, two = pointers.Pointer("a" * 64, 1000), pointers.Pointer("b" * 64, 2000)
    old = put(Put("m.bin", pointers.render(one)))
    new = put(Put("m.bin", pointers.render(two)))
    (file,) = diffs.diff(repository.open(bare), old, new).files
    assert (file.old_pointer, file.new_pointer) == (one, two)


def test_limits_cut_a_diff_and_say_so(bare: Path, put: Committer) -> None:
    head = put(*(Put(f"{number}", b"x\n" * 30) for number in range(10)), Put("big", b"y\n" * 1000))
    repo = repository.open(bare)
    cut = diffs.diff(repo, None, head, limits=Limits(files=5))
    assert (len(cut.files), cut.total_files, cut.truncated) == (5, 11, True)
    cut = diffs.diff(repo, None, head, limits=Limits(files_with_lines=2))
    assert [bool(file.hunks) for file in cut.files] == [True] * 2 + [False] * 9
    assert all(file.truncated for file in cut.files[2:])
    cut = diffs.diff(repo, None, head, limits=Limits(lines=70))
    assert sum(len(hunk.lines) for file in cut.files for hunk in file.hunks) == 70
    cut = diffs.diff(repo, None, head, limits=Limits(file_bytes=500))
    assert [file.path for file in cut.files if file.truncated] == ["big"]
    assert not diffs.diff(repo, None, head).truncated


def test_raw_diff_applies(bare: Path, put: Committer, git: Git, tmp_path: Path) -> None:
    old = put(Put("a", LONG), Put("b", b"1\n"))
    new = put(Put("a", LONG.replace(b"line 3\n", b"3\n")), Delete("b"), Put("c/d", b"new\n"))
    text = b"".join(diffs.raw_diff(repository.open(bare), old, new))
    git(tmp_path, "clone", "-q", str(bare), "work")
    git(tmp_path / "work", "checkout", "-q", old)
    git(tmp_path / "work", "apply", "--index", stdin=text)
    assert git(tmp_path / "work", "write-tree").decode().strip() == trees.tree_of(repository.open(bare), new)


def test_a_raw_diff_left_early_ends_its_child(bare: Path, put: Committer) -> None:
    head = put(Put("big", os.urandom(3_000_000).hex().encode()))
    pieces = diffs.raw_diff(repository.open(bare), None, head)
    assert next(pieces)
    pieces.close()
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, check=True, timeout=30).stdout
    assert str(bare).encode() not in running


def test_process_of_a_missing_repository_fails_with_gits_words(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="not a git repository"):
        process.run(tmp_path, ["rev-list", "--all"])
    assert check.fsck(tmp_path)[0].kind == "repository"
