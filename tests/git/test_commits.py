from __future__ import annotations

import io
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hutch.core.errors import BadRequest, EntryNotFound
from hutch.git import check, commits, object_batch, refs, repository, trees
from hutch.git.commits import Copy, Delete, DeleteFolder, ObjectBatch, Put, Signature
from hutch.git.errors import InvalidPath, PathCollision
from tests.git.conftest import WHO, Committer, Git


def _files(bare: Path, commit: str) -> dict[str, bytes]:
    repo = repository.open(bare)
    found = trees.list_entries(repo, commit, recursive=True)
    return {entry.path: trees.read_blob(repo, entry.oid, 10**9) for entry in found if entry.kind == "file"}


def test_changes_apply_in_their_order(bare: Path, put: Committer, git: Git) -> None:
    first = put(Put("a", b"1"), Put("d/x", b"2"), Put("d/e/y", b"3"), Put("keep/z", b"4"))
    second = put(
        Put("a", b"changed"),
        Delete("d/x"),
        Put("new/deep/file", b"5"),
        Copy(first, "a", "copied/old-a"),
        Copy(first, "d", "whole"),
        DeleteFolder("keep/"),
        Put("keep/again", b"6"),
    )
    assert _files(bare, second) == {
        "a": b"changed",
        "copied/old-a": b"1",
        "d/e/y": b"3",
        "keep/again": b"6",
        "new/deep/file": b"5",
        "whole/e/y": b"3",
        "whole/x": b"2",
    }
    git(bare, "fsck", "--strict", "--full")


def test_emptied_folders_vanish(bare: Path, put: Committer) -> None:
    put(Put("a/b/c/d", b"1"), Put("a/b/x", b"2"))
    assert _files(bare, put(Delete("a/b/c/d"))).keys() == {"a/b/x"}
    last = put(Delete("a/b/x"))
    assert trees.list_entries(repository.open(bare), last, recursive=True) == []
    assert check.fsck(bare) == []


def test_everything_can_be_deleted_and_put_anew(bare: Path, put: Committer) -> None:
    put(Put("a/b", b"1"), Put("c", b"2"))
    assert _files(bare, put(DeleteFolder("/"), Put("d", b"3"))) == {"d": b"3"}


_name = st.sampled_from(["a", "b", "c", "d.x"])
_path = st.lists(_name, min_size=1, max_size=3).map("/".join)
Step = tuple[str, str, bytes | None]
_step = st.one_of(
    st.tuples(st.just("put"), _path, st.binary(max_size=3)),
    st.tuples(st.just("delete"), _path, st.none()),
    st.tuples(st.just("folder"), _path, st.none()),
)


def _model(files: dict[str, bytes], step: tuple[str, str, bytes | None]) -> dict[str, bytes] | None:
    """What a plain dictionary of paths would do; None where the step must be refused."""
    kind, path, data = step
    below = {name for name in files if name.startswith(path + "/")}
    if kind == "put":
        parents = {path.rsplit("/", depth)[0] for depth in range(1, path.count("/") + 1)}
        if below or parents & files.keys():
            return None
        return {**files, path: data or b""}
    gone = below if kind == "folder" else {path} & files.keys()
    return {name: content for name, content in files.items() if name not in gone} if gone else None


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(_step, min_size=1, max_size=6), min_size=1, max_size=4))
def test_any_changes_leave_what_a_dictionary_would(bare: Path, batches: list[list[Step]]) -> None:
    repo = repository.open(bare)
    files: dict[str, bytes] = {}
    base: str | None = None
    for steps in batches:
        changes: list[commits.Change] = []
        for step in steps:
            kind, path, data = step
            change = {"put": Put(path, data or b""), "delete": Delete(path), "folder": DeleteFolder(path)}[
                kind
            ]
            after = _model(files, step)
            if after is None:
                with pytest.raises((InvalidPath, EntryNotFound)):
                    commits.build_tree(repo, base, [*changes, change])
            else:
                files = after
                changes.append(change)
        base = commits.commit(
            repo, commits.build_tree(repo, base, changes), [base] if base else [], "step", WHO
        )
        assert _files(bare, base) == files


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Put("d", b""), InvalidPath),
        (Put("a/x", b""), InvalidPath),
        (Put("a/x/y", b""), InvalidPath),
        (Put("../a", b""), InvalidPath),
        (Put(".git/config", b""), InvalidPath),
        (Put("A", b""), PathCollision),
        (Put("D/new", b""), PathCollision),
        (Put("d/X", b""), PathCollision),
        (Put("e\u0301", b""), PathCollision),
        (Put("x", "0" * 40), EntryNotFound),
        (Put("x", "zz"), EntryNotFound),
        (Put("x", b"", mode=0o100600), BadRequest),
        (Put("x", b"", mode=0o040000), BadRequest),
        (Delete("nope"), EntryNotFound),
        (Delete("d"), EntryNotFound),
        (Delete("a/b"), EntryNotFound),
        (DeleteFolder("a"), EntryNotFound),
        (DeleteFolder("nope/x"), EntryNotFound),
    ],
)
def test_impossible_change_is_refused_and_stores_nothing(
    bare: Path, put: Committer, change: commits.Change, error: type
) -> None:
    base = put(Put("a", b"1"), Put("d/x", b"2"), Put("é", b"3"))
    repo = repository.open(bare)
    before = sorted(bare.rglob("*"))
    with pytest.raises(error):
        commits.build_tree(repo, base, [Put("other", b"unstored"), change])
    assert sorted(bare.rglob("*")) == before


