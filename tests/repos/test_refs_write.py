"""The one hallway: what holds when two come at once, when the process dies, when a branch is protected."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from hutch.core.errors import BadRequest, Conflict, Forbidden, HutchError, NotFound
from hutch.core.models import Job, StoredEvent
from hutch.core.permissions import Actor, Role
from hutch.git import process, repository
from hutch.git.errors import InvalidRefName
from hutch.git.refs import RefUpdate, read_ref
from hutch.repos import jobs, settings
from hutch.repos.changes import refs
from hutch.repos.changes.commits import create_commit
from hutch.repos.errors import ProtectedBranch, RefBusy
from hutch.repos.lookup import RepoRow
from hutch.repos.models import RefIntent, Repo
from hutch.storage import faults
from tests.repos.commit_body import HEADER, body, deleted, file, has, header

Make = Callable[..., RepoRow]
MAIN = "refs/heads/main"


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture(autouse=True)
def _no_faults() -> Iterator[None]:
    yield
    faults.disarm()


class Stopped(Exception):
    """Stands for a process that ends at a fault point."""


def stop_at(point: str) -> None:
    def stop() -> None:
        raise Stopped

    faults.arm(point, stop)


def head(repo: RepoRow, ref: str = MAIN) -> str | None:
    return read_ref(repository.open(repo.path), ref)


def fsck(repo: RepoRow) -> bytes:
    return process.run(repo.path, ["fsck", "--strict", "--connectivity-only"])


def events(name: str) -> list[dict[str, Any]]:
    return [row.payload for row in StoredEvent.objects.filter(name=name).order_by("pk")]


def test_move_is_told_once_with_what_moved(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("x")))
    (told,) = events("RepoPushed")
    assert told["refs"] == [{"ref": MAIN, "old": repo.head_oid, "new": made.oid}]
    assert (told["full_name"], told["how"], told["by_user_id"]) == ("ann/bert", "commit", ann.user_id)


def test_several_refs_move_all_or_none(ann: Actor, repo: RepoRow) -> None:
    made = create_commit(ann, repo, "main", body(HEADER, file("x"))).oid
    wrong = RefUpdate("refs/heads/b", "1" * 40, made)
    with pytest.raises(Conflict):
        refs.advance(ann, repo, [RefUpdate("refs/heads/a", None, made), wrong])
    assert head(repo, "refs/heads/a") is None
    assert not RefIntent.objects.exists()
    refs.advance(ann, repo, [RefUpdate("refs/heads/a", None, made), RefUpdate("refs/tags/v1", None, made)])
    assert head(repo, "refs/heads/a") == head(repo, "refs/tags/v1") == made


def test_ref_under_way_is_busy_for_others(ann: Actor, repo: RepoRow) -> None:
    RefIntent.objects.create(repo_id=repo.id, ref=MAIN, old=repo.head_oid, new="1" * 40, push_id="other")
    with pytest.raises(Conflict):
        create_commit(ann, repo, "main", body(header(parentCommit=repo.head_oid), file("x")))
    with pytest.raises(RefBusy):
        refs.advance(ann, repo, [RefUpdate(MAIN, repo.head_oid, "2" * 40)])
    assert head(repo) == repo.head_oid
    refs.advance(ann, repo, [RefUpdate("refs/heads/free", None, repo.head_oid)])


def test_failed_migration_of_objects_leaves_nothing(ann: Actor, repo: RepoRow) -> None:
    def fail() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        refs.advance(ann, repo, [RefUpdate("refs/heads/x", None, repo.head_oid)], migrate=fail)
    assert not RefIntent.objects.exists()
    assert head(repo, "refs/heads/x") is None


def test_objects_come_in_before_the_ref_moves(ann: Actor, repo: RepoRow) -> None:
    seen: list[str | None] = []
    refs.advance(
        ann,
        repo,
        [RefUpdate("refs/heads/x", None, repo.head_oid)],
        migrate=lambda: seen.append(head(repo, "refs/heads/x")),
    )
    assert seen == [None]
    assert head(repo, "refs/heads/x") == repo.head_oid


def test_crash_before_the_ref_moves_is_forgotten(ann: Actor, repo: RepoRow) -> None:
    RefIntent.objects.create(repo_id=repo.id, ref=MAIN, old=repo.head_oid, new="1" * 40, push_id="p")
    RefIntent.objects.create(repo_id=repo.id, ref="refs/heads/new", old="", new="1" * 40, push_id="p")
    assert refs.recover() == 1
    assert not RefIntent.objects.exists()
    assert Repo.objects.get(pk=repo.id).head_oid == repo.head_oid
    assert events("RepoPushed") == []


def test_crash_after_the_ref_moved_is_finished(ann: Actor, repo: RepoRow) -> None:
    stop_at("repos.after_ref")
    with pytest.raises(Stopped):
        create_commit(ann, repo, "main", body(HEADER, file("README.md", "---\nlicense: mit\n---\n")))
    faults.disarm()
    row = Repo.objects.get(pk=repo.id)
    assert row.head_oid == repo.head_oid != head(repo)
    assert refs.recover() == 1
    row.refresh_from_db()
    assert (row.head_oid, row.card) == (head(repo), {"license": "mit"})
    assert [told["by_user_id"] for told in events("RepoPushed")] == [ann.user_id]
    assert refs.recover() == 0


def test_intent_of_a_dead_process_frees_the_ref_after_its_lease(ann: Actor, repo: RepoRow) -> None:
    from hutch.core import clock

    RefIntent.objects.create(repo_id=repo.id, ref=MAIN, old=repo.head_oid, new="1" * 40, push_id="dead")
    RefIntent.objects.update(created_at=clock.now() - refs.INTENT_LEASE * 2)
    made = create_commit(ann, repo, "main", body(HEADER, file("x")))
    assert head(repo) == made.oid


@pytest.mark.parametrize(
    ("ref", "error"),
    [
        ("refs/heads/a..b", InvalidRefName),
        ("refs/hutch/x", InvalidRefName),
        ("refs/heads/" + "a" * 40, InvalidRefName),
        ("refs/pr/7", NotFound),
        ("refs/pr/x", NotFound),
    ],
)
def test_refs_that_may_not_be_are_refused(
    ann: Actor, repo: RepoRow, ref: str, error: type[HutchError]
) -> None:
    with pytest.raises(error):
        refs.advance(ann, repo, [RefUpdate(ref, None, repo.head_oid)])


def test_default_branch_cannot_be_deleted(ann: Actor, repo: RepoRow) -> None:
    with pytest.raises(BadRequest):
        refs.advance(ann, repo, [RefUpdate(MAIN, repo.head_oid, None)])
    assert head(repo) == repo.head_oid


def test_push_to_protected_branch_is_refused(
    ann: Actor, bob: Actor, make_org: Callable[..., str], again: Callable[[Actor], Actor], make_repo: Make
) -> None:
    make_org("acme", ann=Role.ADMIN, bob=Role.WRITE)
    repo = make_repo(again(ann), "x", namespace="acme")
    with pytest.raises(Forbidden):
        settings.update_settings(again(bob), repo, settings.Changes(protected_branches=["main"]))
    settings.update_settings(again(ann), repo, settings.Changes(protected_branches=["main", "release/*"]))
    with pytest.raises(ProtectedBranch):
        create_commit(again(bob), repo, "main", body(HEADER, file("x")))
    with pytest.raises(ProtectedBranch):
        refs.advance(again(bob), repo, [RefUpdate("refs/heads/release/1", None, repo.head_oid)])
    refs.advance(again(bob), repo, [RefUpdate("refs/heads/topic", None, repo.head_oid)])
    made = create_commit(again(ann), repo, "main", body(HEADER, file("x")))
    with pytest.raises(ProtectedBranch):  # nobody turns it back
        refs.advance(again(ann), repo, [RefUpdate(MAIN, made.oid, repo.head_oid)])
    with pytest.raises(ProtectedBranch):
        refs.advance(again(ann), repo, [RefUpdate("refs/heads/release/1", repo.head_oid, None)])
    assert head(repo) == made.oid
    assert not RefIntent.objects.exists()


def test_many_pushes_ask_for_a_repack_once(ann: Actor, repo: RepoRow) -> None:
    Repo.objects.filter(pk=repo.id).update(pushes_since_repack=jobs.PUSHES_BETWEEN - 1)
    for name in ("x", "y"):
        create_commit(ann, repo, "main", body(HEADER, file(name)))
    assert Job.objects.filter(name="repos.maintain").count() == 1


def test_repack_keeps_everything_and_measures(ann: Actor, repo: RepoRow) -> None:
    from hutch.core.jobs import JOBS

    class Run:
        def checkpoint(self) -> None: ...

    made = [create_commit(ann, repo, "main", body(HEADER, file(f"{n}.txt", str(n)))).oid for n in range(5)]
    JOBS["repos.maintain"].function(Run(), repo_id=repo.id)
    fsck(repo)
    assert head(repo) == made[-1]
    row = Repo.objects.get(pk=repo.id)
    assert (row.pushes_since_repack, row.git_bytes) == (0, repository.size_bytes(repo.path))
    JOBS["repos.maintain"].function(Run(), repo_id=repo.id + 1000)  # gone meanwhile: nothing to do


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = work(number)
        except HutchError as error:
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


@pytest.mark.django_db(transaction=True)
def test_twenty_commits_at_once_are_all_there(make_actor: Callable[..., Actor], make_repo: Make) -> None:
    ann = make_actor("ann")
    repo = make_repo(ann, "busy")
    made = in_threads(20, lambda n: create_commit(ann, repo, "main", body(HEADER, file(f"{n}.txt", str(n)))))
    failed = [each for each in made if isinstance(each, HutchError)]
    assert all(each.status == 409 for each in failed), failed
    now = head(repo)
    assert now is not None
    kept = {n for n, each in enumerate(made) if not isinstance(each, HutchError)}
    assert {n for n in range(20) if has(repo, now, f"{n}.txt")} == kept
    assert len(kept) == 20, failed
    log = process.run(repo.path, ["rev-list", MAIN]).decode().split()
    assert len(log) == 21
    assert {each.oid for each in made} <= set(log)
    fsck(repo)
    row = Repo.objects.get(pk=repo.id)
    assert (row.head_oid, len(row.head_files)) == (now, 21)
    assert not RefIntent.objects.exists()
    assert len(events("RepoPushed")) == 20


@pytest.mark.django_db(transaction=True)
def test_of_commits_on_one_parent_one_wins(make_actor: Callable[..., Actor], make_repo: Make) -> None:
    ann = make_actor("ann")
    repo = make_repo(ann, "busy")
    lines = (header(parentCommit=repo.head_oid),)
    made = in_threads(10, lambda n: create_commit(ann, repo, "main", body(*lines, file(f"{n}.txt"))))
    won = [each for each in made if not isinstance(each, HutchError)]
    assert len(won) == 1
    assert head(repo) == won[0].oid
    assert {each.status for each in made if isinstance(each, HutchError)} <= {409, 412}
    assert not RefIntent.objects.exists()
    fsck(repo)


@pytest.mark.django_db(transaction=True)
def test_pull_requests_opened_at_once_have_different_numbers(
    make_actor: Callable[..., Actor], make_repo: Make
) -> None:
    ann = make_actor("ann")
    repo = make_repo(ann, "busy")
    made = in_threads(
        8, lambda n: create_commit(ann, repo, "main", body(HEADER, file(f"{n}")), create_pr=True)
    )
    assert sorted(each.pull_number for each in made) == list(range(1, 9))


@pytest.mark.django_db(transaction=True)
def test_two_repositories_of_one_name_at_once_are_one(
    make_actor: Callable[..., Actor], make_repo: Make
) -> None:
    from hutch.settings import current

    ann = make_actor("ann")
    made = in_threads(6, lambda _: make_repo(ann, "same"))
    assert sorted(isinstance(each, RepoRow) for each in made) == [False] * 5 + [True]
    assert len(list((current().data / "git").glob("??/*.git"))) == 1
    assert not list((current().data / "git" / ".unsettled").iterdir())


def test_file_that_two_commits_delete_at_once_is_deleted_once(ann: Actor, repo: RepoRow) -> None:
    create_commit(ann, repo, "main", body(HEADER, file("x")))
    create_commit(ann, repo, "main", body(HEADER, deleted("x")))
    with pytest.raises(NotFound):
        create_commit(ann, repo, "main", body(HEADER, deleted("x")))
