"""Half-dead xorbs are compacted: files read the same, and what was given out still holds for the grace time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hutch.cas import collecting, service
from hutch.cas.collecting import Collected
from hutch.cas.models import DedupeChunk, FileXorb, LargeObject, Xorb
from hutch.cas.xet import dedupe, epochs, reconstructions, tokens
from hutch.cas.xet.reading import stream, terms_of
from hutch.git.pointers import Pointer
from hutch.storage import faults
from hutch.xet import hashes, shard
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    age,
    blob_of,
    blobs,
    chunks,
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

PIECES = chunks(9000, 20000, 500, 8000, 30000, 700)
NAME = name_of(PIECES)
GRACE_S = 2 * 86_400


def _part(*runs: tuple[int, int], repo: int = OTHER) -> LargeObject:
    """A committed file of these runs of the xorb's chunks."""
    content = b"".join(b"".join(PIECES[start:end]) for start, end in runs)
    register(entry_of([(NAME, start, end) for start, end in runs], content), ALICE, repo)
    row = LargeObject.objects.order_by("-pk")[0]
    service.link(ALICE, repo, [Pointer(row.sha256, row.size_bytes)])
    return row


def _gc(grace_s: float = GRACE_S) -> Collected:
    done = collecting.collect(grace_s, lambda doing: None)
    assert problems() == []
    return done


@pytest.fixture(autouse=True)
def half_dead() -> Iterator[None]:
    """A xorb whose first file has gone."""
    send_file(PIECES)
    yield
    faults.disarm()


def _forget_whole() -> None:
    service.forget_repo(REPO)
    age()


def test_xorb_is_compacted_when_files_use_less_than_half_of_its_bytes() -> None:
    row, large = _part((1, 2)), _part((3, 5), repo=OTHER + 1)
    _forget_whole()
    size = blob_of(NAME).stat().st_size
    assert collecting.foresee(GRACE_S).compacted == 0
    assert _gc().compacted == 0
    service.forget_repo(OTHER + 1)
    assert large.pk != row.pk
    assert _gc().objects == 1
    foreseen = collecting.foresee(GRACE_S)
    assert (foreseen.compacted, foreseen.compacted_bytes) == (0, 0), "it has been, in the same collection"
    assert list(FileXorb.objects.values_list("xorb__hash", "ranges")) == [(name_of(PIECES[1:2]), "0-1")]
    assert content_of(row) == PIECES[1]
    age(3)
    assert _gc().xorb_bytes == size


def test_what_a_compaction_will_bring_is_foreseen() -> None:
    _part((1, 2))
    _forget_whole()
    size = blob_of(NAME).stat().st_size
    foreseen = collecting.foresee(GRACE_S)
    done = _gc()
    found = {(one.compacted, one.compacted_bytes) for one in (foreseen, done)}
    assert found == {(1, size - 20008)}


def test_runs_and_repeats_keep_their_order() -> None:
    rows = [_part((5, 6), (2, 4), (5, 6)), _part((2, 3))]
    contents = [content_of(row) for row in rows]
    _forget_whole()
    assert _gc().compacted == 1
    assert [content_of(row) for row in rows] == contents
    assert set(FileXorb.objects.values_list("xorb__hash", "ranges")) == {
        (name_of([PIECES[2], PIECES[3], PIECES[5]]), "0-3"), (name_of([PIECES[2], PIECES[3], PIECES[5]]), "0-1"),
    }  # fmt: skip


def test_file_that_uses_the_new_xorb_already_has_one_row_for_both() -> None:
    new = send_xorb([PIECES[1], PIECES[2]])
    content = PIECES[1] + PIECES[1] + PIECES[2]
    register(entry_of([(new, 0, 1), (NAME, 1, 3)], content), ALICE, OTHER)
    row = LargeObject.objects.order_by("-pk")[0]
    service.link(ALICE, OTHER, [Pointer(row.sha256, row.size_bytes)])
    _forget_whole()
    assert _gc().compacted == 1
    assert content_of(row) == content
    assert list(FileXorb.objects.values_list("xorb__hash", "ranges")) == [(new, "0-2")]


