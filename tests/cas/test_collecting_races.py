"""Uploads and collections at the same time: what is acknowledged is whole, what was too late is refused as such."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from django.db import connection

from hutch.cas import checking, cleaning, collecting, service, sources
from hutch.cas.errors import MissingObjects, MissingXetFiles, XorbsRefused
from hutch.cas.models import LargeObject, XetFile, Xorb
from hutch.cas.xet import dedupe, epochs, links, scrubbing, shards, storing
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.storage import faults
from hutch.storage.errors import BlobNotFound
from hutch.xet import hashes
from hutch.xet.errors import UnknownXorb
from hutch.xet.shard import Shard
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    age,
    blobs,
    chunks,
    content_of,
    entry_of,
    name_of,
    problems,
    register,
    send_file,
    send_xorb,
    token,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = chunks(9000, 20000, 500)
CONTENT = b"".join(PIECES)
NOW = 0.0
REFUSALS = (XorbsRefused, MissingObjects, MissingXetFiles, KeyError)
"""What a client is told that comes too late; KeyError: the helper found no xorb to describe."""


def _collect(grace_s: float = NOW) -> collecting.Collected:
    return collecting.collect(grace_s, lambda doing: None)


def test_shard_whose_xorb_was_collected_since_it_was_examined_is_refused_and_its_sender_starts_afresh() -> (
    None
):
    send_xorb(PIECES)
    shown = token()
    examined = shards.examine(ALICE, shown, Shard([entry_of([(name_of(PIECES), 0, 3)], CONTENT)], []))
    assert _collect().xorbs == 1
    before = epochs.of(1)
    with pytest.raises(XorbsRefused):
        shards.admit(shown, examined)
    assert epochs.of(1) != before
    assert XetFile.objects.count() == 0
    assert content_of(send_file(PIECES)) == CONTENT


def test_shard_whose_xorb_was_marked_since_it_was_examined_is_refused() -> None:
    send_xorb(PIECES)
    examined = shards.examine(ALICE, token(), Shard([entry_of([(name_of(PIECES), 0, 3)], CONTENT)], []))
    Xorb.objects.update(damaged=True)
    with pytest.raises(XorbsRefused):
        shards.admit(token(), examined)


def test_xorb_that_is_sent_again_while_it_is_collected_is_here_afterwards() -> None:
    send_xorb(PIECES)
    age()

    def send_again() -> None:
        faults.disarm()
        send_xorb(PIECES, BOB)

    faults.arm("cas.after_rows_collected", send_again)
    assert _collect().xorbs == 1
    assert Xorb.objects.count() == len(blobs("xorbs")) == 1
    assert list(scrubbing.check_xorbs()) == []


def test_object_that_is_sent_again_while_it_is_collected_is_here_afterwards() -> None:
    service.store_bytes(1, REPO, b"lfs")
    service.forget_repo(REPO)
    age()

    def send_again() -> None:
        faults.disarm()
        service.store_bytes(2, OTHER, b"lfs")

    faults.arm("cas.after_rows_collected", send_again)
    assert _collect().objects == 1
    assert list(cleaning.fsck()) == []
    assert (LargeObject.objects.count(), len(blobs("lfs"))) == (1, 1)


def test_object_whose_blob_comes_back_while_it_is_dropped_has_both() -> None:
    row = send_file(PIECES)
    service.store_bytes(1, REPO, CONTENT)
    age()

    def send_again() -> None:
        faults.disarm()
        service.store_bytes(2, OTHER, CONTENT)

    faults.arm("cas.after_rows_collected", send_again)
    assert _collect(86_400).twins == 1
    assert list(cleaning.fsck()) == []
    row.refresh_from_db()
    assert (row.storage_key in blobs("lfs"), content_of(row)) == (True, CONTENT)


@pytest.mark.parametrize("what", ["link", "link a file", "remember", "remember a file", "note"])
def test_what_is_gone_when_a_verb_comes_to_it_is_no_failure(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = send_file(PIECES)
    assert row.xet_file is not None
    name, key = row.xet_file.hash, row.xet_file.pk
    service.forget_repo(REPO)
    nobody = Repo.objects.none()
    gone = {row.sha256: row.size_bytes}
    monkeypatch.setattr(service, "known", lambda *_: gone)
    monkeypatch.setattr(links, "known_files", lambda *_: {name: row.size_bytes})
    _collect()
    assert (LargeObject.objects.count(), XetFile.objects.count()) == (0, 0)
    if what == "link":
        with pytest.raises(MissingObjects):
            service.link(ALICE, REPO, [Pointer(row.sha256, row.size_bytes)])
    elif what == "link a file":
        with pytest.raises(MissingXetFiles):
            links.link_files(ALICE, REPO, [name], nobody)
    elif what == "remember":
        service.remember(ALICE, REPO, gone)
    elif what == "remember a file":
        links.remember_files(ALICE, REPO, [name], nobody)
    else:
        epochs.note(1, [key])


def test_row_that_is_collected_between_two_statements_is_written_again() -> None:
    send_xorb(PIECES)
    rows = iter([True, True, False])

    @storing.in_one_go
    def verb() -> str:
        if next(rows):
            Xorb.objects.get(hash="gone")
        return "done"

    assert verb() == "done"


class Crowd:
    """Threads that send, commit, read and delete the same few files, while others collect with no grace at all."""

    def __init__(self, seed: int, seconds: float) -> None:
        self.until = time.monotonic() + seconds
        self.seed = seed
        self.done = self.refused = self.collected = 0
        self.lock = threading.Lock()
        self.pool = [chunks(3000, 9000, 700, 12000, 400, seed=number) for number in range(3)]

    def run(self) -> None:
        jobs: list[Callable[[], None]] = [
            *(self._sender(number) for number in range(3)), self._by_lfs, self._asker, self._collector,
            self._collector,
        ]  # fmt: skip
        with ThreadPoolExecutor(len(jobs)) as threads:
            for job in [threads.submit(self._to_the_end, job) for job in jobs]:
                job.result(120)

    def _to_the_end(self, step: Callable[[], None]) -> None:
        try:
            while time.monotonic() < self.until:
                step()
        finally:
            connection.close()

    def _sender(self, number: int) -> Callable[[], None]:
        actor, repo, dice = Actor(user_id=number + 1), 100 + number, Random(self.seed + number)

        def step() -> None:
            pieces = dice.choice(self.pool)
            start = dice.randrange(len(pieces))
            end = dice.randint(start + 1, len(pieces))
            try:
                self._send(actor, repo, pieces, start, end)
                with self.lock:
                    self.done += 1
            except REFUSALS:
                with self.lock:
                    self.refused += 1
            if dice.random() < 0.7:
                service.forget_repo(repo)

        return step

    def _send(self, actor: Actor, repo: int, pieces: list[bytes], start: int, end: int) -> None:
        name, content = send_xorb(pieces, actor), b"".join(pieces[start:end])
        register(entry_of([(name, start, end)], content), actor, repo)
        oid = Pointer(hashlib.sha256(content).hexdigest(), len(content))
        service.link(actor, repo, [oid])
        assert _read(repo, oid) == content

    def _by_lfs(self) -> None:
        dice = Random(time.monotonic_ns())
        content = b"".join(dice.choice(self.pool)[:2])
        stored = service.store_bytes(9, 200, content)
        service.link(Actor(user_id=9), 200, [Pointer(stored.oid, stored.size)])
        assert _read(200, Pointer(stored.oid, stored.size)) == content
        service.forget_repo(200)

    def _asker(self) -> None:
        for pieces in self.pool:
            try:
                dedupe.answer(Actor(user_id=1), hashes.to_hex(hashes.chunk_hash(pieces[0])))
            except NotFound:
                continue

    def _collector(self) -> None:
        found = _collect()
        with self.lock:
            self.collected += found.xorbs + found.objects + found.compacted
        time.sleep(0.02)


def _read(repo: int, oid: Pointer) -> bytes:
    """A linked object's bytes; again if its chunks moved while it was read, which takes a grace of nothing."""
    for _ in range(50):
        stored = service.object_of(repo, oid.oid)
        assert stored is not None
        try:
            return sources.read(stored, 0, oid.size)
        except (UnknownXorb, BlobNotFound, NotFound):
            continue
    raise AssertionError("a linked object cannot be read")


@pytest.mark.parametrize("seed", [1, 2])
def test_crowd_of_uploads_amid_collections_loses_nothing_that_was_acknowledged(seed: int) -> None:
    crowd = Crowd(seed, seconds=6)
    crowd.run()
    assert crowd.done > 5
    assert crowd.collected > 5
    assert problems() == []
    for repo in (100, 101, 102, 200):
        service.forget_repo(repo)
    age()
    for _ in range(2):
        _collect(86_400)
        age(3)
    assert (LargeObject.objects.count(), XetFile.objects.count(), Xorb.objects.count()) == (0, 0, 0)
    assert blobs("lfs") | blobs("xorbs") == set()
    assert checking.unknown_blobs().count == 0


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faults.disarm()
