"""Damage is mended out of other copies, or marked so that the next upload mends it; nothing unproven gets in place."""

from __future__ import annotations

import os

import pytest

from hutch.cas import service, stores
from hutch.cas.errors import XorbsRefused
from hutch.cas.models import DedupeChunk, FileReceipt, FileXorb, LargeObject, XetFile, Xorb
from hutch.cas.xet import dedupe, epochs, mending
from hutch.core.errors import NotFound
from hutch.storage import faults
from hutch.xet import hashes
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    blob_of,
    blobs,
    chunks,
    compressed,
    content_of,
    entry_of,
    flip,
    name_of,
    plainly,
    problems,
    register,
    send_file,
    send_xorb,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = chunks(9000, 20000, 500)
NAME = name_of(PIECES)


def _mended() -> list[str]:
    """What was done about each problem; afterwards the blobs that are left belong to rows."""
    done = [mending.mend(problem) for problem in problems()]
    assert blobs("xorbs") <= set(Xorb.objects.values_list("storage_key", flat=True))
    return done


def test_damaged_chunk_comes_back_from_another_xorb_that_has_it() -> None:
    row = send_file(PIECES)
    send_xorb([*chunks(3000, seed=5), PIECES[1]], BOB)
    flip(blob_of(NAME), 9500)
    assert "1 of its 3 chunks" in _mended()[0]
    assert content_of(row) == b"".join(PIECES)
    assert problems() == []
    assert not Xorb.objects.get(hash=NAME).damaged
    assert epochs.of(1).startswith("e1-1")


@pytest.mark.parametrize("harm", ["lost", "cut", "flipped"])
def test_all_of_a_xorb_comes_back_from_the_blobs_of_its_files(harm: str) -> None:
    row = send_file(PIECES)
    middle = b"".join(PIECES[1:])
    register(entry_of([(NAME, 1, 3)], middle))
    service.store_bytes(1, REPO, b"".join(PIECES))
    if harm == "lost":
        blob_of(NAME).unlink()
    elif harm == "cut":
        os.truncate(blob_of(NAME), 100)
    else:
        for at in (100, 9100, 29100):
            flip(blob_of(NAME), at)
    assert "3 of its 3 chunks" in _mended()[0]
    assert content_of(row) == b"".join(PIECES)
    assert problems() == []


def test_copies_of_one_xorb_in_several_places_are_joined() -> None:
    row = send_file(PIECES)
    send_xorb([PIECES[0], *chunks(100, seed=1)])
    send_xorb([*chunks(100, seed=2), PIECES[2]])
    middle = send_file([PIECES[1], *chunks(50, seed=4)], repo_id=OTHER)
    blob_of(NAME).unlink()
    assert "3 of its 3 chunks" in _mended()[0]
    assert content_of(row) == b"".join(PIECES)
    assert content_of(middle)


def test_damaged_copy_is_not_put_in_place_of_another() -> None:
    send_file(PIECES)
    other = send_xorb([*chunks(3000, seed=5), PIECES[1]])
    flip(blob_of(NAME), 9500)
    flip(blob_of(other), 3500)
    assert all("marked" in done for done in _mended()[:2])
    assert Xorb.objects.filter(damaged=True).count() == 2


def test_what_nobody_else_has_is_marked_and_clients_start_afresh_once() -> None:
    row = send_file(PIECES)
    flip(blob_of(NAME), 9500)
    before = blob_of(NAME).read_bytes()
    assert "replaced by whoever sends it again" in _mended()[0]
    assert Xorb.objects.get().damaged
    assert epochs.of(1).startswith("e2-1")
    assert blob_of(NAME).read_bytes() == before
    assert "marked" in _mended()[0]
    assert epochs.of(1).startswith("e2-1")
    with pytest.raises(NotFound):
        dedupe.answer(ALICE, hashes.to_hex(hashes.chunk_hash(PIECES[0])))
    with pytest.raises(XorbsRefused):
        register(entry_of([(NAME, 0, 1)], PIECES[0]))
    send_xorb(PIECES, BOB)
    assert content_of(row) == b"".join(PIECES)
    assert problems() == []


def test_file_on_a_marked_xorb_moves_to_the_chunks_that_came_again() -> None:
    row = send_file(PIECES)
    flip(blob_of(NAME), 9500)
    _mended()
    again = send_xorb([*PIECES, *chunks(700, seed=9)])
    register(entry_of([(again, 0, 3)], b"".join(PIECES)))
    assert content_of(row) == b"".join(PIECES)
    assert list(FileXorb.objects.values_list("xorb__hash", flat=True)) == [again]
    assert "1 of its 3 chunks" in _mended()[0], "and the marked one is mended from them"
    assert problems() == []


