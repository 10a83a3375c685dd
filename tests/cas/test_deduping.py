"""Objects that came by LFS are cut into chunks afterwards: read the same, stored once, and told to nobody else."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator

import pytest

from hutch.cas import collecting, deduping, jobs, service, stores
from hutch.cas.deduping import Deduped
from hutch.cas.models import FileXorb, LargeObject, XetFile, Xorb
from hutch.cas.xet import cutting, links
from hutch.core.jobs import JOBS, JobCancelled
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.storage import faults
from hutch.xet import hashes
from hutch.xet.chunking import chunks_of
from tests.cas.test_rounds import Running
from tests.cas.xet_making import (
    ALICE,
    OTHER,
    REPO,
    a_repo,
    age,
    blobs,
    content_of,
    entry_of,
    flip,
    problems,
    register,
    send_xorb,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

MEGABYTE = 1 << 20
GRACE_S = 2 * 86_400


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


CONTENT = noise(3 * MEGABYTE, 1)


def by_lfs(content: bytes, repo_id: int = REPO) -> LargeObject:
    """A committed object that came as a blob."""
    stored = service.store_bytes(1, repo_id, content)
    service.link(ALICE, repo_id, [Pointer(stored.oid, stored.size)])
    return LargeObject.objects.get(sha256=stored.oid)


def dedupe(repo_id: int | None = None) -> Deduped:
    done = deduping.dedupe(lambda fraction, text: None, repo_id)
    assert problems() == []
    return done


def assert_same(row: LargeObject, content: bytes) -> None:
    row.refresh_from_db()
    assert content_of(row) == content


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.disarm()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Xorbs of at most a megabyte, and every eighth chunk is offered to all."""
    monkeypatch.setattr(cutting, "MAX_RAW_BYTES", MEGABYTE)
    monkeypatch.setattr(hashes, "is_dedupe_eligible", lambda h: h[31] % 8 == 0)


def test_object_becomes_the_file_that_clients_make_of_it_and_its_blob_goes_later() -> None:
    row = by_lfs(CONTENT)
    done = dedupe()
    assert (done.objects, done.size_bytes, done.left) == (1, len(CONTENT), [])
    assert_same(row, CONTENT)
    assert row.xet_file is not None
    assert row.xet_file.hash == hashes.to_hex(hashes.file_hash(_named(CONTENT)))
    assert collecting.collect(GRACE_S, lambda doing: None).twins == 0
    age()
    assert collecting.collect(GRACE_S, lambda doing: None).twin_bytes == len(CONTENT)
    assert blobs("lfs") == set()
    assert_same(row, CONTENT)
    assert dedupe().shape() == Deduped().shape()


def test_second_object_with_the_same_chunks_stores_only_what_is_new() -> None:
    changed = CONTENT[:MEGABYTE] + noise(200_000, 2) + CONTENT[MEGABYTE:]
    rows = by_lfs(CONTENT), by_lfs(changed)
    first = deduping.dedupe(lambda fraction, text: None)
    assert first.objects == 2
    assert first.stored_bytes < len(CONTENT) + 600_000
    for row, content in zip(rows, (CONTENT, changed), strict=True):
        assert_same(row, content)
    assert FileXorb.objects.count() == 3


@pytest.mark.usefixtures("small")
def test_run_goes_on_over_many_xorbs_and_back_to_where_it_began() -> None:
    content = noise(20 * MEGABYTE, 3)
    by_lfs(content)
    dedupe()
    assert Xorb.objects.count() > 18
    changed = [
        noise(500_000, 4) + content,
        content[300_000:],
        content[: 9 * MEGABYTE] + content[10 * MEGABYTE :],
        content[12 * MEGABYTE :] + content[: 12 * MEGABYTE],
    ]
    known = dict(_named(content))
    for other in changed:
        new = {name: size for name, size in _named(other) if name not in known}
        row = by_lfs(other)
        assert 0 <= dedupe().stored_bytes - sum(new.values()) < 1000, "not a chunk is stored twice"
        assert_same(row, other)
        known |= new


