"""Xorbs on their way into storage: the row is true of its blob, whoever sent which form of the same chunks when."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from hutch.cas import stores
from hutch.cas.models import Xorb, XorbReceipt
from hutch.cas.xet import storing
from hutch.storage import faults
from hutch.xet.xorb import scan
from tests.cas.xet_making import (
    ALICE,
    BOB,
    blob_of,
    blobs,
    chunks,
    compressed,
    content_of,
    flip,
    index_of,
    plainly,
    send_file,
    send_xorb,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

ZEROS = [bytes(1000) + piece for piece in chunks(9000, 9000, 500)]


def test_second_form_of_the_same_xorb_leaves_the_first_readable() -> None:
    row = send_file(ZEROS)
    other = plainly(ZEROS)
    assert len(other) != len(compressed(ZEROS))
    name = send_xorb(ZEROS, BOB, other)
    assert content_of(row) == b"".join(ZEROS)
    assert Xorb.objects.get(hash=name).size_bytes == len(compressed(ZEROS))
    assert len(blobs("xorbs")) == 1
    assert XorbReceipt.objects.count() == 2


@pytest.mark.parametrize("order", [0, 1])
def test_two_forms_of_a_xorb_that_come_at_once_leave_one_that_is_true(order: int) -> None:
    both = threading.Barrier(2)
    faults.arm("cas.after_xorb_blob", lambda: both.wait(20) and None)
    forms = [compressed(ZEROS), plainly(ZEROS)][:: 1 if order else -1]
    try:
        with ThreadPoolExecutor() as pool:
            sent = [
                pool.submit(_closing(send_xorb), ZEROS, actor, form)
                for actor, form in zip((ALICE, BOB), forms, strict=True)
            ]
            names = {one.result(60) for one in sent}
    finally:
        faults.disarm()
    (name,) = names
    assert scan(blob_of(name).read_bytes()) == index_of(name)
    assert len(blobs("xorbs")) == 1
    assert XorbReceipt.objects.count() == 2


@pytest.mark.parametrize("harm", ["damaged", "lost", "cut"])
def test_damaged_or_lost_xorb_is_replaced_by_whoever_sends_it_again(harm: str) -> None:
    row = send_file(ZEROS)
    name = Xorb.objects.get().hash
    if harm == "damaged":
        flip(blob_of(name), 40)
        Xorb.objects.update(damaged=True)
    elif harm == "lost":
        blob_of(name).unlink()
    else:
        blob_of(name).write_bytes(b"short")
    send_xorb(ZEROS, BOB, plainly(ZEROS))
    assert content_of(row) == b"".join(ZEROS)
    assert len(blobs("xorbs")) == 1
    assert not Xorb.objects.get().damaged


def test_blob_of_a_crashed_sender_is_no_obstacle() -> None:
    faults.arm("cas.after_xorb_blob", _die)
    try:
        with pytest.raises(InterruptedError):
            send_xorb(ZEROS)
    finally:
        faults.disarm()
    assert (Xorb.objects.count(), len(blobs("xorbs"))) == (0, 1)
    assert content_of(send_file(ZEROS)) == b"".join(ZEROS)


def test_a_xorb_never_gets_a_key_twice() -> None:
    name = send_xorb(ZEROS)
    assert storing.fresh_key(name) != storing.fresh_key(name)
    assert stores.blobs().stat(Xorb.objects.get().storage_key) is not None


def _die() -> None:
    raise InterruptedError


def _closing(function: Callable[..., str]) -> Callable[..., str]:
    """Closes the thread's database connection afterwards: PostgreSQL keeps a test's database while it is open."""

    def call(*args: object) -> str:
        try:
            return function(*args)
        finally:
            connection.close()

    return call