def test_collision_names_both_paths(bare: Path, put: Committer) -> None:
    base = put(Put("docs/Readme.md", b"1"))
    with pytest.raises(PathCollision) as refused:
        commits.build_tree(repository.open(bare), base, [Put("docs/README.md", b"2")])
    assert "docs/README.md" in refused.value.message
    assert "docs/Readme.md" in refused.value.message
    # After a delete the name is free again.
    assert put(Delete("docs/Readme.md"), Put("docs/README.md", b"2"))


def test_copies_of_missing_things_and_of_unknown_commits_are_not_found(bare: Path, put: Committer) -> None:
    base = put(Put("a", b"1"))
    repo = repository.open(bare)
    with pytest.raises(EntryNotFound):
        commits.build_tree(repo, base, [Copy(base, "nope", "x")])
    with pytest.raises(BadRequest):
        commits.build_tree(repo, base, [Copy(base, "a", "../x")])


@pytest.mark.parametrize("count", [1, object_batch.MAX_LOOSE_OBJECTS, 300])
def test_few_objects_stay_loose_and_many_become_one_pack(
    bare: Path, put: Committer, git: Git, count: int
) -> None:
    files = {f"f{number % 7}/{number}.txt": os.urandom(50) for number in range(count)}
    commit = put(*(Put(path, data) for path, data in files.items()))
    assert _files(bare, commit) == files
    packs = list((bare / "objects" / "pack").glob("*.pack"))
    assert len(packs) == (1 if count + 7 > object_batch.MAX_LOOSE_OBJECTS else 0) or count == 1
    for pack in packs:
        git(bare, "verify-pack", str(pack))
    git(bare, "fsck", "--strict", "--full")
    assert not list((bare / "objects").rglob("tmp_*"))


def test_a_batch_spills_large_content_and_shares_what_is_there(bare: Path, put: Committer, git: Git) -> None:
    base = put(Put("a", b"shared"))
    repo = repository.open(bare)
    large = [os.urandom(3 << 20) for _ in range(4)]
    with ObjectBatch(repo) as batch:
        oids = [batch.add_blob(data) for data in [*large, *large, b"shared"]]
        tree = commits.build_tree(repo, base, [Put(f"x{i}", oid) for i, oid in enumerate(oids)], batch=batch)
        commit = commits.commit(repo, tree, [base], "batch", WHO, batch=batch)
        assert commit not in repository.open(bare)
        batch.store()
    refs.update(bare, [refs.RefUpdate("refs/heads/main", base, commit)])
    assert _files(bare, commit)["x3"] == large[3]
    assert _files(bare, commit)["x8"] == b"shared"
    git(bare, "fsck", "--strict", "--full")


def test_a_batch_that_is_left_stores_nothing(bare: Path) -> None:
    repo = repository.open(bare)
    with ObjectBatch(repo) as batch:
        oids = [batch.add_blob(b"%d" % number) for number in range(100)]
    assert not any(oid in repository.open(bare) for oid in oids)
    assert [path for path in (bare / "objects").rglob("*") if path.is_file()] == []


def test_written_blobs_have_gits_own_ids(bare: Path, git: Git) -> None:
    repo = repository.open(bare)
    for data in (b"", b"text\n", b"crlf\r\n", os.urandom(100_000)):
        expected = git(bare, "hash-object", "--stdin", stdin=data).decode().strip()
        assert commits.write_blob(repo, data) == expected
        assert commits.write_blob(repo, io.BytesIO(data)) == expected


def test_commits_say_who_and_when_as_git_reads_it(bare: Path, put: Committer, git: Git) -> None:
    base = put(Put("a", b"1"))
    repo = repository.open(bare)
    author = Signature(
        "Grace <Hopper>\nx",
        "grace@example.org>",
        datetime(2025, 5, 6, 7, 8, 9, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    )
    committer = Signature("", "", datetime(2026, 1, 1, tzinfo=UTC))
    commit = commits.commit(repo, trees.tree_of(repo, base), [base], "Title ü\r\n\r\nBody", author, committer)
    shown = git(bare, "log", "-1", "--format=%an|%ae|%aI|%cn|%ce|%cI|%s|%b|%P", commit).decode().strip()
    written = "Grace Hopperx|grace@example.org|2025-05-06T07:08:09-03:30"
    assert shown == f"{written}|unknown||2026-01-01T00:00:00+00:00|Title ü|Body\n|{base}"
    git(bare, "fsck", "--strict")


def test_squash_keeps_the_tree_and_drops_the_history(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))
    last = put(Put("b", b"2"))
    repo = repository.open(bare)
    squashed = commits.squash(repo, last, "all in one", WHO)
    assert _files(bare, squashed) == {"a": b"1", "b": b"2"}
    assert list(repo[squashed].parent_ids) == []


def test_a_commit_touches_only_the_trees_on_its_way(bare: Path, put: Committer) -> None:
    base = put(*(Put(f"f{number:03d}/x", b"%d" % number) for number in range(200)))
    repo = repository.open(bare)
    with ObjectBatch(repo) as batch:
        commits.build_tree(repo, base, [Put("f007/new/deep", b"nowhere else")], batch=batch)
        assert len(batch) == 4
