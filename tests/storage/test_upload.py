from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.core.errors import BadRequest, InsufficientStorage
from hutch.storage import disk, faults
from hutch.storage.errors import ChecksumMismatch, SizeMismatch
from hutch.storage.staging import Staging
from tests.storage.conftest import files_below

# More than two of the largest batches.
CONTENT = os.urandom(9 << 20) + b"tail"


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("piece", [1 << 20, 65_536, 1_000_003, 5 << 20])
def test_an_upload_in_pieces_has_the_bytes_and_the_digest(staging: Staging, piece: int) -> None:
    with staging.create(len(CONTENT)) as upload:
        for start in range(0, len(CONTENT), piece):
            upload.write(CONTENT[start : start + piece])
        staged = upload.finish(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert staged.path.read_bytes() == CONTENT
    assert (staged.size, staged.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@settings(max_examples=40, deadline=None)
@given(pieces=st.lists(st.one_of(st.binary(max_size=50), st.integers(1, 700_000).map(bytes)), max_size=12))
def test_any_cut_of_a_stream_gives_the_same_file(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    staging = Staging(tmp_path_factory.mktemp("cut"))
    with staging.create() as upload:
        for piece in pieces:
            upload.write(piece)
        staged = upload.finish()
    whole = b"".join(pieces)
    assert (staged.path.read_bytes(), staged.sha256) == (whole, hashlib.sha256(whole).hexdigest())
    staged.path.unlink()
    staging.close()


def test_thousands_of_tiny_pieces_in_one_batch_are_all_written(staging: Staging) -> None:
    with staging.create() as upload:
        for number in range(5000):
            upload.add(number.to_bytes(2, "big"))
        staged = upload.finish()
    assert staged.path.read_bytes() == b"".join(number.to_bytes(2, "big") for number in range(5000))


def test_a_buffer_that_the_caller_refills_is_not_torn(staging: Staging) -> None:
    buffer = bytearray(b"a" * 700_000)
    with staging.create() as upload:
        upload.write(buffer)
        buffer[:] = b"b" * 700_000
        upload.write(memoryview(buffer))
        buffer[:] = b"c" * 700_000
        staged = upload.finish()
    assert staged.path.read_bytes() == b"a" * 700_000 + b"b" * 700_000


def test_short_writes_of_the_system_are_continued(staging: Staging, monkeypatch: pytest.MonkeyPatch) -> None:
    pwritev = os.pwritev

    def short(fd: int, buffers: list[bytes], offset: int) -> int:
        return pwritev(fd, [bytes(buffers[0])[:100_001]], offset)

    monkeypatch.setattr(os, "pwritev", short)
    with staging.create() as upload:
        for start in range(0, len(CONTENT), 300_000):
            upload.write(CONTENT[start : start + 300_000])
        staged = upload.finish()
    assert staged.path.read_bytes() == CONTENT


def test_a_wrong_checksum_names_both_digests_and_leaves_nothing(staging: Staging) -> None:
    wrong = "0" * 64
    with staging.create() as upload:
        upload.write(b"bytes")
        with pytest.raises(ChecksumMismatch) as refused:
            upload.finish(5, wrong)
    assert wrong in refused.value.message
    assert hashlib.sha256(b"bytes").hexdigest() in refused.value.message
    assert refused.value.status == 400
    assert files_below(staging.root) == []


@pytest.mark.parametrize("sent", [0, 4, 6])
def test_a_wrong_size_names_both_sizes_and_leaves_nothing(staging: Staging, sent: int) -> None:
    with staging.create() as upload:
        upload.write(b"x" * sent)
        with pytest.raises(SizeMismatch, match=f"Expected 5 bytes, received {sent}"):
            upload.finish(5)
    assert files_below(staging.root) == []


def test_a_body_without_end_is_stopped_at_the_announced_size(staging: Staging) -> None:
    with staging.create(10) as upload:
        upload.write(b"x" * 10)
        with pytest.raises(SizeMismatch):
            upload.write(b"x")
    assert files_below(staging.root) == []


def test_an_upload_left_unfinished_is_removed(staging: Staging) -> None:
    with pytest.raises(ConnectionResetError), staging.create() as upload:
        upload.write(CONTENT)
        raise ConnectionResetError
    assert files_below(staging.root) == []


def test_abort_after_finish_keeps_the_staged_file(staging: Staging) -> None:
    upload = staging.create()
    upload.write(b"kept")
    staged = upload.finish()
    upload.abort()
    assert staged.path.read_bytes() == b"kept"


def test_abort_from_another_thread_ends_the_upload_without_writing_elsewhere(staging: Staging) -> None:
    writing, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        writing.set()
        assert go_on.wait(10)

    faults.arm("storage.before_write", wait)
    upload = staging.create()
    upload.write(b"x" * (1 << 20))
    upload.drain()
    assert writing.wait(10)
    aborting = threading.Thread(target=upload.abort)
    aborting.start()
    assert upload.path.exists()
    go_on.set()
    aborting.join(10)
    assert files_below(staging.root) == []
    with pytest.raises(RuntimeError, match="aborted"):
        upload.write(b"x" * (1 << 20))
        upload.drain()
    with pytest.raises(RuntimeError, match="aborted"):
        upload.finish()


def test_an_upload_that_cannot_fit_is_refused_before_a_byte_with_numbers(staging: Staging) -> None:
    free = disk.free_bytes(staging.root)
    with pytest.raises(InsufficientStorage) as refused:
        staging.create(free * 2)
    assert refused.value.status == 507
    assert refused.value.value == free * 2
    assert str(free * 2) in refused.value.message
    assert isinstance(refused.value.limit, int)
    assert 0 <= refused.value.limit < free * 2
    assert files_below(staging.root) == []


def test_the_reserve_is_not_for_uploads(tmp_path: Path) -> None:
    staging = Staging(tmp_path, reserve_bytes=1 << 60)
    with pytest.raises(InsufficientStorage, match="in reserve"):
        staging.create(1)
    with pytest.raises(InsufficientStorage, match="in reserve"):
        staging.create()
    staging.close()


def test_a_negative_size_is_refused(staging: Staging) -> None:
    with pytest.raises(BadRequest, match="-1"):
        staging.create(-1)


def test_a_full_disk_in_the_middle_is_insufficient_storage_and_leaves_nothing(staging: Staging) -> None:
    with pytest.raises(InsufficientStorage, match="No space left"), staging.create() as upload:
        upload.write(CONTENT[: 1 << 20])
        faults.arm("storage.before_write", full)
        for start in range(1 << 20, len(CONTENT), 1 << 19):
            upload.write(CONTENT[start : start + (1 << 19)])
        upload.finish()
    assert files_below(staging.root) == []


def test_a_full_disk_at_the_last_sync_is_insufficient_storage_and_leaves_nothing(staging: Staging) -> None:
    faults.arm("storage.before_sync", full)
    with staging.create() as upload:
        upload.write(b"small")
        with pytest.raises(InsufficientStorage):
            upload.finish()
    assert files_below(staging.root) == []


def test_other_errors_of_the_disk_are_not_called_full(staging: Staging) -> None:
    def broken() -> None:
        raise OSError(errno.EIO, "Input/output error")

    faults.arm("storage.before_write", broken)
    with pytest.raises(OSError, match="Input/output"), staging.create() as upload:
        upload.write(b"x")
        upload.finish()
    assert files_below(staging.root) == []


def test_fifty_uploads_at_once_do_not_mix(staging: Staging) -> None:
    results: dict[int, str] = {}

    def send(number: int) -> None:
        with staging.create() as upload:
            for _ in range(3):
                upload.write(bytes([number]) * 600_000)
            results[number] = upload.finish().sha256

    threads = [threading.Thread(target=send, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {n: hashlib.sha256(bytes([n]) * 1_800_000).hexdigest() for n in range(50)}


def test_sweep_removes_only_what_lies_idle(staging: Staging) -> None:
    with staging.create() as old, staging.create() as young:
        for upload in (old, young):
            upload.write(b"x" * (1 << 20))
            upload.drain()
        idle, fresh = old.finish(), young.finish()
        os.utime(idle.path, (1, 1))
        assert staging.sweep(3600) == 1 << 20
        assert not idle.path.exists()
        assert fresh.path.exists()
        assert staging.sweep(3600) == 0
