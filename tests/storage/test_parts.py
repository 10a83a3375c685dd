from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable

import pytest

from hutch.core.errors import BadRequest, InsufficientStorage
from hutch.storage import faults
from hutch.storage.errors import BadKey, ChecksumMismatch, PartsMissing, SizeMismatch
from hutch.storage.local import LocalBlobStore
from hutch.storage.parts import Part, Parts
from hutch.storage.port import Staged
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below

Stage = Callable[[bytes], Staged]
# The second is longer than one copying step.
PIECES = [b"one" * 1000, os.urandom(9 << 20), b"", b"last"]
WHOLE = b"".join(PIECES)
DIGEST = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture
def parts(staging: Staging) -> Parts:
    return Parts(staging, "upload-1")


def send_all(parts: Parts, stage: Stage) -> list[Part]:
    return [parts.put(number, stage(piece)) for number, piece in enumerate(PIECES, 1)]


def test_parts_in_any_order_are_listed_by_number_and_joined(parts: Parts, stage: Stage) -> None:
    for number in (3, 1, 4, 2):
        parts.put(number, stage(PIECES[number - 1]))
    assert parts.stored() == [
        Part(number, len(piece), hashlib.sha256(piece).hexdigest()) for number, piece in enumerate(PIECES, 1)
    ]
    staged = parts.assemble(len(WHOLE), DIGEST)
    assert (staged.path.read_bytes(), staged.size, staged.sha256) == (WHOLE, len(WHOLE), DIGEST)


def test_parts_are_there_after_a_restart(staging: Staging, parts: Parts, stage: Stage) -> None:
    sent = send_all(parts, stage)
    again = Staging(staging.root)
    assert Parts(again, "upload-1").stored() == sent
    again.close()


def test_a_part_sent_again_replaces_the_first(parts: Parts, stage: Stage) -> None:
    parts.put(1, stage(b"wrong"))
    second = parts.put(1, stage(b"right"))
    assert parts.put(1, stage(b"right")) == second
    assert parts.stored() == [second]
    assert parts.assemble().path.read_bytes() == b"right"


def test_a_crash_between_new_part_and_removal_of_the_old_leaves_the_new_one(
    staging: Staging, parts: Parts, stage: Stage
) -> None:
    parts.put(1, stage(b"new"))
    folder = staging.upload_folder("upload-1")
    old = folder / f"00001-{hashlib.sha256(b'old').hexdigest()}"
    old.write_bytes(b"old")
    os.utime(old, (1, 1))
    assert parts.assemble().path.read_bytes() == b"new"


def test_the_parts_stay_until_discard_so_that_assembly_can_be_repeated(
    staging: Staging, parts: Parts, stage: Stage
) -> None:
    send_all(parts, stage)
    assert parts.assemble().sha256 == parts.assemble().sha256 == DIGEST
    parts.discard()
    parts.discard()
    assert parts.stored() == []
    assert not staging.upload_folder("upload-1").exists()


def test_missing_parts_are_named(parts: Parts, stage: Stage) -> None:
    parts.put(2, stage(b"b"))
    parts.put(4, stage(b"d"))
    with pytest.raises(PartsMissing) as refused:
        parts.assemble()
    assert refused.value.value == [1, 3]
    assert "2 of 4" in refused.value.message


def test_parts_that_the_client_names_must_be_the_ones_that_are_here(parts: Parts, stage: Stage) -> None:
    first, second = parts.put(1, stage(b"a")), parts.put(2, stage(b"b"))
    assert parts.assemble(etags={1: first.sha256, 2: f'"{second.sha256}"'}).size == 2
    for etags in (
        {1: first.sha256},
        {1: first.sha256, 2: first.sha256},
        {1: first.sha256, 2: second.sha256, 3: first.sha256},
        {},
    ):
        with pytest.raises(PartsMissing):
            parts.assemble(etags=etags)


def test_wrong_size_or_checksum_of_the_whole_leaves_no_joined_file(
    staging: Staging, parts: Parts, stage: Stage
) -> None:
    send_all(parts, stage)
    before = files_below(staging.root)
    with pytest.raises(SizeMismatch):
        parts.assemble(len(WHOLE) + 1, DIGEST)
    with pytest.raises(ChecksumMismatch):
        parts.assemble(len(WHOLE), "0" * 64)
    assert files_below(staging.root) == before


def test_a_full_disk_while_joining_leaves_the_parts_and_nothing_else(
    staging: Staging, parts: Parts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_all(parts, stage)
    before = files_below(staging.root)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(InsufficientStorage):
        parts.assemble()
    assert files_below(staging.root) == before


def test_joining_works_where_the_kernel_cannot_copy(
    parts: Parts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unable(*_: object) -> int:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    send_all(parts, stage)
    monkeypatch.setattr(os, "copy_file_range", unable)
    assert parts.assemble(len(WHOLE), DIGEST).path.read_bytes() == WHOLE


def test_an_upload_without_parts_is_an_empty_file(parts: Parts) -> None:
    assert parts.stored() == []
    assert parts.assemble(0).size == 0
    with pytest.raises(SizeMismatch):
        parts.assemble(1)


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_a_part_number_out_of_range_is_refused(parts: Parts, stage: Stage, number: int) -> None:
    with pytest.raises(BadRequest, match=str(number)) as refused:
        parts.put(number, stage(b"x"))
    assert (refused.value.field, refused.value.limit) == ("part_number", 10_000)


@pytest.mark.parametrize("upload_id", ["", "..", "a/b", ".x", "a\0", "x" * 129])
def test_an_upload_id_cannot_leave_the_folder(staging: Staging, upload_id: str) -> None:
    with pytest.raises(BadKey):
        Parts(staging, upload_id)


def test_the_joined_file_can_be_adopted(staging: Staging, parts: Parts, stage: Stage) -> None:
    send_all(parts, stage)
    store = LocalBlobStore(staging.root.parent / "blobs")
    assert store.put("lfs/k", parts.assemble(len(WHOLE), DIGEST)).size == len(WHOLE)
    parts.discard()
    assert files_below(staging.root) == []


def test_a_live_upload_is_not_swept_and_an_idle_one_is(staging: Staging, parts: Parts, stage: Stage) -> None:
    parts.put(1, stage(b"first"))
    parts.put(2, stage(b"second"))
    folder = staging.upload_folder("upload-1")
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (1, 1))
    parts.put(2, stage(b"second"))
    assert staging.sweep(3600) == 0
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (1, 1))
    assert staging.sweep(3600) == len(b"firstsecond")
    assert parts.stored() == []
    assert parts.put(1, stage(b"again")).number == 1


def test_a_fault_before_the_joined_file_is_synced_leaves_the_parts(
    staging: Staging, parts: Parts, stage: Stage
) -> None:
    def die() -> None:
        raise KeyboardInterrupt

    send_all(parts, stage)
    before = files_below(staging.root)
    faults.arm("storage.before_sync", die)
    with pytest.raises(KeyboardInterrupt):
        parts.assemble()
    assert files_below(staging.root) == before
