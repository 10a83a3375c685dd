"""Bytes in and out by signed addresses.

What an address is good for stands in its ticket; no repository is looked up.
"""

from __future__ import annotations

import asyncio
from functools import partial

from hutch.cas import bodies, service, signing, sources, stores, uploads
from hutch.cas.bodies import Body
from hutch.cas.lfs_answers import answer_json, speaks_lfs
from hutch.cas.models import Upload
from hutch.cas.sending import Content, send_content
from hutch.cas.signing import Purpose, Ticket
from hutch.core import threads, wires
from hutch.core.errors import BadRequest, HutchError, NotFound
from hutch.core.wires import Receive, Scope, Send, route
from hutch.storage.errors import OffsetMismatch
from hutch.storage.parts import PartFile
from hutch.storage.port import SignedUrl

_JSON_BYTES = 1 << 20
# User bytes are hostile: never shown, never run.
_HOSTILE = (
    ("Content-Disposition", "attachment"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cache-Control", "private, no-store"),
)


def address(base_url: str, ticket: Ticket) -> str:
    """The absolute signed address of a ticket."""
    room = "uploads" if ticket.purpose == "resume" else f"lfs/{ticket.purpose}"
    return f"{base_url}/_cas/{room}/{signing.sign(ticket)}"


@speaks_lfs
async def upload(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes a whole object (LFS transfer `basic`)."""
    ticket = _ticket(scope, "upload")
    staged = await bodies.take(
        scope,
        receive,
        ticket.size,
        partial(stores.staging().create, ticket.size),
        lambda file: file.finish(ticket.size, ticket.oid),
    )
    await threads.run(service.receive, ticket.user_id, ticket.repo_id, staged)
    await wires.answer(send, 200, [("ETag", f'"{ticket.oid}"')])


@speaks_lfs
async def part(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes one part of an object; HEAD says whether it is here already."""
    ticket = _ticket(scope, "part")
    if scope["method"] == "HEAD":
        found = await threads.run_disk(uploads.kept_part, ticket)
        if found is None:
            raise NotFound("This part has not been sent yet")
        await wires.answer(send, 200, [("ETag", f'"{found.etag}"')])
        return
    begin = partial(uploads.begin_part, ticket)
    kept = await bodies.take(scope, receive, uploads.part_length(ticket), begin, PartFile.finish)
    await wires.answer(send, 200, [("ETag", f'"{kept.etag}"')])


@speaks_lfs
async def complete(scope: Scope, receive: Receive, send: Send) -> None:
    """Joins the parts of an object, once all were sent. Safe to repeat."""
    ticket = _ticket(scope, "complete")
    named = uploads.named_parts(await bodies.read_json(receive, _JSON_BYTES), ticket)
    if not await threads.run(uploads.is_received, ticket):
        with await threads.run_disk(uploads.seal, ticket, named) as staged:
            await threads.run(uploads.take_in, ticket, staged)
    await threads.run_disk(uploads.discard, ticket)
    await answer_json(send, 200, {"success": True, "oid": ticket.oid, "size": ticket.size})


@speaks_lfs
async def verify(scope: Scope, receive: Receive, send: Send) -> None:
    """Says whether an object has arrived, to whoever sent it."""
    ticket = _ticket(scope, "verify")
    asked = await bodies.read_json(receive, _JSON_BYTES)
    if asked.get("oid") != ticket.oid or asked.get("size") != ticket.size:
        raise BadRequest("oid and size are not those of this upload", field="oid", value=asked.get("oid"))
    if not await threads.run(uploads.is_received, ticket):
        raise NotFound("The object has not been uploaded", field="oid", value=ticket.oid)
    await answer_json(send, 200, {"oid": ticket.oid, "size": ticket.size})


@speaks_lfs
async def download(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends an object of a repository; ranges resume."""
    ticket = _ticket(scope, "download")
    stored = await threads.run(service.object_of, ticket.repo_id, ticket.oid)
    if stored is None:
        raise NotFound("The object is gone", field="oid", value=ticket.oid)
    place = await threads.run(sources.source, stored)
    if isinstance(place, SignedUrl):
        await wires.answer(send, 302, [("Location", place.url), ("Cache-Control", "no-store")])
        return
    content = Content(place, stored.size, f'"{stored.oid}"', "application/octet-stream")
    await send_content(scope, receive, send, content, _HOSTILE)


@speaks_lfs
async def resume(scope: Scope, receive: Receive, send: Send) -> None:
    """A browser's upload: HEAD tells where it goes on, PATCH appends there, DELETE forgets it."""
    row = await threads.run(uploads.find, _ticket(scope, "resume"))
    if scope["method"] == "DELETE":
        await threads.run(uploads.cancel, row)
        await wires.answer(send, 204, [], with_length=False)
        return
    if scope["method"] == "HEAD":
        await wires.answer(send, 200, _progress(row, await threads.run_disk(uploads.offset, row)))
        return
    offset = await _append(receive, row, _asked_offset(scope))
    oid = row.sha256
    if offset == row.size_bytes and not oid:
        staged = await threads.run_disk(uploads.hash_whole, row)
        oid = await threads.run(uploads.finish, row, staged)
    await answer_json(
        send, 200, {"offset": offset, "size": row.size_bytes, "oid": oid or None}, _progress(row, offset)
    )


async def _append(receive: Receive, row: Upload, at: int) -> int:
    """Appends the request's body; what came stays, also when the line breaks. Returns the new offset."""
    if row.sha256:
        if at != row.size_bytes:
            raise OffsetMismatch(offset=row.size_bytes, asked=at)
        return at
    if at and at == row.size_bytes == await threads.run_disk(uploads.offset, row):
        return at  # all is here; what is left is to take it in
    body = Body(receive)
    try:
        appending = await threads.run_disk(uploads.append, row, at)
    except HutchError:
        await body.discard()
        raise
    try:
        await body.pour(appending)
    except HutchError:
        await body.discard()
        raise
    finally:
        # Shielded: also a request that is cancelled makes durable what it brought.
        offset = await asyncio.shield(threads.run_disk(appending.close))
        await threads.run(uploads.touch, row.staging_id)
    return offset


def _progress(row: Upload, offset: int) -> tuple[tuple[str, str], ...]:
    return (
        ("Upload-Offset", str(offset)),
        ("Upload-Length", str(row.size_bytes)),
        ("Cache-Control", "no-store"),
    )


def _asked_offset(scope: Scope) -> int:
    text = scope["request_headers"].get("upload-offset", "")
    if not text.isascii() or not text.isdigit() or len(text) > 19:
        raise BadRequest(
            "Upload-Offset must say at which byte this goes on", field="Upload-Offset", value=text
        )
    return int(text)


def _ticket(scope: Scope, purpose: Purpose) -> Ticket:
    return signing.read(scope["path_params"]["ticket"], purpose)


_TICKET = r"(?P<ticket>[^/]+)"
ROUTES = [
    route("lfs_upload", "PUT", rf"/_cas/lfs/upload/{_TICKET}", upload, "A whole object, by signed address"),
    route(
        "lfs_part", "PUT HEAD", rf"/_cas/lfs/part/{_TICKET}", part, "A part of an object, by signed address"
    ),
    route("lfs_complete", "POST", rf"/_cas/lfs/complete/{_TICKET}", complete, "Joins the parts of an object"),
    route("lfs_verify", "POST", rf"/_cas/lfs/verify/{_TICKET}", verify, "Whether an object has arrived"),
    route(
        "lfs_download", "GET HEAD", rf"/_cas/lfs/download/{_TICKET}", download, "An object, by signed address"
    ),
    route(
        "resume",
        "HEAD PATCH DELETE",
        rf"/_cas/uploads/{_TICKET}",
        resume,
        "A browser's upload, which can go on",
    ),
]
