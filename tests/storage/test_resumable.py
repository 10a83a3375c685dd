from __future__ import annotations

import errno
import hashlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.core.errors import InsufficientStorage
from hutch.storage import faults
from hutch.storage.errors import (
    BadKey,
    BlobNotFound,
    ChecksumMismatch,
    OffsetMismatch,
    SizeMismatch,
    UploadBusy,
)
from hutch.storage.local import LocalBlobStore
from hutch.storage.resumable import Resumable
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below

CONTENT = os.urandom(13 << 20)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def upload(staging: Staging) -> Resumable:
    return Resumable(staging, "browser-1")


def test_an_upload_goes_on_where_it_stopped(staging: Staging, upload: Resumable) -> None:
    assert upload.offset() == 0
    with upload.append_at(0, len(CONTENT)) as append:
        append.write(CONTENT[:2_000_000])
        assert append.close() == 2_000_000
    again = Staging(staging.root)
    resumed = Resumable(again, "browser-1")
    assert resumed.offset() == 2_000_000
    with resumed.append_at(2_000_000, len(CONTENT)) as append:
        append.write(CONTENT[2_000_000:])
    staged = resumed.finish(len(CONTENT), DIGEST)
    assert (staged.path.read_bytes(), staged.sha256) == (CONTENT, DIGEST)
    again.close()


def test_an_upload_that_a_store_adopted_is_told_again_until_it_is_discarded(
    staging: Staging, upload: Resumable
) -> None:
    store = LocalBlobStore(staging.root.parent / "blobs")
    with upload.append_at(0) as append:
        append.write(CONTENT)
    staged = upload.finish(len(CONTENT))
    store.put("lfs/one", staged)
    again = Resumable(staging, "browser-1")  # after a crash that left no row
    assert again.offset() == len(CONTENT)
    assert again.finish(len(CONTENT)) == staged
    assert store.put("lfs/one", again.finish(len(CONTENT))).size == len(CONTENT)
    again.discard()
    assert again.offset() == 0


def test_what_came_before_the_line_broke_stays(upload: Resumable) -> None:
    with pytest.raises(ConnectionResetError), upload.append_at(0) as append:
        append.write(CONTENT[:1_500_000])
        raise ConnectionResetError
    assert upload.offset() == 1_500_000


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 3_000_000), max_size=5))
def test_any_number_of_breaks_gives_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    staging = Staging(tmp_path_factory.mktemp("breaks"))
    upload = Resumable(staging, "u")
    for stop in [*sorted(cuts), 3_000_000]:
        with upload.append_at(upload.offset()) as append:
            append.write(CONTENT[upload.offset() : stop])
    assert upload.finish(3_000_000, hashlib.sha256(CONTENT[:3_000_000]).hexdigest()).size == 3_000_000
    upload.discard()
    staging.close()


@pytest.mark.parametrize("asked", [0, 2, 4, 1 << 40])
def test_a_wrong_offset_is_refused_with_the_right_one(upload: Resumable, asked: int) -> None:
    with upload.append_at(0) as append:
        append.write(b"abc")
    with pytest.raises(OffsetMismatch) as refused:
        upload.append_at(asked)
    assert (refused.value.offset, refused.value.asked) == (3, asked)
    assert upload.offset() == 3


def test_two_requests_cannot_append_at_once(upload: Resumable) -> None:
    with upload.append_at(0) as append:
        with pytest.raises(UploadBusy):
            upload.append_at(0)
        with pytest.raises(UploadBusy):
            # The file is there and empty: only the lock says no.
            upload.finish(0)
        append.write(b"abc")
    assert upload.offset() == 3


def test_too_many_bytes_are_refused_and_the_rest_stays(upload: Resumable) -> None:
    with pytest.raises(SizeMismatch), upload.append_at(0, 5) as append:
        append.write(b"12345")
        append.write(b"6")
    assert upload.finish(5, hashlib.sha256(b"12345").hexdigest()).size == 5


def test_a_short_upload_cannot_be_finished_and_goes_on(upload: Resumable) -> None:
    with upload.append_at(0) as append:
        append.write(b"123")
    with pytest.raises(SizeMismatch, match="Expected 5 bytes, received 3"):
        upload.finish(5)
    assert upload.offset() == 3


def test_a_wrong_checksum_discards_the_upload(staging: Staging, upload: Resumable) -> None:
    with upload.append_at(0) as append:
        append.write(b"123")
    with pytest.raises(ChecksumMismatch):
        upload.finish(3, "0" * 64)
    assert upload.offset() == 0
    assert files_below(staging.root) == []


def test_an_upload_that_was_never_begun_is_not_found_and_leaves_no_folder(
    staging: Staging, upload: Resumable
) -> None:
    with pytest.raises(BlobNotFound):
        upload.finish(0)
    assert upload.offset() == 0
    assert not staging.upload_folder("browser-1").exists()
    with pytest.raises(BadKey):
        Resumable(staging, "../x")


def test_a_full_disk_keeps_what_fitted_without_a_hole(upload: Resumable) -> None:
    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InsufficientStorage), upload.append_at(0) as append:
        append.write(CONTENT[: 1 << 20])
        append._writer.settle()
        faults.arm("storage.before_write", full)
        for start in range(1 << 20, len(CONTENT), 1 << 20):
            append.write(CONTENT[start : start + (1 << 20)])
    faults.disarm()
    offset = upload.offset()
    assert offset == 1 << 20
    with upload.append_at(offset) as append:
        append.write(CONTENT[offset:])
    assert upload.finish(len(CONTENT), DIGEST).sha256 == DIGEST


def test_an_append_that_cannot_fit_is_refused_before_a_byte(upload: Resumable) -> None:
    with pytest.raises(InsufficientStorage):
        upload.append_at(0, 1 << 60)
    assert upload.offset() == 0


def test_the_finished_upload_can_be_adopted(staging: Staging, upload: Resumable) -> None:
    with upload.append_at(0) as append:
        append.write(CONTENT)
    store = LocalBlobStore(staging.root.parent / "blobs")
    assert store.put("lfs/k", upload.finish(len(CONTENT), DIGEST)).size == len(CONTENT)
    upload.discard()
    assert files_below(staging.root) == []
