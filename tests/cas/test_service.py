"""Who may use which large object."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from hutch.cas import service, sources, stores
from hutch.cas.errors import MissingObjects, PointerSizeMismatch
from hutch.cas.models import LargeObject, ObjectLink, Receipt
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.repos.visibility import readable_by

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

ALICE, BOB = Actor(user_id=1, username="alice"), Actor(user_id=2, username="bob")
MINE, THEIRS = 10, 20
DATA = b"weights " * 1000
OID = hashlib.sha256(DATA).hexdigest()
POINTER = Pointer(OID, len(DATA))


def test_bytes_that_were_sent_may_be_linked_by_their_sender_in_that_repository_only() -> None:
    service.store_bytes(1, MINE, DATA)
    assert service.known(ALICE, MINE, [OID]) == {OID: len(DATA)}
    assert service.known(BOB, MINE, [OID]) == {}
    assert service.known(ALICE, THEIRS, [OID]) == {}
    assert service.known(Actor(), MINE, [OID]) == {}


def test_linked_object_is_known_to_whoever_writes_to_the_repository() -> None:
    service.store_bytes(1, MINE, DATA)
    service.link(ALICE, MINE, [POINTER])
    Receipt.objects.all().delete()
    assert service.known(BOB, MINE, [OID]) == {OID: len(DATA)}


def test_linking_an_object_of_a_private_repository_of_others_reads_as_missing() -> None:
    private = _repo("a/private", "private")
    service.store_bytes(1, private.pk, DATA)
    service.link(ALICE, private.pk, [POINTER])
    with pytest.raises(MissingObjects) as caught:
        service.link(BOB, THEIRS, [POINTER], readable_by(BOB))
    assert caught.value.oids == [OID]
    with pytest.raises(MissingObjects):
        service.link(BOB, THEIRS, [Pointer(OID, 1)], readable_by(BOB))
    assert service.object_of(THEIRS, OID) is None


def test_linking_an_object_of_a_public_repository_needs_no_upload() -> None:
    public = _repo("a/public", "public")
    service.store_bytes(1, public.pk, DATA)
    service.link(ALICE, public.pk, [POINTER])
    service.link(BOB, THEIRS, [POINTER], readable_by(BOB))
    stored = service.object_of(THEIRS, OID)
    assert stored is not None
    assert stored.size == len(DATA)


def test_what_was_told_to_be_there_may_be_linked_after_the_other_repository_became_private() -> None:
    public = _repo("a/public", "public")
    service.store_bytes(1, public.pk, DATA)
    service.link(ALICE, public.pk, [POINTER])
    assert service.known(BOB, THEIRS, [OID], readable_by(BOB))
    service.remember(BOB, THEIRS, [OID])
    Repo.objects.update(visibility="private")
    service.link(BOB, THEIRS, [POINTER], readable_by(BOB))
    assert service.object_of(THEIRS, OID) is not None


def test_own_bytes_make_an_object_linkable_that_somebody_else_has_privately() -> None:
    service.store_bytes(1, MINE, DATA)
    service.link(ALICE, MINE, [POINTER])
    service.store_bytes(2, THEIRS, DATA)
    service.link(BOB, THEIRS, [POINTER])
    assert LargeObject.objects.count() == 1
    assert ObjectLink.objects.count() == 2


def test_pointer_with_a_wrong_size_is_refused_with_both_sizes() -> None:
    service.store_bytes(1, MINE, DATA)
    with pytest.raises(PointerSizeMismatch, match=f"{len(DATA)} bytes; 5 were named"):
        service.link(ALICE, MINE, [Pointer(OID, 5)])
    assert not ObjectLink.objects.exists()


def test_link_of_several_with_one_missing_links_none() -> None:
    service.store_bytes(1, MINE, DATA)
    with pytest.raises(MissingObjects) as caught:
        service.link(ALICE, MINE, [POINTER, Pointer("0" * 64, 3)])
    assert caught.value.oids == ["0" * 64]
    assert not ObjectLink.objects.exists()


def test_stored_bytes_count_an_object_once_and_are_right_after_an_unlink() -> None:
    service.store_bytes(1, MINE, DATA)
    service.store_bytes(1, MINE, b"more")
    more = Pointer(hashlib.sha256(b"more").hexdigest(), 4)
    service.link(ALICE, MINE, [POINTER, more])
    service.link(ALICE, MINE, [POINTER])
    assert service.stored_bytes(MINE) == len(DATA) + 4
    assert service.stored_bytes_by_repo([MINE, THEIRS]) == {MINE: len(DATA) + 4}
    assert service.unlink(MINE, [OID]) == 1
    assert service.stored_bytes(MINE) == 4
    assert service.object_of(MINE, OID) is None
    assert service.known(ALICE, MINE, [OID]) == {}


def test_forgotten_repository_leaves_no_row_of_it() -> None:
    service.store_bytes(1, MINE, DATA)
    service.link(ALICE, MINE, [POINTER])
    service.forget_repo(MINE)
    assert service.stored_bytes(MINE) == 0
    assert service.known(ALICE, MINE, [OID]) == {}


def test_stored_object_is_found_with_its_bytes(data_folder: Path) -> None:
    service.store_bytes(1, MINE, DATA)
    service.link(ALICE, MINE, [POINTER])
    stored = service.object_of(MINE, OID)
    assert stored is not None
    place = sources.source(stored)
    assert isinstance(place, Path)
    assert place.is_relative_to(data_folder)
    assert place.read_bytes() == DATA
    assert [*service.all_objects_of(MINE)] == [stored]
    assert service.objects_of(MINE, [OID, "1" * 64]) == {OID: stored}


def test_staging_is_empty_after_an_object_was_stored() -> None:
    service.store_bytes(1, MINE, DATA)
    assert [path for path in stores.staging().root.rglob("*") if path.is_file()] == []


def test_a_thousand_pointers_are_linked_at_once() -> None:
    pointers = []
    for number in range(1001):
        data = str(number).encode()
        pointers.append(Pointer(hashlib.sha256(data).hexdigest(), len(data)))
    rows = [LargeObject(sha256=p.oid, size_bytes=p.size, storage_key=f"lfs/{p.oid}") for p in pointers]
    LargeObject.objects.bulk_create(rows)
    service.remember(ALICE, MINE, [p.oid for p in pointers])
    service.link(ALICE, MINE, pointers)
    assert ObjectLink.objects.filter(repo_id=MINE).count() == 1001


def _repo(name: str, visibility: str) -> Repo:
    from hutch.core import clock

    return Repo.objects.create(
        type="model",
        name=name,
        full_name=name,
        lower_full_name=name,
        visibility=visibility,
        updated_at=clock.now(),
    )
