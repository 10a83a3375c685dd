"""One file, sent by people who may not know of each other: each sees it where their own chunks are."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from hutch.cas import checking, service, usage
from hutch.cas.models import FileXorb, LargeObject, ObjectLink, XetFile, Xorb
from hutch.cas.xet import links, mending, reading, reconstructions, scrubbing
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.repos.visibility import readable_by
from tests.cas.xet_making import (
    ALICE,
    BOB,
    OTHER,
    REPO,
    a_repo,
    age,
    blob_of,
    chunks,
    collected,
    content_of,
    entry_of,
    flip,
    name_of,
    register,
    send_file,
    send_xorb,
    token,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

PIECES = chunks(9000, 20000, 500)
CONTENT = b"".join(PIECES)
POINTER = Pointer(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
GRACE_S = 2 * 86_400


def send_in_halves(actor: Actor = BOB, repo_id: int = OTHER) -> None:
    """The same file in two xorbs of the actor's own, committed."""
    parts = [(send_xorb(some, actor), 0, len(some)) for some in (PIECES[:1], PIECES[1:])]
    register(entry_of(parts, CONTENT), actor, repo_id)
    service.link(actor, repo_id, [POINTER])


def told(actor: Actor, repo_id: int) -> set[str]:
    """The xorbs that a reconstruction names."""
    shown, row = token(actor, repo_id), XetFile.objects.all()[0]
    answer = reconstructions.answer(actor, shown, row.hash, "http://hub", version=2)
    return {term["hash"] for term in answer["terms"]}


def test_each_is_told_of_their_own_xorbs_though_the_object_is_one() -> None:
    send_file(PIECES)
    send_in_halves()
    assert LargeObject.objects.count() == 1
    assert told(ALICE, REPO) == {name_of(PIECES)}
    assert told(BOB, OTHER) == {name_of(PIECES[:1]), name_of(PIECES[1:])}


def test_who_has_it_as_plain_bytes_is_told_of_no_chunks() -> None:
    row = send_file(PIECES)
    service.store_bytes(2, OTHER, CONTENT)
    service.link(BOB, OTHER, [POINTER])
    stored = service.object_of(OTHER, row.sha256)
    assert stored is not None
    assert (stored.xet_hash, stored.chunks != "") == ("", True)
    assert service.objects_of(OTHER, [row.sha256]) == {row.sha256: stored}
    assert links.files_behind(OTHER, [row.sha256]) == {}
    with pytest.raises(NotFound):
        told(BOB, OTHER)
    assert usage.measure(OTHER).stored_bytes == len(CONTENT)
    send_in_halves()
    assert told(BOB, OTHER) == {name_of(PIECES[:1]), name_of(PIECES[1:])}


def test_copy_out_of_a_public_repository_lies_where_it_lies_there() -> None:
    a_repo(REPO)
    a_repo(OTHER)
    send_file(PIECES)
    assert set(service.known(BOB, OTHER, [POINTER.oid], readable_by(BOB))) == {POINTER.oid}
    service.remember(BOB, OTHER, [POINTER.oid], readable_by(BOB))
    Repo.objects.filter(pk=REPO).update(visibility="private")
    service.link(BOB, OTHER, [POINTER], readable_by(BOB))
    assert told(BOB, OTHER) == {name_of(PIECES)}


def test_sent_again_by_who_may_read_it_stays_where_it_is() -> None:
    a_repo(REPO)
    send_file(PIECES)
    send_in_halves()
    assert XetFile.objects.count() == 1
    assert told(BOB, OTHER) == {name_of(PIECES)}
    age()
    collected(GRACE_S)
    assert Xorb.objects.count() == 1


@pytest.mark.parametrize("first_goes", [True, False])
def test_what_one_of_them_had_goes_with_them_and_the_other_keeps_theirs(first_goes: bool) -> None:
    row = send_file(PIECES)
    send_in_halves()
    service.forget_repo(REPO if first_goes else OTHER)
    age()
    collected(GRACE_S)
    row.refresh_from_db()
    assert content_of(row) == CONTENT
    assert XetFile.objects.count() == 1
    left = {name_of(PIECES[:1]), name_of(PIECES[1:])} if first_goes else {name_of(PIECES)}
    assert set(Xorb.objects.values_list("hash", flat=True)) == left
    assert told(*((BOB, OTHER) if first_goes else (ALICE, REPO))) == left


def test_damage_to_the_chunks_of_one_is_read_out_of_the_others() -> None:
    row = send_file(PIECES)
    send_in_halves()
    flip(blob_of(name_of(PIECES)), 100)
    Xorb.objects.filter(hash=name_of(PIECES)).update(damaged=True)
    assert row.xet_file is not None
    assert reading.read(row.xet_file.hash, 0, len(CONTENT)) == CONTENT
    assert checking.users_of(row.xet_file.hash, "file") == {REPO, OTHER}


def test_damaged_xorb_is_mended_out_of_a_strangers() -> None:
    send_file(PIECES)
    send_in_halves()
    flip(blob_of(name_of(PIECES)), 100)
    (problem,) = scrubbing.check_xorbs()
    mending.mend(problem)
    assert [*scrubbing.check_xorbs()] == []
    assert told(ALICE, REPO) == {name_of(PIECES)}


def test_rows_of_both_are_written_anew() -> None:
    send_file(PIECES)
    send_in_halves()
    FileXorb.objects.update(ranges="0-1")
    problems = [*scrubbing.check_files()]
    assert len(problems) == 2
    assert "written anew" in mending.mend(problems[0])
    assert [*scrubbing.check_files()] == []


def test_file_of_two_buckets_lies_where_each_has_sent_it() -> None:
    for actor, repo, cuts in ((ALICE, REPO, [3]), (BOB, OTHER, [1, 3])):
        at, parts = 0, []
        for cut in cuts:
            parts.append((send_xorb(PIECES[at:cut], actor), 0, cut - at))
            at = cut
        register(entry_of(parts), actor, repo)
        name = XetFile.objects.all()[0].hash
        assert links.link_files(actor, repo, [name], Repo.objects.none()) == {name: len(CONTENT)}
    assert told(ALICE, REPO) == {name_of(PIECES)}
    assert told(BOB, OTHER) == {name_of(PIECES[:1]), name_of(PIECES[1:])}
    assert usage.totals().distinct_bytes == len(CONTENT)
    assert links.unlink_files(REPO, [name]) == 1
    assert links.linked_files(OTHER, [name]) == {name: len(CONTENT)}


def test_sent_many_times_at_once_by_one_it_lies_here_once() -> None:
    entry = entry_of([(send_xorb(PIECES), 0, 3)], CONTENT)

    def send(_: int) -> None:
        try:
            register(entry)
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(send, range(6)))
    assert XetFile.objects.count() == 1


def test_links_of_before_have_what_their_objects_had() -> None:
    send_file(PIECES)
    plain = service.store_bytes(1, REPO, b"plain")
    service.link(ALICE, REPO, [Pointer(plain.oid, plain.size)])
    before = list(ObjectLink.objects.order_by("pk").values_list("xet_file_id", flat=True))
    ObjectLink.objects.update(xet_file=None)
    import_module("hutch.cas.migrations.0004_file_of_link")._as_it_was(apps, None)
    assert list(ObjectLink.objects.order_by("pk").values_list("xet_file_id", flat=True)) == before
    assert before[0] is not None
