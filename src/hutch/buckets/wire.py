"""The streams of buckets: files by `resolve`, and the changes of files as they happen."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from hutch.accounts import actors
from hutch.buckets import changelog, following, listing
from hutch.buckets.changelog import Batch
from hutch.buckets.following import Follower
from hutch.buckets.planning import EMPTY_FILE
from hutch.cas.sending import Content, Pieces, send_content
from hutch.cas.xet import reading, tokens
from hutch.core import threads
from hutch.core.errors import HutchError
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Scope, Send, route
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.wires import content_types
from hutch.repos.wires.resolve_wire import XET_FILE_INFO
from hutch.settings import current

_BUCKET = r"buckets/(?P<namespace>[^/]+)/(?P<name>[^/]+)"
# Clients give a silent stream up after 90 s (huggingface_hub 2.4.0, `_bucket_live_follow.py`).
_PING_S = 20.0
# A stream ends by itself now and then, so that a server that takes over is found.
_LONGEST_S = 3600.0
_BATCHES_A_TURN = 5


async def resolve(scope: Scope, receive: Receive, send: Send) -> None:
    """A file's bytes or, for HEAD, its size and hash, and how to fetch it by its chunks."""
    headers, content = await threads.run(_find_file, scope)
    await send_content(scope, receive, send, content, headers)


def _find_file(scope: Scope) -> tuple[list[tuple[str, str]], Content]:
    asked = scope["request_headers"]
    actor = actors.identify(asked)
    repo = _find(actor, scope)
    file = listing.file_at(repo, scope["path_params"]["path"])
    etag, is_empty = f'"{file.hash}"', file.hash == EMPTY_FILE
    kind = content_types.of(file.path, None)
    headers = [
        ("X-Linked-Size", str(file.size_bytes)),
        ("X-Linked-ETag", etag),
        ("Cache-Control", _cache_control(repo)),
        ("Vary", "Authorization, Cookie"),
        *_xet_headers(actor, repo, file.hash, scope["origin"].base_url),
    ]
    if XET_FILE_INFO in asked.get("accept", "") and not is_empty:
        return headers, Content(b"{}", 2, etag, XET_FILE_INFO)
    headers += content_types.safety_headers(kind, file.path, as_download=_wants_download(scope))
    source: bytes | Pieces = b""
    if scope["method"] != "HEAD" and not is_empty:
        source = reading.source_of(repo.id, file.hash)
    return headers, Content(source, file.size_bytes, etag, kind.media_type)


def _xet_headers(actor: Actor, repo: RepoRow, hash_: str, base_url: str) -> list[tuple[str, str]]:
    auth = f"{base_url}/api/buckets/{repo.full_name}/xet-read-token"
    rebuilt = f"{tokens.cas_url(actor, base_url)}/v1/reconstructions/{hash_}"
    link = f'<{auth}>; rel="xet-auth", <{rebuilt}>; rel="xet-reconstruction-info"'
    return [("X-Xet-Hash", hash_), ("Link", link)]


def _cache_control(repo: RepoRow) -> str:
    is_open = repo.visibility == "public" and not current().require_sign_in
    return "public, no-cache" if is_open else "private, no-store"


def _wants_download(scope: Scope) -> bool:
    return _query(scope, "download").lower() not in ("", "false", "0", "no")


def _query(scope: Scope, name: str) -> str:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return query.get(name, [""])[-1]


def _find(actor: Actor, scope: Scope) -> RepoRow:
    params = scope["path_params"]
    return find_repo(actor, "bucket", f"{params['namespace']}/{params['name']}", "repo.read")


@dataclass(frozen=True, slots=True)
class _Admitted:
    repo: RepoRow
    caller: str
    start: changelog.Start


async def events(scope: Scope, receive: Receive, send: Send) -> None:
    """Changes as server-sent events: what a follower missed, `ready`, then what happens, until somebody goes.

    `cursor` (of an earlier stream) or `since` (a time) say where to begin; with neither, here and now.
    """
    admitted = await threads.run(_admit, scope)
    with following.following(admitted.repo.id, admitted.caller) as follower:
        await _begin(send)
        gone = asyncio.create_task(_until_gone(receive))
        try:
            async for message in _messages(scope, admitted, follower, gone):
                await send({"type": "http.response.body", "body": message, "more_body": True})
                if gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()


def _admit(scope: Scope) -> _Admitted:
    actor = actors.identify(scope["request_headers"])
    repo = _find(actor, scope)
    start = changelog.start(repo.id, cursor=_query(scope, "cursor"), since=_query(scope, "since"))
    return _Admitted(repo, str(actor.user_id or scope["origin"].client_ip), start)


async def _begin(send: Send) -> None:
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-accel-buffering", b"no"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _messages(
    scope: Scope, admitted: _Admitted, follower: Follower, gone: asyncio.Task[None]
) -> AsyncIterator[bytes]:
    repo, end = admitted.repo, time.monotonic() + _LONGEST_S
    if admitted.start.is_reset:
        yield _event("reset", {"reason": "The changes since then are not kept any more"})
        return
    follower.position = admitted.start.position
    async for message in _missed(scope, repo, follower):
        yield message
    yield _event("ready", {"cursor": changelog.cursor_of(repo.id, follower.position)})
    while not following.is_ending() and time.monotonic() < end:
        if not await _rung(follower, gone):
            if gone.done():
                return
            yield b": ping\n\n"
        if following.is_ending():
            break
        follower.alarm.clear()
        if not await threads.run(_may_still, scope, repo):
            return
        async for message in _missed(scope, repo, follower):
            yield message
    yield _event("reconnect", {"cursor": changelog.cursor_of(repo.id, follower.position)})


async def _rung(follower: Follower, gone: asyncio.Task[None]) -> bool:
    """Whether the alarm rang before it was time for a sign of life, or the client went."""
    ringing = asyncio.create_task(follower.alarm.wait())
    try:
        await asyncio.wait({ringing, gone}, timeout=_PING_S, return_when=asyncio.FIRST_COMPLETED)
        return ringing.done()
    finally:
        ringing.cancel()


async def _missed(scope: Scope, repo: RepoRow, follower: Follower) -> AsyncIterator[bytes]:
    """What happened behind the follower's position, which moves along."""
    while batches := await threads.run(changelog.after, repo.id, follower.position, _BATCHES_A_TURN):
        for batch in batches:
            follower.position = batch.position
            yield _changes(repo, batch)


def _changes(repo: RepoRow, batch: Batch) -> bytes:
    cursor = changelog.cursor_of(repo.id, batch.position)
    return _event("changes", {"cursor": cursor, "changes": batch.changes})


def _event(name: str, value: dict[str, Any]) -> bytes:
    # JSON has no line break in it, so one line of data is the whole.
    return f"event: {name}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode()


def _may_still(scope: Scope, repo: RepoRow) -> bool:
    """Asked again before anything more is told: a token may be revoked meanwhile, a bucket moved or made private."""
    try:
        return _find(actors.identify(scope["request_headers"]), scope).id == repo.id
    except HutchError:
        return False


ROUTES = [
    route(
        "bucket_resolve",
        "GET HEAD",
        rf"/{_BUCKET}/resolve/(?P<path>.+)",
        resolve,
        "A file of a bucket: its bytes, or HEAD for its size and hash",
    ),
    route(
        "bucket_events",
        "GET",
        rf"/api/{_BUCKET}/events",
        events,
        "The changes of a bucket's files as they happen, as server-sent events",
    ),
]
