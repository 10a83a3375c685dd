"""What nobody needs is removed, rows first; what somebody has, is about to have or was told of stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hutch.cas import checking, cleaning, collecting, jobs, service
from hutch.cas.collecting import Collected
from hutch.cas.models import (
    DedupeChunk,
    FileXorb,
    LargeObject,
    XetFile,
    Xorb,
)
from hutch.cas.xet import epochs, links, xorbs
from hutch.core.errors import BadRequest
from hutch.core.jobs import JOBS
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.settings import current
from hutch.storage import faults
from tests.cas.test_rounds import Running
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    a_repo,
    age,
    blob_of,
    blobs,
    chunks,
    collected,
    content_of,
    entry_of,
    flip,
    name_of,
    problems,
    register,
    send_file,
    send_xorb,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = chunks(9000, 20000, 500)
OTHERS = chunks(8000, 700, seed=1)
DAY_S, GRACE_S = 86_400, 2 * 86_400


def _gc(grace_s: float = GRACE_S) -> Collected:
    return collected(grace_s)


def _counts() -> tuple[int, int, int]:
    return LargeObject.objects.count(), XetFile.objects.count(), Xorb.objects.count()


def _number() -> str:
    return epochs.of(ALICE.user_id or 0).split("-")[0]


def test_what_is_linked_stays_however_old() -> None:
    row = send_file(PIECES)
    stored = service.store_bytes(1, REPO, b"lfs")
    service.link(ALICE, REPO, [Pointer(stored.oid, stored.size)])
    register(entry_of([(send_xorb(OTHERS, BOB), 0, 2)]), BOB, OTHER)
    links.link_files(BOB, OTHER, [_newest()], Repo.objects.none())
    age()
    before = (blobs("lfs"), blobs("xorbs"))
    assert _gc().shape() == Collected().shape()
    assert content_of(row) == b"".join(PIECES)
    assert (blobs("lfs"), blobs("xorbs")) == before
    assert _number() == "e1"


def _newest() -> str:
    return XetFile.objects.order_by("-pk").values_list("hash", flat=True)[0]


def test_what_a_deleted_repository_had_goes_and_clients_start_afresh() -> None:
    send_file(PIECES)
    stored = service.store_bytes(1, REPO, b"lfs")
    service.link(ALICE, REPO, [Pointer(stored.oid, stored.size)])
    kept = send_file(OTHERS, BOB, OTHER)
    service.forget_repo(REPO)
    age()
    size = sum(path.stat().st_size for path in [blob_of(name_of(PIECES))])
    done = _gc()
    assert (done.objects, done.object_bytes, done.xet_files) == (2, 3, 1)
    assert (done.xorbs, done.xorb_bytes) == (1, size)
    assert _counts() == (1, 1, 1)
    assert (len(blobs("xorbs")), blobs("lfs")) == (1, set())
    assert content_of(kept) == b"".join(OTHERS)
    assert _number() == "e2"
    assert (FileXorb.objects.count(), DedupeChunk.objects.count()) == (1, 1)
    assert _gc().shape() == Collected().shape()
    assert _number() == "e2", "nothing was deleted"


def test_what_was_touched_within_the_grace_stays() -> None:
    send_file(PIECES)
    service.forget_repo(REPO)
    age(1.9)
    assert _gc().shape() == Collected().shape()
    age(0.2)
    assert _gc().xorbs == 1


@pytest.mark.parametrize("what", ["sent for another repository", "told that it need not be sent", "listed"])
def test_what_somebody_may_be_about_to_commit_stays_as_long_as_an_upload_is_kept(what: str) -> None:
    row = send_file(PIECES)
    if what == "sent for another repository":
        register(entry_of([(name_of(PIECES), 0, 3)], b"".join(PIECES)), ALICE, OTHER)
    elif what == "told that it need not be sent":
        service.remember(ALICE, OTHER, [row.sha256])
    else:
        links.remember_files(ALICE, OTHER, [_newest()], a_repo(REPO))
    service.forget_repo(REPO)
    age(6)
    if what == "listed":
        assert _gc().objects == 1
    assert _counts()[1:] == (1, 1)
    assert _gc(0).shape() == Collected().shape()
    age(2)
    assert _gc().xorbs == 1
    assert _counts() == (0, 0, 0)


def test_xorb_that_was_sent_and_not_yet_named_stays_for_the_grace() -> None:
    send_xorb(PIECES)
    assert _gc().xorbs == 0
    age(1)
    send_xorb(PIECES, BOB)
    age(1.5)
    assert _gc().xorbs == 0
    age(1)
    assert _gc().xorbs == 1
    assert blobs("xorbs") == set()


def test_xorb_of_which_a_client_was_told_stays_for_the_grace() -> None:
    send_xorb(PIECES)
    age()
    xorbs.touch([Xorb.objects.get().pk])
    assert _gc().xorbs == 0
    age(3)
    assert _gc().xorbs == 1


def test_xorb_goes_only_when_its_last_file_does() -> None:
    send_file(PIECES)
    register(entry_of([(name_of(PIECES), 1, 3)], b"".join(PIECES[1:])), ALICE, OTHER)
    part = LargeObject.objects.order_by("-pk")[0]
    service.link(ALICE, OTHER, [Pointer(part.sha256, part.size_bytes)])
    service.forget_repo(REPO)
    age()
    done = _gc()
    assert (done.objects, done.xet_files, done.xorbs) == (1, 1, 0)
    assert content_of(part) == b"".join(PIECES[1:])


def test_whoever_was_told_of_a_file_that_goes_starts_afresh_though_its_xorb_stays() -> None:
    send_file(PIECES)
    register(entry_of([(name_of(PIECES), 1, 3)], b"".join(PIECES[1:])), ALICE, OTHER)
    part = LargeObject.objects.order_by("-pk")[0]
    service.link(ALICE, OTHER, [Pointer(part.sha256, part.size_bytes)])
    whole = LargeObject.objects.order_by("pk")[0].xet_file_id
    service.forget_repo(REPO)
    age()
    epochs.note(BOB.user_id or 0, [whole])
    before = epochs.of(BOB.user_id or 0), epochs.of(ALICE.user_id or 0)
    assert _gc().xet_files == 1
    after = epochs.of(BOB.user_id or 0), epochs.of(ALICE.user_id or 0)
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_blob_goes_in_favour_of_chunks_after_the_grace_and_only_if_they_are_whole() -> None:
    row = send_file(PIECES)
    service.store_bytes(1, REPO, b"".join(PIECES))
    assert _gc().twins == 0
    age()
    flip(blob_of(name_of(PIECES)), 9500)
    assert collecting.collect(GRACE_S, lambda doing: None).twins == 0
    flip(blob_of(name_of(PIECES)), 9500)
    done = _gc()
    assert (done.twins, done.twin_bytes) == (1, row.size_bytes)
    assert blobs("lfs") == set()
    row.refresh_from_db()
    assert (row.storage_key, content_of(row)) == ("", b"".join(PIECES))
    stored = service.object_of(REPO, row.sha256)
    assert stored is not None
    assert stored.key == ""


def test_blobs_without_a_row_go_when_they_are_old_and_only_then() -> None:
    kept = [service.store_bytes(1, REPO, b"kept").key, Xorb.objects.get(hash=send_xorb(OTHERS)).storage_key]
    faults.arm("storage.after_put", _die)
    try:
        for send in (lambda: service.store_bytes(1, REPO, b"lfs"), lambda: send_xorb(PIECES)):
            with pytest.raises(InterruptedError):
                send()
    finally:
        faults.disarm()
    assert checking.unknown_blobs().count == 2
    assert _gc(0).strays == 0
    age(0.1)
    assert _gc().strays == 0
    done = _gc(60)
    assert done.strays == 2
    assert done.stray_bytes > 29_000
    assert blobs("lfs") | blobs("xorbs") >= set(kept[:1])
    assert checking.unknown_blobs().count == 0


def test_young_blob_of_a_row_that_goes_stays_for_whoever_is_sending_it_again() -> None:
    service.store_bytes(1, REPO, b"lfs")
    service.forget_repo(REPO)
    done = collecting.collect(0, lambda doing: None)
    assert (done.objects, done.object_bytes, len(blobs("lfs"))) == (1, 0, 1)
    age(1)
    assert _gc(0).strays == 1


@pytest.mark.parametrize("point", ["cas.after_rows_collected", "storage.before_delete"])
def test_collection_that_was_killed_leaves_what_the_next_one_takes(point: str) -> None:
    send_file(PIECES)
    stored = service.store_bytes(1, REPO, b"lfs")
    service.link(ALICE, REPO, [Pointer(stored.oid, stored.size)])
    kept = send_file(OTHERS, BOB, OTHER)
    service.store_bytes(2, OTHER, b"".join(OTHERS))
    service.forget_repo(REPO)
    age()
    deaths = 0
    for _ in range(10):
        dead = iter([True])
        faults.arm(point, lambda dead=dead: _die() if next(dead, False) else None)  # type: ignore[misc]
        try:
            collecting.collect(GRACE_S, lambda doing: None)
            break
        except InterruptedError:
            deaths += 1
        finally:
            faults.disarm()
        assert problems() == []
    assert deaths >= 3
    assert _counts() == (1, 1, 1)
    _gc()
    assert checking.unknown_blobs().count == 0
    assert content_of(kept) == b"".join(OTHERS)
    assert send_file(PIECES) is not None
    assert problems() == []


def test_sweep_takes_what_clients_have_forgotten() -> None:
    send_file(PIECES)
    file = XetFile.objects.get().pk
    epochs.note(1, [file])
    swept = cleaning.sweep()
    assert (swept.file_receipts, swept.xorb_receipts, swept.told) == (0, 0, 0)
    age(1.1)
    assert cleaning.sweep().told == 1
    age(6)
    swept = cleaning.sweep()
    assert (swept.receipts, swept.file_receipts, swept.xorb_receipts) == (1, 1, 0)
    age(21)
    assert cleaning.sweep().xorb_receipts == 1


def test_collection_is_a_job_of_each_night_that_a_setting_can_switch_off(
    configure: Callable[..., None],
) -> None:
    send_xorb(PIECES)
    age()
    assert JOBS["cas.gc"].every_s == DAY_S
    configure(gc="off")
    assert jobs.gc(Running()) == {}
    configure(gc="on")
    assert jobs.gc(Running())["xorbs"] == 1


def test_collection_can_be_ended_between_two_steps() -> None:
    for number in range(3):
        send_file(chunks(5000, seed=number + 9), link=False)
    service.forget_repo(REPO)
    age()
    turns: list[str] = []

    def end(doing: str) -> None:
        turns.append(doing)
        if len(turns) == 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        collecting.collect(GRACE_S, end)
    assert problems() == []
    assert _gc().xorbs == 3


def test_grace_must_be_longer_than_clients_build_on_what_they_were_told(
    configure: Callable[..., None],
) -> None:
    configure(gc_grace_s=DAY_S)
    with pytest.raises(BadRequest, match="gc_grace_s"):
        current()


def _die() -> None:
    raise InterruptedError


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.disarm()
