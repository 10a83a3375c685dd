from __future__ import annotations

import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.core.errors import BadRequest, RevisionNotFound
from hutch.git import locks, process, refs, repository
from hutch.git.commits import Put
from hutch.git.errors import InvalidRefName, RefConflict, RefMoved, RepositoryBusy
from hutch.git.refs import RefUpdate, check_ref_name, resolve
from tests.git.conftest import Committer, Git


def _read(bare: Path, name: str) -> str | None:
    return refs.read_ref(repository.open(bare), name)


def test_every_way_to_name_a_commit_resolves(bare: Path, put: Committer, git: Git) -> None:
    commit = put(Put("a", b"1"))
    git(bare, "tag", "light", commit)
    git(bare, "tag", "-a", "heavy", "-m", "x", commit)
    git(bare, "update-ref", "refs/pr/3", commit)
    git(bare, "update-ref", "refs/convert/parquet", commit)
    put(Put("b", b"1"), branch="feature/x")
    repo = repository.open(bare)
    for revision, ref in {
        "main": "refs/heads/main",
        "HEAD": "refs/heads/main",
        "refs/heads/main": "refs/heads/main",
        "light": "refs/tags/light",
        "heavy": "refs/tags/heavy",
        "refs/tags/heavy": "refs/tags/heavy",
        "refs/pr/3": "refs/pr/3",
        "pr/3": "refs/pr/3",
        "refs/convert/parquet": "refs/convert/parquet",
        commit: None,
        commit[:7]: None,
        commit[:20]: None,
    }.items():
        found = resolve(repo, revision)
        assert (found.commit, found.ref) == (commit, ref), revision
    assert resolve(repo, "feature/x").ref == "refs/heads/feature/x"


@pytest.mark.parametrize(
    "revision",
    [
        "",
        "nope",
        "main~1",
        "main^",
        "main^{tree}",
        "main@{0}",
        "@",
        "@{u}",
        ":/change",
        "main:a",
        "HEAD^",
        "..",
        "a..main",
        "refs/heads/nope",
        "refs/hutch/x",
        "refs/",
        "0" * 40,
        "f" * 7,
        "abc",
        "ma\0in",
        "main\n",
        "a" * 2000,
        "\ud800",
        "../../HEAD",
        "HEAD/x",
        "//main",
        "/main",
        "main/",
        "config",
        "-x",
    ],
)
def test_what_names_no_commit_is_not_found(bare: Path, put: Committer, revision: str) -> None:
    put(Put("a", b"1"))
    with pytest.raises(RevisionNotFound):
        resolve(repository.open(bare), revision)


def test_a_tree_or_blob_hash_is_no_revision(bare: Path, put: Committer, git: Git) -> None:
    put(Put("a", b"1"))
    for what in ("main^{tree}", "main:a"):
        oid = git(bare, "rev-parse", what).decode().strip()
        with pytest.raises(RevisionNotFound):
            resolve(repository.open(bare), oid)


def test_an_empty_repository_resolves_nothing(bare: Path) -> None:
    for revision in ("main", "HEAD"):
        with pytest.raises(RevisionNotFound):
            resolve(repository.open(bare), revision)
    assert refs.list_refs(repository.open(bare)) == []


def test_refs_are_listed_by_name_packed_or_loose(bare: Path, put: Committer, git: Git) -> None:
    commit = put(Put("a", b"1"))
    for name in ("refs/heads/z", "refs/tags/v1", "refs/pr/1", "refs/convert/parquet"):
        git(bare, "update-ref", name, commit)
    git(bare, "pack-refs", "--all")
    git(bare, "update-ref", "refs/heads/b", commit)
    git(bare, "update-ref", "refs/notes/n", commit)
    names = [ref.name for ref in refs.list_refs(repository.open(bare))]
    assert names == [
        "refs/convert/parquet",
        "refs/heads/b",
        "refs/heads/main",
        "refs/heads/z",
        "refs/pr/1",
        "refs/tags/v1",
    ]


def test_update_moves_creates_and_deletes_together(bare: Path, put: Committer) -> None:
    one = put(Put("a", b"1"))
    two = put(Put("a", b"2"), branch="two")
    refs.update(
        bare,
        [
            RefUpdate("refs/heads/main", one, two),
            RefUpdate("refs/heads/new/branch", None, one),
            RefUpdate("refs/heads/two", two, None),
        ],
    )
    assert _read(bare, "refs/heads/main") == two
    assert _read(bare, "refs/heads/new/branch") == one
    assert _read(bare, "refs/heads/two") is None


def test_one_stale_ref_stops_all(bare: Path, put: Committer) -> None:
    one = put(Put("a", b"1"))
    two = put(Put("a", b"2"))
    for stale in (
        RefUpdate("refs/heads/main", one, two),
        RefUpdate("refs/heads/main", None, two),
        RefUpdate("refs/heads/main", one, None),
        RefUpdate("refs/heads/missing", one, two),
        RefUpdate("refs/heads/missing", one, None),
    ):
        for updates in ([stale], [RefUpdate("refs/heads/other", None, one), stale]):
            with pytest.raises(RefMoved) as refused:
                refs.update(bare, updates)
            assert refused.value.name == stale.name
    assert _read(bare, "refs/heads/main") == two
    assert _read(bare, "refs/heads/other") is None


