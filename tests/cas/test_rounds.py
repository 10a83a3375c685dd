"""The store is read over and over, a part each night, the oldest first; damage is mended, told, and tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hutch.cas import jobs, rounds, service, stores
from hutch.cas.models import LargeObject, Xorb
from hutch.core import clock
from hutch.core.jobs import JOBS, JobCancelled
from tests.cas.xet_making import ALICE, REPO, blob_of, chunks, content_of, flip, name_of, send_file, send_xorb

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = [chunks(9000, 20000, seed=number) for number in range(4)]


class Running:
    """A job's run that keeps what it is told."""

    job_id, attempt, cancelled = 1, 1, False

    def __init__(self, ends_after: int = 1000) -> None:
        self.lines: list[str] = []
        self.fractions: list[float] = []
        self._left = ends_after

    def checkpoint(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise JobCancelled("cancelled")

    def progress(self, fraction: float, text: str = "") -> None:
        self.fractions.append(fraction)
        self.checkpoint()

    def log(self, line: str) -> None:
        self.lines.append(line)

    def pause(self) -> None:
        self.checkpoint()


@pytest.fixture
def run() -> Running:
    return Running()


def test_each_night_reads_its_part_and_a_round_reads_all(run: Running) -> None:
    for pieces in PIECES:
        send_file(pieces)
    service.store_bytes(1, REPO, bytes(29000))
    long_ago = clock.now() - timedelta(days=90)
    Xorb.objects.update(checked_at=long_ago)
    LargeObject.objects.update(checked_at=None)
    seen = []
    for _ in range(5):
        done = rounds.scrub(run, round_s=5 * rounds.NIGHT_S)
        seen.append((done.xorbs, done.objects))
        assert 28000 < done.read_bytes < 60000
        assert done.problems == 0
    assert seen[0][1] == 1, "what was never read comes first"
    assert sum(xorbs for xorbs, _ in seen) >= 4
    assert Xorb.objects.filter(checked_at=long_ago).count() == 0
    assert run.fractions[-1] == 1.0


def test_new_xorbs_count_as_read_when_they_came(run: Running) -> None:
    send_file(PIECES[0])
    old = send_xorb(PIECES[1])
    Xorb.objects.filter(hash=old).update(checked_at=clock.now() - timedelta(days=3))
    rounds.scrub(run, round_s=100 * rounds.NIGHT_S)
    assert Xorb.objects.order_by("-checked_at").values_list("hash", flat=True)[0] == old


def test_damage_is_mended_where_a_copy_is_and_told(run: Running) -> None:
    row = send_file(PIECES[0])
    send_xorb([*PIECES[0], *PIECES[1]])
    flip(blob_of(name_of(PIECES[0])), 9500)
    done = rounds.scrub(run, round_s=rounds.NIGHT_S)
    assert done.problems == 1
    assert "1 of its 2 chunks were put in again" in done.told[0]
    assert run.lines == done.told
    assert content_of(row) == b"".join(PIECES[0])
    assert rounds.scrub(run, round_s=rounds.NIGHT_S).problems == 0


def test_damaged_xorb_is_tried_again_each_night_first_of_all(run: Running) -> None:
    row = send_file(PIECES[0])
    for pieces in PIECES[1:]:
        send_file(pieces)
    flip(blob_of(name_of(PIECES[0])), 9500)
    assert "marked" in rounds.scrub(run, round_s=rounds.NIGHT_S).told[0]
    again = rounds.scrub(run, round_s=10**9)
    assert (again.xorbs, again.problems) == (1, 1)
    send_xorb([*PIECES[0], *PIECES[1]])
    assert "put in again" in rounds.scrub(run, round_s=10**9).told[0]
    assert content_of(row) == b"".join(PIECES[0])


def test_damaged_blob_of_an_object_is_told_each_round(run: Running) -> None:
    stored = service.store_bytes(1, REPO, b"one")
    flip(stores.blobs().locate(stored.key).path, 1)  # type: ignore[union-attr]
    for _ in range(2):
        (line,) = rounds.scrub(run, round_s=rounds.NIGHT_S).told
        assert line.startswith(f"object {stored.oid} is damaged: its SHA-256")
    assert LargeObject.objects.get().checked_at is not None


def test_scrub_can_be_cancelled_and_goes_on_where_it_was(run: Running) -> None:
    for pieces in PIECES:
        send_file(pieces)
    Xorb.objects.update(checked_at=None)
    with pytest.raises(JobCancelled):
        rounds.scrub(Running(ends_after=1), round_s=rounds.NIGHT_S)
    assert Xorb.objects.filter(checked_at=None).count() == 2
    rounds.scrub(run, round_s=2 * rounds.NIGHT_S)
    assert Xorb.objects.filter(checked_at=None).count() == 0


def test_scrub_is_a_job_of_each_night_that_a_setting_can_switch_off(
    run: Running, configure: Callable[..., None]
) -> None:
    assert JOBS["cas.scrub"].every_s == 86400
    send_file(PIECES[0], ALICE)
    configure(scrub_round_s=86400)
    assert jobs.scrub(run)["xorbs"] == 1
    configure(scrub_round_s=0)
    assert jobs.scrub(run)["xorbs"] == 0
