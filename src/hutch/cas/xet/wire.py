"""The CAS as Xet clients call it, by `casUrl`, and the signed ranges of xorbs that they fetch.

Source: the Xet specification and hf_xet 1.8.0; the addresses without a version are those of hf_xet 1.2.0 and 1.4.3.
What is not here answers 404, grants (`xorb-grants`) among it: clients then send xorbs by POST.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any
from urllib.parse import parse_qs

from hutch.cas import bodies, stores
from hutch.cas.bodies import Body, ClientGone
from hutch.cas.errors import QuotaRefused, TicketInvalid
from hutch.cas.ranges import range_still_holds
from hutch.cas.sending import Content, send_content
from hutch.cas.xet import dedupe, reconstructions, shard_wire, storing, tokens, xorbs
from hutch.cas.xet.tokens import NO_LIMIT, CasToken, Right
from hutch.core import threads, wires
from hutch.core.errors import BadRequest, HutchError, NotFound, PayloadTooLarge
from hutch.core.permissions import Actor
from hutch.core.wires import Handler, Receive, Scope, Send, route
from hutch.storage.errors import BlobNotFound
from hutch.storage.port import LocalFile, SignedUrl, Staged
from hutch.storage.upload import StagedFile
from hutch.xet import hashes
from hutch.xet.xorb import MAX_XORB_BYTES, XorbIndex

_MOST_FILES = 100
_HOSTILE = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cache-Control", "private, max-age=3600"),
)
Authorized = Callable[[Scope, Receive, Send, CasToken, Actor], Awaitable[None]]


def _with_token(right: Right) -> Callable[[Authorized], Handler]:
    """A handler for whoever shows a CAS token with that right; a body is read off before a refusal is answered."""

    def make(handler: Authorized) -> Handler:
        @wraps(handler)
        async def authorized(scope: Scope, receive: Receive, send: Send) -> None:
            header = scope["request_headers"].get("authorization", "")
            try:
                token, actor = await threads.run(tokens.read, header, right)
            except HutchError:
                await Body(receive).discard()
                raise
            try:
                await handler(scope, receive, send, token, actor)
            except ClientGone:
                return

        return authorized

    return make


@_with_token("write")
async def post_xorb(scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor) -> None:
    """Takes a xorb; `was_inserted` says whether it is new to the sender."""
    name = scope["path_params"]["hash"]
    declared = _declared_length(scope)
    begin = partial(_begin_xorb, name, declared, token.room_bytes)
    finish = partial(_finish_xorb, name, declared)
    staged, index = await bodies.take_any(receive, MAX_XORB_BYTES, begin, finish)
    is_new = await threads.run(storing.receive, actor, staged, name, index)
    await wires.answer_json(send, 200, {"was_inserted": is_new})


def _begin_xorb(name: str, declared: int | None, room: int) -> StagedFile:
    hashes.from_hex(name)
    if declared is not None and declared > MAX_XORB_BYTES:
        raise PayloadTooLarge(
            f"A xorb may have {MAX_XORB_BYTES} bytes, not {declared}",
            field="Content-Length", value=declared, limit=MAX_XORB_BYTES,
        )  # fmt: skip
    if room != NO_LIMIT and (declared or 0) > room:
        raise QuotaRefused(declared or 0, room)
    return stores.staging().create(declared, hashing=False)


def _finish_xorb(name: str, declared: int | None, file: StagedFile) -> tuple[Staged, XorbIndex]:
    return storing.scan_staged(file.finish(declared), name)


def _declared_length(scope: Scope) -> int | None:
    text = scope["request_headers"].get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@_with_token("write")
async def post_shard(scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor) -> None:
    """Registers files, and answers when all is done (hf_xet before 1.8)."""
    examined = await shard_wire.examined(receive, token, actor)
    await shard_wire.prove(examined, shard_wire.quiet)
    count = await threads.run(shard_wire.admit, token, examined)
    await wires.answer_json(send, 200, {"result": 1 if count else 0})


@_with_token("write")
async def post_shard_streaming(
    scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor
) -> None:
    """Registers files, and tells meanwhile how far it is, a line of JSON each."""
    await shard_wire.answer_streaming(receive, send, token, actor)


@_with_token("read")
async def get_chunk(scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor) -> None:
    """Global dedupe: where a chunk stands, for whoever may use it there."""
    name = scope["path_params"]["hash"]
    hashes.from_hex(name)
    found = await threads.run(dedupe.answer, actor, name)
    headers = [("Content-Type", "application/octet-stream"), ("Cache-Control", "no-store")]
    await wires.answer(send, 200, headers, found)


@_with_token("read")
async def get_reconstruction(
    scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor
) -> None:
    """How a file is put together."""
    name = scope["path_params"]["hash"]
    hashes.from_hex(name)
    answer = await threads.run(
        reconstructions.answer, actor, token, name, scope["origin"].base_url,
        version=2 if "/v2/" in scope["path"] else 1, range_header=scope["request_headers"].get("range"),
    )  # fmt: skip
    await wires.answer_json(send, 200, answer)


@_with_token("read")
async def get_reconstructions(
    scope: Scope, receive: Receive, send: Send, token: CasToken, actor: Actor
) -> None:
    """Several files at once: `?file_id=` each. Those that are not there are left out."""
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    names = query.get("file_id", [])
    if not 0 < len(names) <= _MOST_FILES:
        raise BadRequest(
            f"Name 1 to {_MOST_FILES} files by file_id", field="file_id", value=len(names), limit=_MOST_FILES
        )
    answer = await threads.run(_reconstructions, actor, token, names, scope["origin"].base_url)
    await wires.answer_json(send, 200, answer)


def _reconstructions(actor: Actor, token: CasToken, names: list[str], base_url: str) -> dict[str, Any]:
    found: dict[str, Any] = {"files": {}, "fetch_info": {}}
    for name in names:
        hashes.from_hex(name)
        try:
            one = reconstructions.answer(actor, token, name, base_url, version=1)
        except NotFound:
            continue
        found["files"][name] = one["terms"]
        for xorb, places in one["fetch_info"].items():
            known = found["fetch_info"].setdefault(xorb, [])
            known += [place for place in places if place["range"] not in [other["range"] for other in known]]
    return found


async def get_xorb(scope: Scope, receive: Receive, send: Send) -> None:
    """Bytes of a xorb, by signed address: the range, or ranges, that it names, and no others."""
    part = tokens.read_xorb(scope["path_params"]["ticket"])
    asked = scope["request_headers"]
    etag = f'"{part.blob}"'
    # An If-Range that does not match would open the whole xorb.
    if not tokens.holds(part, asked.get("range")) or not range_still_holds(asked.get("if-range"), etag):
        raise TicketInvalid("This address is good for other bytes: send the Range that it was given for")
    found = await threads.run_disk(_locate, part.blob)
    if found is None:  # collected meanwhile: by 403 a client asks anew where the chunks are
        raise TicketInvalid("These bytes lie elsewhere now: ask again")
    size, place = found
    if not isinstance(place, LocalFile):
        await wires.answer(send, 302, [("Location", place.url), ("Cache-Control", "no-store")])
        return
    content = Content(place.path, size, etag, "application/octet-stream")
    await send_content(scope, receive, send, content, _HOSTILE)


def _locate(blob: str) -> tuple[int, LocalFile | SignedUrl] | None:
    key = xorbs.blob_key(blob)
    fact = stores.blobs().stat(key)
    try:
        return (fact.size, stores.blobs().locate(key)) if fact else None
    except BlobNotFound:
        return None


async def missing(scope: Scope, receive: Receive, send: Send) -> None:
    """What this CAS does not have, whatever the credentials: clients go on without it."""
    await Body(receive).discard()
    raise NotFound("This CAS has no such call")


async def telemetry(scope: Scope, receive: Receive, send: Send) -> None:
    """hf_xet tells how it fared, at the origin of `casUrl`; nobody listens."""
    await Body(receive).discard()
    await wires.answer(send, 204, [], with_length=False)


_CAS = r"/_cas/xet/[^/]+"
_HASH = r"(?P<hash>[^/]+)"
_ANY = r"(?:/v1)?"
ROUTES = [
    route("xet_xorb", "POST", rf"{_CAS}{_ANY}/xorbs/[^/]+/{_HASH}", post_xorb, "Takes a xorb"),
    route("xet_shard", "POST", rf"{_CAS}{_ANY}/shards", post_shard, "Registers files of chunks"),
    route(
        "xet_shard_v2", "POST", rf"{_CAS}/v2/shards", post_shard_streaming, "Registers files, told as it goes"
    ),
    route("xet_chunk", "GET", rf"{_CAS}{_ANY}/chunks/[^/]+/{_HASH}", get_chunk, "Where a chunk stands"),
    route(
        "xet_reconstruction",
        "GET",
        rf"{_CAS}(?:/v[12])?/reconstructions?/{_HASH}",
        get_reconstruction,
        "How a file is put together",
    ),
    route(
        "xet_reconstructions",
        "GET",
        rf"{_CAS}{_ANY}/reconstructions",
        get_reconstructions,
        "How several files are put together",
    ),
    route(
        "xet_fetch",
        "GET HEAD",
        r"/_cas/xorb/(?P<ticket>[^/]+)",
        get_xorb,
        "Bytes of a xorb, by signed address",
    ),
    route("xet_missing", "GET HEAD POST PUT", rf"{_CAS}/.*", missing, "What this CAS does not have: 404"),
    route("xet_telemetry", "POST", r"/v1/telemetry", telemetry, "Where hf_xet tells how it fared"),
]
