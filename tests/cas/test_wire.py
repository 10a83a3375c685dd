"""The wires of bytes, called in this process: what a live server cannot be brought to do."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from typing import Any

import pytest

from hutch.cas import service, signing, stores, uploads, wire
from hutch.cas.models import LargeObject
from hutch.cas.signing import Ticket
from hutch.core import wires
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from tests.cas.calling import Answer, call

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("data_folder")]

DATA = os.urandom(300_000)
OID = hashlib.sha256(DATA).hexdigest()
TICKET = Ticket("upload", repo_id=10, user_id=1, oid=OID, size=len(DATA))


def test_upload_that_does_not_fit_on_the_disk_is_refused_with_numbers() -> None:
    stores.staging().reserve_bytes = 1 << 60
    answer = put(TICKET, [DATA])
    assert (answer.status, answer.json["code"]) == (507, "InsufficientStorage")
    assert str(len(DATA)) in answer.json["message"]
    assert not LargeObject.objects.exists()
    assert files() == []


def test_part_and_piece_that_do_not_fit_on_the_disk_are_refused() -> None:
    stores.staging().reserve_bytes = 1 << 60
    part = Ticket("part", 10, 1, OID, len(DATA), part_bytes=len(DATA), part=1)
    assert put(part, [DATA]).status == 507
    row = uploads.begin(1, 10, "a.bin", len(DATA))
    resume = Ticket("resume", 10, 1, upload=row.staging_id)
    assert put(resume, [DATA], method="PATCH", headers={"upload-offset": "0"}).status == 507


def test_request_that_is_cancelled_leaves_nothing_in_staging() -> None:
    async def run() -> None:
        task = asyncio.create_task(_cancelled_upload())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert files() == []


async def _cancelled_upload() -> None:
    messages = iter([{"type": "http.request", "body": DATA[:200_000], "more_body": True}])

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        raise AssertionError("nobody is answered")

    scope = {
        "method": "PUT",
        "request_headers": {},
        "path_params": {"ticket": signing.sign(TICKET)},
        "request_id": "x",
    }
    await wire.upload(scope, receive, send)


def test_client_that_goes_is_not_answered_and_leaves_nothing() -> None:
    with pytest.raises(AssertionError, match="no answer"):
        put(TICKET, [DATA[:1000]], goes=True)
    assert files() == []


def test_object_that_is_uploaded_while_another_sends_it_is_the_same() -> None:
    assert put(TICKET, [DATA[:5], DATA[5:]]).status == 200
    other = Ticket("upload", repo_id=11, user_id=2, oid=OID, size=len(DATA))
    assert put(other, [DATA]).status == 200
    assert LargeObject.objects.count() == 1
    for user_id, repo_id in ((1, 10), (2, 11)):
        assert service.known(Actor(user_id=user_id), repo_id, [OID]) == {OID: len(DATA)}
    assert service.known(Actor(user_id=1), 11, [OID]) == {}


def test_downloaded_object_that_was_unlinked_meanwhile_is_gone() -> None:
    ticket = Ticket("download", 10, 1, OID, len(DATA))
    put(TICKET, [DATA])
    assert put(ticket, [], method="GET").status == 404
    service.link(Actor(user_id=1), 10, [Pointer(OID, len(DATA))])
    assert put(ticket, [], method="GET").body == DATA
    service.unlink(10, [OID])
    assert put(ticket, [], method="GET").status == 404


@pytest.mark.parametrize(
    ("size", "setting", "part_bytes", "count"),
    [
        (10, 4, 4, 3),
        (0, 4, 4, 0),
        (4000, 4, 4, 1000),
        (4001, 4, 1 << 20, 1),
        (5000 << 20, 4 << 20, 5 << 20, 1000),
    ],
)
def test_parts_grow_where_there_would_be_more_than_a_thousand(
    configure: Callable[..., None], size: int, setting: int, part_bytes: int, count: int
) -> None:
    configure(part_bytes=setting)
    whole = Ticket("complete", 1, 1, OID, size, part_bytes=uploads.part_bytes_for(size))
    tickets = uploads.part_tickets(whole)
    assert (whole.part_bytes, len(tickets)) == (part_bytes, count)
    assert sum(uploads.part_length(ticket) for ticket in tickets) == size


def test_each_wire_has_an_address_that_leads_to_it() -> None:
    methods = {
        "upload": "PUT",
        "part": "PUT",
        "complete": "POST",
        "verify": "POST",
        "download": "GET",
        "resume": "PATCH",
    }
    for purpose, method in methods.items():
        ticket = Ticket(purpose, 1, 1, OID, 5)  # type: ignore[arg-type]
        path = wire.address("", ticket)
        found = wires.find(wire.ROUTES, method, path)
        assert found is not None
        assert signing.read(found[1]["ticket"], purpose).oid == OID  # type: ignore[arg-type]


def put(
    ticket: Ticket,
    pieces: list[bytes],
    *,
    method: str = "PUT",
    headers: dict[str, str] | None = None,
    goes: bool = False,
) -> Answer:
    return call(wire.ROUTES, method, wire.address("", ticket), pieces, headers=headers, goes=goes)


def files() -> list[str]:
    root = stores.staging().root.parent
    return [path.name for path in root.rglob("*") if path.is_file()]
