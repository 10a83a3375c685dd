"""What repositories take up: as everybody sees it, and what is stored for it once; measured after it has changed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hutch.cas import collecting, deduping, jobs, service, usage
from hutch.cas.models import LargeObject, Usage, XetFile, Xorb
from hutch.cas.usage import Measured
from hutch.cas.xet import links
from hutch.core import clock
from hutch.core.models import Job
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from tests.cas.test_deduping import CONTENT, by_lfs
from tests.cas.test_rounds import Running
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    age,
    blob_of,
    chunks,
    entry_of,
    name_of,
    register,
    send_file,
    send_xorb,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = chunks(9000, 20000, 500, 8000)
NAME = name_of(PIECES)
HEADER = 8


def _part(*runs: tuple[int, int], repo: int = REPO) -> LargeObject:
    content = b"".join(b"".join(PIECES[start:end]) for start, end in runs)
    register(entry_of([(NAME, start, end) for start, end in runs], content), ALICE, repo)
    row = LargeObject.objects.order_by("-pk")[0]
    service.link(ALICE, repo, [Pointer(row.sha256, row.size_bytes)])
    return row


def test_chunk_that_several_files_use_is_counted_once() -> None:
    send_xorb(PIECES)
    first, second = _part((0, 2)), _part((1, 3), (1, 2))
    assert usage.measure(REPO) == Measured(first.size_bytes + second.size_bytes, 29500 + 3 * HEADER)
    third = _part((0, 4))
    size = blob_of(NAME).stat().st_size
    assert usage.measure(REPO) == Measured(first.size_bytes + second.size_bytes + third.size_bytes, size)
    assert usage.of(REPO) == usage.measure(REPO)
    assert usage.of_many([REPO, OTHER]) == {REPO: usage.of(REPO)}


def test_blobs_count_whole_and_objects_stored_in_both_ways_by_their_chunks() -> None:
    row = send_file([bytes(60_000), *PIECES])
    stored = service.store_bytes(1, REPO, b"lfs")
    service.link(ALICE, REPO, [Pointer(stored.oid, 3)])
    expected = Xorb.objects.get().size_bytes + 3
    assert expected < 40_000
    assert usage.measure(REPO) == Measured(row.size_bytes + 3, expected)
    service.store_bytes(1, REPO, bytes(60_000) + b"".join(PIECES))
    assert usage.measure(REPO) == Measured(row.size_bytes + 3, expected)


def test_files_of_buckets_count_as_those_of_repositories_do() -> None:
    name = send_xorb(PIECES)
    register(entry_of([(name, 0, 2)]), ALICE, OTHER)
    links.link_files(ALICE, OTHER, [_file()], Repo.objects.none())
    assert usage.measure(OTHER) == Measured(29000, 29000 + 2 * HEADER)
    links.unlink_files(OTHER, [_file()])
    assert usage.measure(OTHER) == Measured(0, 0)
    assert usage.of(OTHER) is None


def _file() -> str:
    return XetFile.objects.get().hash


def test_changes_have_a_repository_measured_once_for_a_burst() -> None:
    send_xorb(PIECES)
    row = _part((0, 1))
    _part((1, 2))
    assert _planned() == [REPO]
    Job.objects.all().delete()
    service.unlink(REPO, [row.sha256])
    assert _planned() == [REPO]
    Job.objects.all().delete()
    service.unlink(REPO, [row.sha256])
    service.link(ALICE, REPO, [])
    assert _planned() == []


def _planned() -> list[int]:
    rows = Job.objects.filter(name="cas.measure", state="queued").order_by("pk")
    return [row.arguments["repo_id"] for row in rows]


def test_what_changes_without_a_commit_is_measured_for_all_that_have_it() -> None:
    by_lfs(CONTENT)
    by_lfs(CONTENT, OTHER)
    Job.objects.all().delete()
    deduping.dedupe(lambda fraction, text: None)
    assert _planned() == [REPO, OTHER]
    Job.objects.all().delete()
    stored = service.store_bytes(1, REPO, b"".join(PIECES))
    service.link(ALICE, REPO, [Pointer(stored.oid, stored.size)])
    Job.objects.all().delete()
    register(entry_of([(send_xorb(PIECES, BOB), 0, 4)], b"".join(PIECES)), BOB, OTHER)
    assert _planned() == [REPO]


def test_measuring_waits_the_longer_the_more_files_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    send_file(PIECES)
    Job.objects.all().delete()
    jobs.measure(Running(), repo_id=REPO)
    before = usage.of(REPO)
    assert before is not None
    monkeypatch.setattr(usage, "_FILES_A_SECOND", 0.01)
    Usage.objects.update(stored_bytes=1)
    jobs.measure(Running(), repo_id=REPO)
    assert usage.of(REPO) == Measured(before.logical_bytes, 1)
    (job,) = Job.objects.filter(name="cas.measure")
    assert 50 < (job.run_at - clock.now()).total_seconds() <= 100
    Usage.objects.update(measured_at=clock.now() - timedelta(seconds=101))
    jobs.measure(Running(), repo_id=REPO)
    assert usage.of(REPO) == before


def test_repository_that_goes_takes_its_row_along_and_none_comes_back() -> None:
    send_file(PIECES)
    usage.measure(REPO)
    service.forget_repo(REPO)
    assert usage.of(REPO) is None
    jobs.measure(Running(), repo_id=REPO)
    assert Usage.objects.count() == 0


def test_what_was_never_measured_is_each_hour() -> None:
    send_file(PIECES)
    Job.objects.all().delete()
    assert usage.unmeasured(10) == [REPO]
    jobs.sweep(Running())
    assert _planned() == [REPO]
    usage.measure(REPO)
    assert usage.unmeasured(10) == []


def test_hub_tells_what_it_did_not_have_to_store() -> None:
    row = send_file(PIECES)
    send_file(PIECES, BOB, OTHER)
    _part((0, 2), repo=OTHER)
    stored = service.store_bytes(1, REPO, b"lfs")
    service.link(ALICE, REPO, [Pointer(stored.oid, 3)])
    found = usage.totals()
    assert found.linked_bytes == 2 * row.size_bytes + 29000 + 3
    assert found.distinct_bytes == row.size_bytes + 29000 + 3
    assert (found.blob_bytes, found.xorb_bytes) == (3, blob_of(NAME).stat().st_size)
    assert found.saved_bytes == found.linked_bytes - found.stored_bytes
    assert found.damaged_xorbs == 0


def test_compaction_and_collection_do_not_change_what_a_repository_takes_up() -> None:
    send_file(PIECES, repo_id=OTHER)
    _part((3, 4))
    before = usage.measure(REPO)
    service.forget_repo(OTHER)
    age()
    assert collecting.collect(2 * 86_400, lambda doing: None).compacted == 1
    assert usage.measure(REPO) == before
