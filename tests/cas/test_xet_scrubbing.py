"""What a check finds in stored xorbs and files, and nothing where all is well."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from hutch.cas import checking, cleaning, service, sources, stores
from hutch.cas.errors import FileDamaged
from hutch.cas.models import DedupeChunk, FileXorb, LargeObject, XetFile, Xorb
from hutch.cas.xet import reconstructions, scrubbing, tokens
from hutch.cas.xet.reading import read
from hutch.xet import files, hashes
from hutch.xet.errors import DamagedXorb
from hutch.xet.files import Term
from tests.cas.xet_making import (
    ALICE,
    OTHER,
    REPO,
    blob_of,
    blobs,
    chunks,
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


def _kinds() -> set[tuple[str, str]]:
    return {(problem.what, problem.kind) for problem in problems()}


def test_what_is_whole_has_no_problems_and_each_size_is_told() -> None:
    row = send_file(PIECES)
    send_file(chunks(8000, seed=3), repo_id=OTHER)
    told: list[int] = []
    assert [*scrubbing.check_xorbs(told.append), *scrubbing.check_files(told.append)] == []
    assert list(cleaning.fsck(told.append)) == []
    xorbs = list(Xorb.objects.order_by("pk").values_list("size_bytes", flat=True))
    assert told == [*xorbs, row.size_bytes, 8000, row.size_bytes, 8000]


@pytest.mark.parametrize(
    ("harm", "kind", "detail"),
    [
        (lambda path: path.unlink(), "missing", "no such blob"),
        (lambda path: os.truncate(path, 9100), "damaged", "Chunk 1 at byte 9008"),
        (lambda path: os.truncate(path, 0), "damaged", "Chunk 0 at byte 0"),
        (lambda path: flip(path, 9500), "damaged", "Chunk 1 at byte 9008 has another hash"),
        (lambda path: flip(path, 9008), "damaged", "Chunk 1 at byte 9008"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "damaged", "29525 bytes instead of 29524"),
    ],
)
def test_harm_to_a_xorb_is_found_with_its_hash_its_key_and_its_place(
    harm: Callable[[object], None], kind: str, detail: str
) -> None:
    row = send_file(PIECES)
    stored = Xorb.objects.get()
    path = blob_of(stored.hash)
    path.chmod(0o640)
    harm(path)
    (found,) = scrubbing.check_xorbs()
    assert (found.what, found.kind, found.oid, found.key) == ("xorb", kind, stored.hash, stored.storage_key)
    assert detail in found.detail
    of_object = [problem for problem in cleaning.fsck() if problem.oid == row.sha256]
    assert [problem.kind for problem in of_object] == ([] if "instead of 29524" in detail else [kind])
    assert checking.users_of(stored.hash, "xorb") == {REPO}


def test_chunks_behind_a_bad_one_are_still_known_to_be_whole() -> None:
    send_file(PIECES)
    stored = Xorb.objects.get()
    flip(blob_of(stored.hash), 9500)
    assert scrubbing.look(stored).bad == [1]
    os.truncate(blob_of(stored.hash), 9100)
    assert scrubbing.look(stored).bad == [1, 2]


def test_rows_that_do_not_fit_their_xorb_are_found() -> None:
    send_file(PIECES)
    stored = Xorb.objects.get()
    index = bytes(stored.index)
    for change, detail in (
        ({"index": b"nonsense"}, "packed xorb index"),
        ({"index": index[:8] + bytes(32) + index[40:]}, "makes another xorb"),
        ({"chunks": 7}, "other sizes"),
        ({"damaged": True}, "is whole"),
    ):
        before = {name: getattr(stored, name) for name in change}
        Xorb.objects.update(**change)
        found = next(iter(scrubbing.check_xorbs()))
        assert (found.what, found.key) == ("xorb", "")
        assert detail in found.detail
        Xorb.objects.update(**before)
    assert problems() == []


def test_chunk_offered_from_a_wrong_place_is_found() -> None:
    send_file(PIECES)
    assert DedupeChunk.objects.filter(position=0).count() == 1
    for place in (1, 99, -1):
        DedupeChunk.objects.update(position=place)
        (found,) = problems()
        assert "1 of its chunks are offered" in found.detail


def test_file_whose_terms_are_wrong_is_found() -> None:
    send_file(PIECES)
    name = Xorb.objects.get().hash
    raw = hashes.from_hex(name)
    whole = sum(map(len, PIECES))
    for terms, detail in (
        ([Term(raw, 0, 9, whole)], "Chunks 0 to 9"),
        ([Term(raw, 0, 3, whole + 1)], f"the term says {whole + 1}"),
        ([Term(raw, 0, 2, 29000), Term(raw, 1, 2, 20000)], "its chunks make the file"),
        ([Term(bytes(32), 0, 3, whole)], "is gone"),
    ):
        before = bytes(XetFile.objects.get().terms)
        XetFile.objects.update(terms=files.pack_terms(terms))
        (found,) = scrubbing.check_files()
        assert (found.what, found.kind, found.oid) == ("file", "damaged", XetFile.objects.get().hash)
        assert detail in found.detail
        assert ("object", "damaged") in _kinds()
        XetFile.objects.update(terms=before)
    XetFile.objects.update(size_bytes=5)
    assert "its row says 5" in next(iter(scrubbing.check_files())).detail
    XetFile.objects.update(size_bytes=whole)
    FileXorb.objects.update(ranges="0-2")
    assert "which chunks it uses" in next(iter(scrubbing.check_files())).detail


def test_object_stored_in_both_ways_is_read_in_both() -> None:
    row = send_file(PIECES)
    service.store_bytes(1, REPO, b"".join(PIECES))
    row.refresh_from_db()
    assert (bool(row.storage_key), row.xet_file is not None) == (True, True)
    assert problems() == []
    blob = next(iter(blobs("lfs")))
    stores.blobs().delete(blob)
    assert [(p.kind, p.key) for p in cleaning.fsck()] == [("missing", blob)]
    service.store_bytes(1, REPO, b"".join(PIECES))
    flip(blob_of(Xorb.objects.get().hash), 9500)
    assert [(p.kind, p.key) for p in cleaning.fsck()] == [("damaged", "")]


def test_object_with_nothing_behind_it_is_missing() -> None:
    LargeObject.objects.create(sha256="1" * 64, size_bytes=1, storage_key="")
    assert [(p.what, p.kind) for p in cleaning.fsck()] == [("object", "missing")]


def test_bad_chunk_is_never_given_out_as_plain_bytes() -> None:
    row = send_file(PIECES)
    assert row.xet_file is not None
    flip(blob_of(Xorb.objects.get().hash), 9500)
    assert read(row.xet_file.hash, 0, 9000) == PIECES[0]
    with pytest.raises(DamagedXorb):
        read(row.xet_file.hash, 8999, 9001)


def test_fetch_addresses_of_a_marked_xorb_are_given_for_whole_chunks_alone() -> None:
    row = send_file(PIECES)
    assert row.xet_file is not None
    whole = send_xorb(PIECES[:1])
    register(entry_of([(whole, 0, 1)], PIECES[0]))
    flip(blob_of(name_of(PIECES)), 9500)
    Xorb.objects.filter(hash=name_of(PIECES)).update(damaged=True)
    token = tokens.CasToken("read", REPO, 1, 0, -1, 1 << 40)

    def ask(name: str, asked: str | None = None) -> dict:
        return reconstructions.answer(ALICE, token, name, "http://hub", version=2, range_header=asked)

    assert len(ask(row.xet_file.hash, "bytes=0-8999")["terms"]) == 1
    with pytest.raises(FileDamaged):
        ask(row.xet_file.hash)
    blob_of(name_of(PIECES)).unlink()
    with pytest.raises(FileDamaged):
        ask(row.xet_file.hash, "bytes=0-8999")


def test_blob_collected_in_favour_of_the_chunks_is_read_from_them() -> None:
    row = send_file(PIECES)
    service.store_bytes(1, REPO, b"".join(PIECES))
    stored = service.object_of(REPO, row.sha256)
    assert stored is not None
    stores.blobs().delete(stored.key)
    assert sources.read(stored, 0, 9000) == PIECES[0]
    assert not hasattr(sources.source(stored), "exists")


def test_form_of_a_xorb_does_not_matter_to_a_check() -> None:
    for pieces in (PIECES, [bytes(9000), b"a" * 100]):
        send_xorb(pieces, data=plainly(pieces))
    assert problems() == []