def test_a_ref_below_another_is_a_conflict(bare: Path, put: Committer) -> None:
    one = put(Put("a", b"1"))
    for name in ("refs/heads/main/x",):
        with pytest.raises(RefConflict):
            refs.update(bare, [RefUpdate(name, None, one)])
    refs.update(bare, [RefUpdate("refs/heads/deep/x", None, one)])
    with pytest.raises(RefConflict):
        refs.update(bare, [RefUpdate("refs/heads/deep", None, one)])


def test_bad_updates_are_refused(bare: Path, put: Committer, git: Git) -> None:
    one = put(Put("a", b"1"))
    tree = git(bare, "rev-parse", "main^{tree}").decode().strip()
    for update in (
        RefUpdate("refs/heads/x", None, "0123"),
        RefUpdate("refs/heads/x", None, "ab" * 20),
        RefUpdate("refs/heads/x", None, tree),
        RefUpdate("refs/heads/main", one, tree),
        RefUpdate("refs/hutch/x", None, one),
        RefUpdate("HEAD", None, one),
    ):
        with pytest.raises(BadRequest):
            refs.update(bare, [update])
    with pytest.raises(BadRequest):
        refs.update(bare, [RefUpdate("refs/heads/x", None, one), RefUpdate("refs/heads/x", None, one)])


def test_of_many_writers_to_one_ref_exactly_one_wins_each_round(bare: Path, put: Committer) -> None:
    start = put(Put("a", b"0"))
    offers = [put(Put("a", b"%d" % number), branch=f"offer{number}", parents=[start]) for number in range(8)]
    outcomes: list[str] = []

    def race(new: str) -> None:
        try:
            refs.update(bare, [RefUpdate("refs/heads/main", start, new)])
            outcomes.append("won " + new)
        except RefMoved:
            outcomes.append("lost")

    threads = [threading.Thread(target=race, args=(offer,)) for offer in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome != "lost"]
    assert len(outcomes) == 8
    assert winners == [f"won {_read(bare, 'refs/heads/main')}"]


def test_of_many_creators_of_one_ref_exactly_one_wins(bare: Path, put: Committer) -> None:
    commits = [put(Put("a", b"%d" % number)) for number in range(4)]
    won: list[str] = []

    def race(new: str) -> None:
        try:
            refs.update(bare, [RefUpdate("refs/heads/new", None, new)])
            won.append(new)
        except RefMoved:
            pass

    threads = [threading.Thread(target=race, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [_read(bare, "refs/heads/new")]


@pytest.mark.parametrize("name", ["refs/heads/main", "refs/heads/fresh"])
def test_a_lock_left_by_a_killed_process_does_not_stop_the_next(
    bare: Path, put: Committer, name: str
) -> None:
    one = put(Put("a", b"1"))
    two = put(Put("a", b"2"))
    (bare / f"{name}.lock").write_text("half")
    refs.update(bare, [RefUpdate(name, two if name.endswith("main") else None, one)])
    assert _read(bare, name) == one
    assert not (bare / f"{name}.lock").exists()


def test_a_held_lock_is_reported_as_busy(bare: Path, put: Committer) -> None:
    one = put(Put("a", b"1"))
    with locks.held(bare), pytest.raises(RepositoryBusy):
        refs.update(bare, [RefUpdate("refs/heads/x", None, one)], wait_s=0.05)
    refs.update(bare, [RefUpdate("refs/heads/x", None, one)], wait_s=0.05)


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/a.lock",
        "refs/heads/.a",
        "refs/heads/a..b",
        "refs/heads/a b",
        "refs/heads/a~",
        "refs/heads/a/",
        "refs/heads//a",
        "refs/heads/a.",
        "refs/heads/@",
        "refs/heads/a@{b",
        "refs/heads/a\\b",
        "refs/heads/",
        "refs/heads",
        "main",
        "refs/other/x",
        "refs/heads/" + "a" * 40,
        "refs/heads/" + "x" * 300,
        "refs/heads/-a",
        "refs/heads/HEAD",
        "refs/heads/refs/heads/x",
        "refs/heads/a\ud800",
        "refs/heads/a\x85",
    ],
)
def test_bad_ref_name_is_refused(ref: str) -> None:
    with pytest.raises(InvalidRefName) as refused:
        check_ref_name(ref)
    assert refused.value.field == "ref"


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab./@{~^:?*[\\ -\x7fé\n", min_size=1, max_size=8))
def test_names_that_git_refuses_are_refused(short: str) -> None:
    name = "refs/heads/" + short
    done = process.run_raw(Path("/nonexistent"), ["check-ref-format", name])
    if done.returncode != 0:
        with pytest.raises(InvalidRefName):
            check_ref_name(name)
