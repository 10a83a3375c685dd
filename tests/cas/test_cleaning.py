"""What is swept, what a collector may take, and what fsck finds."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from hutch.cas import cleaning, dying, service, sources, stores, uploads
from hutch.cas.dying import Limits
from hutch.cas.models import LargeObject, Receipt, Upload
from hutch.core import clock
from hutch.core.jobs import JOBS
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

ALICE = Actor(user_id=1, username="alice")
REPO = 10
DAY_S = 86400


def test_whole_store_has_no_problems() -> None:
    _stored(b"one"), _stored(b"")
    sizes: list[int] = []
    assert list(cleaning.fsck(sizes.append)) == []
    assert sizes == [3, 0]


def test_object_whose_bytes_are_gone_is_missing() -> None:
    stored = _stored(b"one")
    _path(stored).unlink()
    (problem,) = cleaning.fsck()
    assert (problem.kind, problem.oid, problem.key) == ("missing", stored.oid, stored.key)


@pytest.mark.parametrize(
    ("bytes_now", "detail"),
    [(b"onE", "its SHA-256 is"), (b"on", "2 bytes instead of 3"), (b"ones", "4 bytes instead")],
)
def test_object_whose_bytes_changed_is_damaged(bytes_now: bytes, detail: str) -> None:
    stored = _stored(b"one")
    _stored(b"other")
    path = _path(stored)
    path.chmod(0o640)
    path.write_bytes(bytes_now)
    (problem,) = cleaning.fsck()
    assert (problem.kind, problem.oid) == ("damaged", stored.oid)
    assert detail in problem.detail


def test_only_old_objects_without_link_and_receipt_may_be_collected() -> None:
    linked, awaited, young, loose = (_stored(data) for data in (b"linked", b"awaited", b"young", b"loose"))
    service.link(ALICE, REPO, [Pointer(linked.oid, linked.size)])
    long_ago = clock.now() - timedelta(days=30)
    LargeObject.objects.exclude(sha256=young.oid).update(created_at=long_ago)
    Receipt.objects.exclude(object__sha256=awaited.oid).update(renewed_at=long_ago)
    assert list(dying.objects(Limits.now(DAY_S)).values_list("sha256", flat=True)) == [loose.oid]


def test_sweep_removes_receipts_and_uploads_that_nobody_touched() -> None:
    old, new = _stored(b"old"), _stored(b"new")
    stale, fresh = (uploads.begin(1, REPO, path, 10) for path in ("stale", "fresh"))
    for row in (stale, fresh):
        with uploads.append(row, 0) as file:
            file.write(b"12345")
    long_ago = clock.now() - timedelta(days=8)
    Receipt.objects.filter(object__sha256=old.oid).update(renewed_at=long_ago)
    Upload.objects.filter(pk=stale.pk).update(touched_at=long_ago)
    _age(stale.staging_id)
    swept = cleaning.sweep()
    assert (swept.staging_bytes, swept.uploads, swept.receipts) == (5, 1, 1)
    assert list(Upload.objects.values_list("path", flat=True)) == ["fresh"]
    assert uploads.offset(fresh) == 5
    assert service.known(ALICE, REPO, [old.oid, new.oid]) == {new.oid: 3}


def test_old_upload_into_which_bytes_still_flow_is_kept() -> None:
    row = uploads.begin(1, REPO, "slow", 10)
    with uploads.append(row, 0) as file:
        file.write(b"12345")
    Upload.objects.update(touched_at=clock.now() - timedelta(days=8))
    assert cleaning.sweep().uploads == 0
    assert uploads.offset(row) == 5


def test_sweep_keeps_for_as_long_as_the_setting_says(configure: Callable[..., None]) -> None:
    configure(staging_keep_s=60)
    _stored(b"old")
    Receipt.objects.update(renewed_at=clock.now() - timedelta(seconds=61))
    assert cleaning.sweep().receipts == 1


def test_sweep_runs_every_hour() -> None:
    assert JOBS["cas.sweep"].every_s == 3600


def _stored(data: bytes) -> service.StoredObject:
    stored = service.store_bytes(1, REPO, data)
    assert stored.oid == hashlib.sha256(data).hexdigest()
    return stored


def _age(staging_id: str) -> None:
    folder = stores.staging().upload_folder(staging_id)
    moment = time.time() - 8 * DAY_S
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (moment, moment))


def _path(stored: service.StoredObject) -> Path:
    place = sources.source(stored)
    assert isinstance(place, Path)
    return place