def _named(content: bytes) -> list[tuple[bytes, int]]:
    return [(hashes.chunk_hash(chunk), len(chunk)) for chunk in chunks_of(io.BytesIO(content))]


def test_what_an_object_repeats_is_stored_once() -> None:
    content = CONTENT * 3 + bytes(5 * MEGABYTE)
    row = by_lfs(content)
    assert dedupe().stored_bytes < len(CONTENT) + 400_000
    assert_same(row, content)


def test_what_compresses_is_stored_compressed() -> None:
    content = b"".join(b"%09d," % number for number in range(400_000))
    row = by_lfs(content)
    assert dedupe().stored_bytes < len(content) * 0.6
    assert_same(row, content)


@pytest.mark.parametrize("where", ["the same repository", "a public one", "a private one", "a gated one"])
def test_chunks_are_shared_only_with_what_every_reader_may_read(where: str) -> None:
    if where != "the same repository":
        a_repo(OTHER, "private" if where == "a private one" else "public", "auto" if "gated" in where else "")
    by_lfs(CONTENT, REPO if where == "the same repository" else OTHER)
    dedupe()
    before = Xorb.objects.count()
    row = by_lfs(CONTENT[: 2 * MEGABYTE] + noise(MEGABYTE, 5))
    stored = dedupe().stored_bytes
    assert_same(row, CONTENT[: 2 * MEGABYTE] + noise(MEGABYTE, 5))
    uses = FileXorb.objects.filter(
        file=row.xet_file, xorb__pk__lte=Xorb.objects.order_by("pk")[0].pk
    ).exists()
    if where in ("the same repository", "a public one"):
        assert (uses, stored < 1_300_000) == (True, True)
    else:
        assert (uses, stored > 2.9 * MEGABYTE) == (False, True)
    assert before == 1


def test_object_of_two_repositories_shares_with_what_both_have() -> None:
    by_lfs(CONTENT)
    dedupe()
    changed = CONTENT + noise(MEGABYTE, 6)
    row = by_lfs(changed)
    service.write_receipts(1, OTHER, {row.pk: None})
    service.link(ALICE, OTHER, [Pointer(row.sha256, row.size_bytes)])
    assert dedupe().stored_bytes > len(changed) - 1000, "the other repository does not have the first object"
    assert_same(row, changed)


def test_only_large_objects_of_that_repository_are_cut_up() -> None:
    small, mine, other = by_lfs(b"small"), by_lfs(CONTENT), by_lfs(noise(MEGABYTE, 7), OTHER)
    loose = service.store_bytes(1, REPO, noise(MEGABYTE, 8))
    assert deduping.foresee().objects == 2
    assert deduping.foresee(REPO).size_bytes == len(CONTENT)
    assert dedupe(REPO).objects == 1
    cut_up = LargeObject.objects.filter(xet_file__isnull=False).values_list("sha256", flat=True)
    assert set(cut_up) == {mine.sha256}
    assert dedupe().objects == 1
    assert set(LargeObject.objects.filter(xet_file=None).values_list("sha256", flat=True)) == {
        small.sha256, loose.oid,
    }  # fmt: skip
    assert other.pk


def test_damaged_or_lost_blob_is_left_as_it_is_and_told() -> None:
    rows = by_lfs(CONTENT), by_lfs(noise(MEGABYTE, 9))
    flip(stores.blobs().locate(rows[0].storage_key).path, 5000)  # type: ignore[union-attr]
    stores.blobs().delete(rows[1].storage_key)
    done = deduping.dedupe(lambda fraction, text: None)
    assert (done.objects, len(done.left)) == (0, 2)
    assert "SHA-256" in done.left[0]
    assert "cannot be cut up" in done.left[1]
    assert XetFile.objects.count() == 0


