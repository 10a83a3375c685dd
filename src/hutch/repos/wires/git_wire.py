"""git's smart HTTP protocol (git's gitprotocol-http): clone and fetch by `git upload-pack`, push by our own hands."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, aclosing
from types import TracebackType

from hutch.accounts import actors
from hutch.core import full_disk, threads, wires
from hutch.core.errors import BadRequest, Forbidden, HutchError, NotFound
from hutch.core.permissions import Actor
from hutch.core.wires import Receive, Scope, Send, route
from hutch.git import receive as git_receive
from hutch.git import upload_pack as git_upload_pack
from hutch.git.errors import GitFailed
from hutch.git.turns import Turns
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.wires import git_body, pushing
from hutch.repos.wires.git_body import ClientGone
from hutch.repos.wires.pushing import PushUnderWay
from hutch.settings import current

_REPO = r"/(?:(?P<kinds>models|datasets|spaces|kernels)/)?(?P<repo>[^/]+(?:/[^/]+)?)"
log = logging.getLogger(__name__)
_NEVER_CACHED = ("Cache-Control", "no-cache, max-age=0, must-revalidate")
# A proxy, or git's own low-speed limit, must not end a push that is being unpacked.
_KEEPALIVE_S = 5.0
_EMPTY_BAND = b"0005\x01"


async def info_refs(scope: Scope, receive: Receive, send: Send) -> None:
    """The first request of a clone, fetch or push."""
    service = wires.query(scope).get("service", [""])[0]
    async with _Plainly(scope, send):
        admit = _admit_push if service == "git-receive-pack" else _admit
        actor, repo = await threads.run(admit, scope)
        if service == "git-upload-pack":
            body = await _advertisement(repo, _protocol(scope), _turn(scope, actor))
        elif service == "git-receive-pack":
            body = await threads.run_disk(git_receive.advertise, repo.path)
        else:
            raise _dumb()
        await wires.answer(send, 200, _answer_headers(f"{service}-advertisement"), body)


# Protocol 2 begins with what the server can do, not with what the repository has: asked of git once.
_capabilities: dict[str, bytes] = {}


async def _advertisement(
    repo: RepoRow, protocol: str | None, turn: AbstractAsyncContextManager[None]
) -> bytes:
    if protocol == "version=2":
        if protocol not in _capabilities:
            _capabilities[protocol] = await git_upload_pack.advertise(repo.path, protocol)
        return _capabilities[protocol]
    async with turn:
        return await git_upload_pack.advertise(repo.path, protocol)


# A clone costs a process, its memory and mostly a core: made when the settings are known.
_turns: list[Turns] = []


def _turn(scope: Scope, actor: Actor) -> AbstractAsyncContextManager[None]:
    if not _turns:
        _turns.append(Turns(current().max_fetches))
    return _turns[0].one(f"user {actor.user_id}" if actor.user_id else scope["origin"].client_ip)


async def upload_pack(scope: Scope, receive: Receive, send: Send) -> None:
    """Clone and fetch: git's output is handed on as it comes; a client that goes ends git."""
    async with _Plainly(scope, send) as sending:
        actor, repo = await threads.run(_admit, scope)
        body = _Body(scope, receive)
        answer = git_upload_pack.serve(repo.path, body.pieces(), _protocol(scope), turn=_turn(scope, actor))
        try:
            async with aclosing(answer):
                async for piece in answer:
                    if not sending.has_begun:
                        await sending.begin(_answer_headers("git-upload-pack-result"))
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            if not sending.has_begun:
                await sending.begin(_answer_headers("git-upload-pack-result"))
            await send({"type": "http.response.body", "body": b""})
        except (ClientGone, asyncio.CancelledError):
            if not body.is_client_gone:
                raise
        except GitFailed:
            if sending.has_begun:
                raise
            # git dies of nonsense as it dies of a damaged repository, without a word in the answer
            log.warning("git could not answer a fetch from %s", repo.path)
            raise BadRequest("git cannot make sense of this request") from None
        finally:
            body.close()


class _Body:
    """A fetch's body and, after its end, the watch for the client's going: never two readers of `receive` at once."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._handler = asyncio.current_task()
        self._watch: asyncio.Task[None] | None = None
        self.is_client_gone = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body; raises as `git_body.pieces` does."""
        try:
            async for piece in git_body.pieces(self._scope, self._receive, current().max_request_bytes):
                yield piece
        except ClientGone:
            self.is_client_gone = True
            raise
        self._watch = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_client_gone = True
        if self._handler is not None:
            self._handler.cancel()

    def close(self) -> None:
        """Ends the watch."""
        if self._watch is not None:
            self._watch.cancel()


