from __future__ import annotations

import hashlib
import os
from pathlib import Path
from random import Random

import pytest

from hutch.core.errors import BadRequest
from hutch.storage import faults
from hutch.storage.errors import BadKey, ChecksumMismatch, PartsMissing, SizeMismatch, UploadBusy
from hutch.storage.local import LocalBlobStore
from hutch.storage.parts import Part, Parts
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below

PART = 3 << 20
WHOLE = Random(7).randbytes(3 * PART + 10)
PIECES = [WHOLE[at : at + PART] for at in range(0, len(WHOLE), PART)]
DIGEST = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def parts(staging: Staging) -> Parts:
    return Parts(staging, "upload-1", len(WHOLE), PART)


def send(parts: Parts, number: int, content: bytes | None = None) -> Part:
    with parts.begin(number) as file:
        file.write(PIECES[number - 1] if content is None else content)
        return file.finish()


def send_all(parts: Parts, *order: int) -> dict[int, str]:
    return {number: send(parts, number).etag for number in order or (1, 2, 3, 4)}


@pytest.fixture
def read_back(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From which byte on each sealing had to read the file."""
    import hutch.storage.parts as module

    starts: list[int] = []
    real = module.hash_range

    def spy(fd: int, update: object, start: int, end: int) -> None:
        starts.append(start)
        real(fd, update, start, end)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "hash_range", spy)
    return starts


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 1, 4, 3), (1, 2, 4, 3)])
def test_parts_in_any_order_are_listed_by_number_and_make_the_whole(
    parts: Parts, order: tuple[int, ...]
) -> None:
    etags = send_all(parts, *order)
    assert parts.stored() == [Part(n, len(piece), etags[n]) for n, piece in enumerate(PIECES, 1)]
    with parts.seal(DIGEST, etags) as staged:
        assert (staged.path.read_bytes(), staged.size, staged.sha256) == (WHOLE, len(WHOLE), DIGEST)


def test_parts_that_came_in_order_are_not_read_again(parts: Parts, read_back: list[int]) -> None:
    send_all(parts)
    parts.seal(DIGEST).close()
    assert read_back == [len(WHOLE)]


def test_only_what_came_out_of_order_is_read(parts: Parts, read_back: list[int]) -> None:
    send_all(parts, 1, 2, 4, 3)
    parts.seal(DIGEST).close()
    # The fourth came before the third, so that its hash could not go on from there.
    assert read_back == [3 * PART]


def test_part_that_was_sent_again_is_read(parts: Parts, read_back: list[int]) -> None:
    send_all(parts)
    send(parts, 2)
    parts.seal(DIGEST).close()
    assert read_back == [0]


def test_part_replaced_by_other_bytes_never_passes_for_the_first(parts: Parts) -> None:
    send_all(parts)
    send(parts, 2, bytes(PART))
    with pytest.raises(ChecksumMismatch):
        parts.seal(DIGEST)
    send(parts, 2)
    assert parts.seal(DIGEST).staged.sha256 == DIGEST


def test_part_begun_again_is_not_here_until_it_is_whole(parts: Parts) -> None:
    etags = send_all(parts)
    with parts.begin(2) as file:
        file.write(b"x" * 100)
        with pytest.raises(UploadBusy):
            parts.seal(DIGEST)
    assert [part.number for part in parts.stored()] == [1, 3, 4]
    with pytest.raises(PartsMissing):
        parts.seal(DIGEST, etags)


def test_parts_are_there_after_a_restart(staging: Staging, parts: Parts) -> None:
    etags = send_all(parts)
    again = Staging(staging.root)
    reopened = Parts(again, "upload-1", len(WHOLE), PART)
    assert {part.number: part.etag for part in reopened.stored()} == etags
    assert reopened.seal(DIGEST, etags).staged.sha256 == DIGEST
    again.close()


def test_part_sent_again_has_a_new_tag(parts: Parts) -> None:
    first, second = send(parts, 1), send(parts, 1)
    assert first.etag != second.etag
    assert parts.stored() == [second]


def test_a_second_writer_of_a_part_cuts_the_first_off(parts: Parts) -> None:
    first = parts.begin(1)
    first.write(b"y" * 1000)
    second = parts.begin(1)
    second.write(PIECES[0])
    with pytest.raises(UploadBusy, match="sent again"):
        first.finish()
    kept = second.finish()
    first.abort()
    assert parts.stored() == [kept]


def test_parts_are_written_side_by_side(parts: Parts) -> None:
    files = [parts.begin(number) for number in (1, 2, 3, 4)]
    for file, piece in zip(files, PIECES, strict=True):
        for at in range(0, len(piece), 1 << 20):
            file.write(piece[at : at + (1 << 20)])
    for file in reversed(files):
        file.finish()
    assert parts.seal(DIGEST).staged.sha256 == DIGEST


def test_nobody_writes_into_a_sealed_upload(staging: Staging, parts: Parts) -> None:
    send_all(parts)
    store = LocalBlobStore(staging.root.parent / "blobs")
    with parts.seal(DIGEST) as staged:
        with pytest.raises(UploadBusy):
            parts.begin(1)
        with pytest.raises(UploadBusy):
            parts.seal(DIGEST)
        store.put("lfs/k", staged)
        with pytest.raises(BadRequest, match="not between"):
            parts.begin(5)
    # It is adopted: whoever goes on writes into a new file.
    send(parts, 1, bytes(PART))
    with store.open("lfs/k") as blob:
        assert blob.read() == WHOLE
    assert [part.number for part in parts.stored()] == [1]
    parts.discard()
    parts.discard()
    assert files_below(staging.root) == []


def test_parts_of_a_file_that_a_store_adopted_before_a_crash_are_not_here(
    staging: Staging, parts: Parts
) -> None:
    send_all(parts)
    staging.upload_folder("upload-1").joinpath("whole").unlink()
    assert parts.stored() == []
    send(parts, 3)
    assert [part.number for part in parts.stored()] == [3]


def test_missing_parts_are_named(parts: Parts) -> None:
    send_all(parts, 2, 4)
    with pytest.raises(PartsMissing) as refused:
        parts.seal()
    assert refused.value.value == [1, 3]
    assert "2 of 4" in refused.value.message


def test_parts_that_the_client_names_must_be_the_ones_that_are_here(parts: Parts) -> None:
    etags = send_all(parts)
    parts.seal(DIGEST, {n: f'"{tag}"' for n, tag in etags.items()}).close()
    for wrong in ({}, {1: etags[1]}, {**etags, 2: etags[1]}, {**etags, 5: "x"}, {**etags, 4: ""}):
        with pytest.raises(PartsMissing):
            parts.seal(DIGEST, wrong)


def test_wrong_checksum_of_the_whole_leaves_the_parts(staging: Staging, parts: Parts) -> None:
    send_all(parts)
    before = files_below(staging.root)
    with pytest.raises(ChecksumMismatch):
        parts.seal("0" * 64)
    assert files_below(staging.root) == before
    assert parts.seal(DIGEST).staged.sha256 == DIGEST


@pytest.mark.parametrize("length", [0, 1, PART - 1])
def test_short_part_is_not_kept(parts: Parts, length: int) -> None:
    with parts.begin(1) as file:
        file.write(PIECES[0][:length])
        with pytest.raises(SizeMismatch, match=f"Expected {PART} bytes, received {length}"):
            file.finish()
    assert parts.stored() == []


def test_long_part_does_not_reach_into_the_next(parts: Parts) -> None:
    send(parts, 2)
    with parts.begin(1) as file, pytest.raises(SizeMismatch):
        file.write(bytes(PART + 1))
    send(parts, 1), send(parts, 3), send(parts, 4)
    assert parts.seal(DIGEST).staged.sha256 == DIGEST


def test_an_upload_of_no_bytes_is_an_empty_file(staging: Staging) -> None:
    empty = Parts(staging, "empty", 0, PART)
    assert (empty.count, empty.stored()) == (0, [])
    with empty.seal(hashlib.sha256(b"").hexdigest(), {}) as staged:
        assert (staged.size, staged.path.read_bytes()) == (0, b"")


@pytest.mark.parametrize("number", [0, -1, 5])
def test_a_part_number_out_of_range_is_refused(parts: Parts, number: int) -> None:
    with pytest.raises(BadRequest, match=str(number)) as refused:
        parts.begin(number)
    assert (refused.value.field, refused.value.limit) == ("part_number", 4)


def test_an_upload_of_too_many_parts_is_refused(staging: Staging) -> None:
    with pytest.raises(BadRequest, match="10001 parts"):
        Parts(staging, "many", 10_001, 1)


@pytest.mark.parametrize("upload_id", ["", "..", "a/b", ".x", "a\0", "x" * 129])
def test_an_upload_id_cannot_leave_the_folder(staging: Staging, upload_id: str) -> None:
    with pytest.raises(BadKey):
        Parts(staging, upload_id, 1, 1)


def test_a_live_upload_is_not_swept_and_an_idle_one_is(staging: Staging, parts: Parts) -> None:
    send_all(parts, 1, 2)
    folder = staging.upload_folder("upload-1")
    _age(folder)
    send(parts, 2)
    assert staging.sweep(3600) == 0
    _age(folder)
    assert staging.sweep(3600) == 2 * PART
    assert parts.stored() == []
    assert send(parts, 1).number == 1


def test_a_fault_before_the_whole_is_synced_leaves_the_parts(staging: Staging, parts: Parts) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    send_all(parts)
    before = files_below(staging.root)
    faults.arm("storage.before_sync", die)
    with pytest.raises(KeyboardInterrupt):
        parts.seal(DIGEST)
    faults.disarm()
    assert files_below(staging.root) == before
    assert parts.seal(DIGEST).staged.sha256 == DIGEST


def test_a_fault_before_a_part_is_synced_keeps_no_part(parts: Parts) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    faults.arm("storage.before_sync", die)
    with pytest.raises(KeyboardInterrupt):
        send(parts, 1)
    assert parts.stored() == []


def _age(folder: Path) -> None:
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (1, 1))


def test_parts_that_a_store_adopted_are_told_again_until_they_are_discarded(
    staging: Staging, parts: Parts
) -> None:
    store = LocalBlobStore(staging.root.parent / "blobs")
    etags = send_all(parts)
    with parts.seal(DIGEST, etags) as staged:
        store.put("lfs/one", staged)
    again = Parts(staging, "upload-1", len(WHOLE), PART)  # after a crash that left no row
    assert {part.number: part.etag for part in again.stored()} == etags
    with pytest.raises(PartsMissing):
        again.seal(DIGEST, {**etags, 2: "f" * 32})
    with again.seal(DIGEST, etags) as told:
        assert told == staged
        assert store.put("lfs/one", told).size == len(WHOLE)
    again.discard()
    assert again.stored() == []


def test_a_part_that_is_sent_again_after_the_adoption_begins_the_upload_anew(
    staging: Staging, parts: Parts
) -> None:
    store = LocalBlobStore(staging.root.parent / "blobs")
    with parts.seal(DIGEST, send_all(parts)) as staged:
        store.put("lfs/one", staged)
    part = send(parts, 2)
    assert parts.stored() == [part]
    with pytest.raises(PartsMissing):
        parts.seal(DIGEST)