def test_row_that_does_not_fit_its_whole_blob_is_made_anew() -> None:
    row = send_file(PIECES)
    index = bytes(Xorb.objects.get().index)
    for change in (
        {"index": b"nonsense"}, {"index": index[:8] + bytes(32) + index[40:]}, {"chunks": 7}, {"damaged": True},
        {"size_bytes": 3},
    ):  # fmt: skip
        Xorb.objects.update(**change)
        assert "anew" in _mended()[0]
        assert problems() == []
    assert content_of(row) == b"".join(PIECES)


def test_table_of_another_form_of_the_xorb_is_made_anew_from_the_blob() -> None:
    pieces = [bytes(5000) + piece for piece in PIECES]
    row = send_file(pieces)
    assert plainly(pieces) != compressed(pieces)
    blob_of(name_of(pieces)).write_bytes(plainly(pieces))
    assert "its chunk table was made anew" in _mended()[0]
    assert content_of(row) == b"".join(pieces)
    assert problems() == []


def test_wrong_table_over_a_lost_blob_is_marked() -> None:
    send_file(PIECES)
    blob_of(NAME).unlink()
    Xorb.objects.update(index=b"nonsense")
    assert "marked" in _mended()[0]
    send_xorb(PIECES)
    assert problems() == []


def test_offers_and_uses_are_written_anew() -> None:
    send_file(PIECES)
    DedupeChunk.objects.update(position=2)
    FileXorb.objects.update(ranges="0-1")
    _mended()
    assert problems() == []
    FileXorb.objects.all().delete()
    _mended()
    assert problems() == []


def test_bad_blob_goes_where_the_chunks_are_whole_and_stays_where_they_are_not() -> None:
    row = send_file(PIECES)
    key = service.store_bytes(1, REPO, b"".join(PIECES)).key
    path = stores.blobs().locate(key).path  # type: ignore[union-attr]
    flip(path, 100)
    os.utime(path, (1e9, 1e9))
    assert _mended() == ["its blob was dropped in favour of its chunks, which are whole"]
    assert blobs("lfs") == set()
    assert problems() == []
    row.refresh_from_db()
    assert row.storage_key == ""
    flip(blob_of(NAME), 9500)
    assert _mended()[1] == ""
    assert LargeObject.objects.get().xet_file is not None


def test_file_that_cannot_be_mended_goes_where_the_blob_is_whole_and_is_proven_anew() -> None:
    row = send_file(PIECES)
    content = b"".join(PIECES)
    service.store_bytes(1, REPO, content)
    XetFile.objects.update(terms=b"nonsense")
    assert [done[:40] for done in _mended()] == [
        "it cannot be put together from what is h", "its chunks were dropped in favour of its",
    ]  # fmt: skip
    row.refresh_from_db()
    assert (row.xet_file, XetFile.objects.count(), FileReceipt.objects.count()) == (None, 0, 0)
    register(entry_of([(NAME, 0, 3)], content))
    row.refresh_from_db()
    assert content_of(row) == content
    assert problems() == []


def test_crash_while_damage_is_marked_leaves_what_the_next_repair_finishes() -> None:
    row = send_file(PIECES)
    flip(blob_of(NAME), 9500)
    (problem, *_) = problems()
    faults.arm("cas.after_damage_marked", _die)
    try:
        with pytest.raises(InterruptedError):
            mending.mend(problem)
    finally:
        faults.disarm()
    assert epochs.of(1).startswith("e2-1")
    send_xorb([PIECES[1]])
    assert "1 of its 3 chunks" in _mended()[0]
    assert content_of(row) == b"".join(PIECES)


def test_crash_while_a_xorb_is_rebuilt_leaves_what_the_next_repair_finishes() -> None:
    row = send_file(PIECES)
    send_xorb([PIECES[1]])
    flip(blob_of(NAME), 9500)
    (problem, *_) = problems()
    faults.arm("cas.after_xorb_blob", _die)
    try:
        with pytest.raises(InterruptedError):
            mending.mend(problem)
    finally:
        faults.disarm()
    assert Xorb.objects.get(hash=NAME).damaged
    assert "1 of its 3 chunks" in mending.mend(problems()[0])
    assert content_of(row) == b"".join(PIECES)
    assert problems() == []


def _die() -> None:
    raise InterruptedError