@pytest.mark.parametrize(("visibility", "files"), [("public", 1), ("private", 2)])
def test_file_of_a_bucket_is_the_objects_too_if_all_may_read_it(visibility: str, files: int) -> None:
    a_repo(OTHER, visibility)
    pieces = list(chunks_of(io.BytesIO(CONTENT)))
    entry = entry_of([(send_xorb(pieces), 0, len(pieces))])
    register(entry, ALICE, OTHER)
    links.link_files(ALICE, OTHER, [hashes.to_hex(entry.hash)], Repo.objects.none())
    row = by_lfs(CONTENT)
    dedupe()
    assert XetFile.objects.count() == files
    assert links.files_behind(REPO, [row.sha256]) == {row.sha256: hashes.to_hex(entry.hash)}
    assert_same(row, CONTENT)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "point",
    ["storage.before_rename", "storage.after_rename", "cas.after_xorb_blob", "cas.before_cut_rows",
     "cas.after_cut_rows"],
)  # fmt: skip
def test_work_that_was_killed_is_done_by_the_next(point: str) -> None:
    rows = by_lfs(CONTENT), by_lfs(CONTENT[MEGABYTE:] + noise(MEGABYTE, 10))
    contents = CONTENT, CONTENT[MEGABYTE:] + noise(MEGABYTE, 10)
    deaths = 0
    for nth in (1, 3, 1):
        passes = iter(range(1, nth + 1))
        faults.arm(point, lambda passes=passes: next(passes, None) is None and _die())  # type: ignore[misc]
        try:
            deduping.dedupe(lambda fraction, text: None)
        except KeyboardInterrupt:
            deaths += 1
        finally:
            faults.disarm()
        assert problems() == []
    assert deaths >= 1
    dedupe()
    for row, content in zip(rows, contents, strict=True):
        assert_same(row, content)
    assert deduping.foresee().objects == 0
    for _ in range(3):
        age(3)
        collecting.collect(GRACE_S, lambda doing: None)
    for row, content in zip(rows, contents, strict=True):
        assert_same(row, content)
    assert Xorb.objects.filter(users__isnull=True).count() == 0
    assert len(blobs("xorbs")) == Xorb.objects.count()


def test_collection_in_the_midst_of_it_leaves_the_object_for_the_next_time() -> None:
    row = by_lfs(CONTENT)

    def collect() -> None:
        faults.disarm()
        assert collecting.collect(0, lambda doing: None).xorbs == 1

    faults.arm("cas.before_cut_rows", collect)
    assert len(deduping.dedupe(lambda fraction, text: None).left) == 1
    assert problems() == []
    assert dedupe().objects == 1
    assert_same(row, CONTENT)


@pytest.mark.parametrize("what", ["its repository went", "somebody else cut it up", "it came by a shard"])
def test_object_that_changes_meanwhile_is_left_as_it_is(what: str) -> None:
    row = by_lfs(CONTENT)

    def change() -> None:
        faults.disarm()
        if what == "its repository went":
            service.forget_repo(REPO)
            age()
            assert collecting.collect(0, lambda doing: None).objects == 1
        elif what == "somebody else cut it up":
            assert dedupe().objects == 1
        else:
            pieces = list(chunks_of(io.BytesIO(CONTENT)))
            register(entry_of([(send_xorb(pieces), 0, len(pieces))], CONTENT))

    faults.arm("cas.before_cut_rows", change)
    assert len(deduping.dedupe(lambda fraction, text: None).left) == 1
    assert problems() == []
    if what != "its repository went":
        assert_same(row, CONTENT)


def test_job_tells_how_far_it_is_and_can_be_cancelled(configure: Callable[..., None]) -> None:
    row = by_lfs(CONTENT)
    with pytest.raises(JobCancelled):
        jobs.dedupe(Running(ends_after=1))
    assert deduping.foresee().objects == 1
    assert jobs.dedupe_all(Running()) == {}
    configure(dedupe="on")
    run = Running()
    assert jobs.dedupe_all(run)["objects"] == 1
    assert run.fractions == sorted(run.fractions)
    assert run.fractions[-1] == 1.0
    assert_same(row, CONTENT)
    assert JOBS["cas.dedupe_all"].every_s == 86_400


def _die() -> None:
    raise KeyboardInterrupt  # no part of the house catches it