def test_what_was_given_out_holds_until_the_grace_has_passed() -> None:
    row = _part((1, 2))
    assert row.xet_file is not None
    before = terms_of(row.xet_file.hash)
    token = tokens.CasToken("read", OTHER, 1, 0, -1, 1 << 40)
    _forget_whole()
    assert _gc().compacted == 1
    assert Xorb.objects.filter(hash=NAME).exists()
    assert b"".join(stream(before, verify=True)) == PIECES[1]
    epoch = epochs.of(1)
    answer = reconstructions.answer(ALICE, token, row.xet_file.hash, "http://hub", version=2)
    assert [term["hash"] for term in answer["terms"]] == [name_of(PIECES[1:2])]
    assert _gc().shape() == Collected().shape()
    age(3)
    assert _gc().xorbs == 1
    assert epochs.of(1) != epoch
    assert content_of(row) == PIECES[1]
    assert len(blobs("xorbs")) == 1


def test_clients_find_the_chunks_in_the_new_xorb() -> None:
    row = _part((1, 2))
    _forget_whole()
    assert _gc().compacted == 1
    assert list(DedupeChunk.objects.values_list("xorb__hash", "position")) == [(name_of(PIECES[1:2]), 0)]
    told = shard.parse(dedupe.answer(ALICE, hashes.to_hex(hashes.chunk_hash(PIECES[1]))))
    assert [hashes.to_hex(xorb.hash) for xorb in told.xorbs] == [name_of(PIECES[1:2])]
    assert row.xet_file_id is not None


def test_client_that_builds_on_the_old_xorb_within_the_grace_brings_it_back_to_life() -> None:
    _part((1, 2))
    _forget_whole()
    assert _gc().compacted == 1
    again = _part((4, 5))
    age(3)
    assert _gc().xorbs == 0
    assert content_of(again) == PIECES[4]


@pytest.mark.parametrize("why", ["sent lately", "told lately", "damaged"])
def test_xorb_on_which_somebody_may_build_now_is_left_alone(why: str) -> None:
    row = _part((1, 2))
    _forget_whole()
    if why == "sent lately":
        send_xorb(PIECES, BOB)
    elif why == "told lately":
        assert row.xet_file_id is not None
        epochs.note(7, [row.xet_file_id])
    else:
        Xorb.objects.update(damaged=True)
    assert collecting.collect(GRACE_S, lambda doing: None).compacted == 0


def test_damaged_chunk_keeps_a_xorb_from_being_compacted() -> None:
    _part((1, 2))
    _forget_whole()
    flip(blob_of(NAME), 9500)
    assert collecting.collect(GRACE_S, lambda doing: None).compacted == 0
    flip(blob_of(NAME), 9500)
    flip(blob_of(NAME), 100)  # a dead chunk
    assert collecting.collect(GRACE_S, lambda doing: None).compacted == 1


def test_file_that_comes_while_frames_are_copied_keeps_the_old_xorb() -> None:
    row = _part((1, 2))
    _forget_whole()
    late: list[LargeObject] = []

    def come() -> None:
        faults.disarm()
        late.append(_part((4, 5), repo=OTHER + 1))

    faults.arm("cas.before_compaction_rows", come)
    assert _gc().compacted == 0
    assert (content_of(row), content_of(late[0])) == (PIECES[1], PIECES[4])
    assert set(FileXorb.objects.values_list("xorb__hash", flat=True)) == {NAME}


def test_same_chunks_again_in_another_file_meanwhile_move_too() -> None:
    row = _part((1, 2))
    _forget_whole()
    late: list[LargeObject] = []

    def come() -> None:
        faults.disarm()
        late.append(_part((1, 2), (1, 2), repo=OTHER + 1))

    faults.arm("cas.before_compaction_rows", come)
    assert _gc().compacted == 1
    assert (content_of(row), content_of(late[0])) == (PIECES[1], PIECES[1] * 2)


@pytest.mark.parametrize(
    "point",
    ["storage.before_rename", "storage.after_rename", "cas.after_xorb_blob", "cas.before_compaction_rows",
     "cas.after_compaction_rows"],
)  # fmt: skip
def test_compaction_that_was_killed_leaves_every_file_whole(point: str) -> None:
    row = _part((1, 2), (3, 4))
    content = content_of(row)
    _forget_whole()
    faults.arm(point, _die)
    with pytest.raises(InterruptedError):
        collecting.collect(GRACE_S, lambda doing: None)
    faults.disarm()
    assert problems() == []
    assert content_of(row) == content
    for _ in range(2):
        _gc()
        age(3)
    _gc()
    assert content_of(row) == content
    assert list(Xorb.objects.values_list("hash", flat=True)) == [name_of([PIECES[1], PIECES[3]])]
    assert len(blobs("xorbs")) == 1


def _die() -> None:
    raise InterruptedError
