from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hutch.git import check, commits, maintenance, pointers, refs, repository, trees
from hutch.git.commits import Delete, Put
from hutch.git.errors import GitFailed
from hutch.git.quarantine import Quarantine
from tests.git.conftest import WHO, Committer, Git

DAY_S = 86400


def _age(bare: Path, days: int) -> None:
    """Make every object file look `days` old."""
    for path in (bare / "objects").rglob("*"):
        if path.is_file():
            moment = path.stat().st_mtime - days * DAY_S
            os.utime(path, (moment, moment))


def _unreachable(bare: Path, number: int) -> str:
    repo = repository.open(bare)
    tree = commits.build_tree(repo, None, [Put("lost", b"%d" % number)])
    return commits.commit(repo, tree, [], "lost", WHO)


def test_repack_joins_everything_and_drops_nothing(bare: Path, put: Committer) -> None:
    for number in range(12):
        put(*(Put(f"{number}/{index}", os.urandom(40)) for index in range(10)))
    put(Put("loose", b"1"))
    lost = _unreachable(bare, 1)
    _age(bare, 400)
    before = maintenance.fill(bare)
    assert (before.packs, before.loose > 3) == (12, True)
    early = repository.open(bare)
    head = refs.resolve(early, "main").commit
    whole = trees.list_entries(early, head, recursive=True)
    maintenance.repack(bare)
    after = maintenance.fill(bare)
    assert after.packs < 4
    assert after.loose == 0
    assert lost in repository.open(bare)
    for repo in (early, repository.open(bare)):
        assert trees.list_entries(repo, head, recursive=True) == whole
        assert all(trees.read_blob(repo, entry.oid, 100) for entry in whole if entry.kind == "file")
    assert check.fsck(bare) == []


def test_repack_of_an_empty_repository_is_harmless(bare: Path) -> None:
    maintenance.repack(bare)
    maintenance.collect(bare)
    assert check.fsck(bare) == []


def test_collect_drops_old_unreachable_objects_and_keeps_young_ones(bare: Path, put: Committer) -> None:
    head = put(*(Put(f"{number}", b"%d" % number) for number in range(30)))
    old = _unreachable(bare, 1)
    _age(bare, 30)
    young = _unreachable(bare, 2)
    maintenance.repack(bare)
    maintenance.collect(bare)
    repo = repository.open(bare)
    assert young in repo
    assert head in repo
    # The repack had put both into one young pack: its age counts for all in it.
    assert old in repo
    _age(bare, 30)
    maintenance.collect(bare)
    repo = repository.open(bare)
    assert old not in repo
    assert young not in repo
    assert len(trees.list_entries(repo, head)) == 30
    assert check.fsck(bare) == []


class _Busy(threading.Thread):
    """Does one thing over and over until stopped, and keeps what went wrong."""

    def __init__(self, body: Callable[[int], object]) -> None:
        super().__init__()
        self._body = body
        self._stop_asked = threading.Event()
        self.rounds = 0
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self.rounds += 1
            try:
                self._body(self.rounds)
            except BaseException as failure:
                self.failure = failure
                return

    def end(self) -> None:
        self._stop_asked.set()
        self.join()
        assert self.failure is None
        assert self.rounds > 0


def test_writers_and_readers_go_on_during_repacks(bare: Path, put: Committer) -> None:
    put(Put("a", b"0"))
    reading = repository.open(bare)

    def read(_round: int) -> None:
        for entry in trees.list_entries(reading, refs.resolve(reading, "main").commit):
            trees.read_blob(reading, entry.oid, 100)

    workers = [
        _Busy(read),
        _Busy(lambda number: put(*(Put(f"{index}", b"%d" % (number * index)) for index in range(12)))),
        _Busy(lambda number: put(Put("a", b"%d" % number), branch="other")),
    ]
    for _ in range(5):
        maintenance.repack(bare)
    maintenance.collect(bare)
    for worker in workers:
        worker.end()
    assert check.fsck(bare) == []


def test_what_killed_processes_left_is_removed_when_old(bare: Path, put: Committer) -> None:
    head = put(Put("a", b"1"))
    quarantine = Quarantine(bare)
    quarantine.__enter__()
    for name in ("objects/pack/tmp_pack_x", "objects/tmp_object_git2_x", "objects/tmp_obj_1"):
        (bare / name).write_bytes(b"half")
    assert maintenance.remove_abandoned(bare) == 0
    assert quarantine.object_folder.exists()
    assert maintenance.remove_abandoned(bare, older_than_s=-1) == 4
    assert not quarantine.object_folder.exists()
    assert (
        trees.read_blob(repository.open(bare), trees.entry_at(repository.open(bare), head, "a").oid, 9)
        == b"1"
    )


def test_fsck_finds_a_flipped_bit(bare: Path, put: Committer) -> None:
    head = put(Put("a", b"some content"))
    oid = trees.entry_at(repository.open(bare), head, "a").oid
    assert check.fsck(bare) == []
    loose = bare / "objects" / oid[:2] / oid[2:]
    data = bytearray(loose.read_bytes())
    data[len(data) // 2] ^= 1
    loose.chmod(0o644)
    loose.write_bytes(data)
    assert any(oid in problem.what for problem in check.fsck(bare))


def test_fsck_finds_a_missing_object(bare: Path, put: Committer) -> None:
    head = put(Put("a", b"some content"))
    oid = trees.entry_at(repository.open(bare), head, "a").oid
    (bare / "objects" / oid[:2] / oid[2:]).unlink()
    assert any(oid in problem.what for problem in check.fsck(bare))
    with pytest.raises(GitFailed):
        list(check.pointers(bare))


def test_fsck_finds_a_ref_that_leads_nowhere(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))
    (bare / "refs" / "heads" / "lost").write_text("12" * 20 + "\n")
    assert any("refs/heads/lost" in problem.what for problem in check.fsck(bare) if problem.kind == "ref")


def test_leftovers_of_squashes_are_no_damage(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))
    _unreachable(bare, 3)
    assert check.fsck(bare) == []


def test_pointers_of_every_ref_and_commit_are_found_once(bare: Path, put: Committer, git: Git) -> None:
    made = [pointers.Pointer(f"{number:064x}", number) for number in range(4)]
    put(Put("old.bin", pointers.render(made[0])), Put("text", b"no pointer, but small"))
    put(
        Delete("old.bin"),
        Put("d/new.bin", pointers.render(made[1])),
        Put("twice.bin", pointers.render(made[1])),
    )
    head = put(Put("branch.bin", pointers.render(made[2])), branch="side")
    git(
        bare,
        "update-ref",
        "refs/pr/7",
        put(Put("pr.bin", pointers.render(made[3])), branch="tmp", parents=[head]),
    )
    _unreachable(bare, 5)
    found = sorted(check.pointers(bare), key=lambda each: each.pointer.size)
    assert [each.pointer for each in found] == made
    assert [each.path for each in found][::2] == ["old.bin", "branch.bin"]