async def receive_pack(scope: Scope, receive: Receive, send: Send) -> None:
    """Push: the body goes to the disk first, so that a slow client holds no thread; then all at the disk's pace."""
    async with _Plainly(scope, send) as sending:
        actor, repo = await threads.run(_admit_push, scope)
        limit = current().max_push_bytes
        under_way = await threads.run_disk(pushing.new_push, actor, repo)
        try:
            under_way.size_bytes = await git_body.spool(scope, receive, limit, under_way.body)
            push = await threads.run_disk(pushing.read_commands, under_way)
        except BaseException as error:
            await asyncio.shield(threads.run_disk(under_way.close))
            if isinstance(error, ClientGone):
                return
            raise
        # From here on the push is carried through, whether or not its client waits for the report.
        work = asyncio.create_task(_carry_through(under_way))
        _at_work.add(work)
        work.add_done_callback(_at_work.discard)
        await sending.begin(_answer_headers("git-receive-pack-result"))
        while not (await asyncio.wait({work}, timeout=_KEEPALIVE_S))[0]:
            if "side-band-64k" in push.capabilities:
                await send({"type": "http.response.body", "body": _EMPTY_BAND, "more_body": True})
        await send({"type": "http.response.body", "body": work.result()})


_at_work: set[asyncio.Task[bytes]] = set()


async def _carry_through(under_way: PushUnderWay) -> bytes:
    try:
        await threads.run(pushing.refuse_early, under_way)
        await threads.run_disk(pushing.unpack, under_way)
        results = await threads.run(pushing.land, under_way)
    except Exception as error:
        told = error if isinstance(error, HutchError) else full_disk.named(error)
        if told is None:
            raise
        return pushing.answer(under_way, [], told)
    finally:
        await threads.run_disk(under_way.close)
    return pushing.answer(under_way, results, None)


async def dumb(scope: Scope, receive: Receive, send: Send) -> None:
    """What a git before 1.6.6 asks for."""
    async with _Plainly(scope, send):
        await threads.run(_admit, scope)
        raise _dumb()


def _dumb() -> Forbidden:
    return Forbidden("This server speaks git's smart HTTP protocol only: use git 1.6.6 or newer")


def _admit(scope: Scope) -> tuple[Actor, RepoRow]:
    params = scope["path_params"]
    actor = actors.identify(scope["request_headers"])
    name = params["repo"].removesuffix(".git")
    row = find_repo(actor, params.get("kinds", "models")[:-1], name, "repo.read")
    if not row.path.is_dir():
        raise NotFound("This repository has no git data")
    return actor, row


def _admit_push(scope: Scope) -> tuple[Actor, RepoRow]:
    actor, row = _admit(scope)
    pushing.require_push(actor, row)
    return actor, row


def _protocol(scope: Scope) -> str | None:
    return scope["request_headers"].get("git-protocol")


def _answer_headers(kind: str) -> list[tuple[str, str]]:
    return [("Content-Type", f"application/x-{kind}"), _NEVER_CACHED, ("Pragma", "no-cache")]


class _Plainly:
    """Begins the answer; before that, errors are told in plain text, which git shows to its user behind `remote: `."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self.has_begun = False

    async def begin(self, headers: list[tuple[str, str]]) -> None:
        """Sends the answer's head."""
        self.has_begun = True
        pairs = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": pairs})

    async def __aenter__(self) -> _Plainly:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        told = error if isinstance(error, HutchError) else full_disk.named(error) if error else None
        if told is None or self.has_begun:
            return False
        status, headers, _ = wires.error_answer(told, self._scope)
        headers["Content-Type"] = "text/plain; charset=utf-8"
        await wires.answer(self._send, status, headers.items(), f"{told.message}\n".encode())
        return True


ROUTES = [
    route("git_info_refs", "GET", rf"{_REPO}/info/refs", info_refs, "git: what there is to fetch or push to"),
    route("git_upload_pack", "POST", rf"{_REPO}/git-upload-pack", upload_pack, "git: clone and fetch"),
    route("git_receive_pack", "POST", rf"{_REPO}/git-receive-pack", receive_pack, "git: push"),
    route(
        "git_dumb",
        "GET",
        rf"{_REPO}\.git/(?:HEAD|objects/.+)",
        dumb,
        "git: refused, the old protocol without a server",
    ),
]
