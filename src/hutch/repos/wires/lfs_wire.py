"""git-lfs's API of a repository: batch and locks (git-lfs, docs/api/batch.md and locking.md).

The bytes themselves go by the signed addresses of `cas/wire.py`. An object that exists but that this actor may not read
is treated in every answer as one that does not exist.
"""

from __future__ import annotations

from hutch.accounts import actors
from hutch.cas import bodies, locks
from hutch.cas.errors import LockExists
from hutch.cas.lfs_answers import answer_json, speaks_lfs
from hutch.cas.locks import Lock
from hutch.core import paging, threads, wires
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor, require
from hutch.core.wires import Receive, Scope, Send, route
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.wires import lfs_batch

_BODY_BYTES = 4 << 20
_MOST_LOCKS = 100


@speaks_lfs
async def batch(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells how to send or fetch objects."""
    body = await bodies.read_json(receive, _BODY_BYTES)
    await answer_json(send, 200, await threads.run(_batch, scope, body))


@speaks_lfs
async def create_lock(scope: Scope, receive: Receive, send: Send) -> None:
    """Locks a file."""
    body = await bodies.read_json(receive, _BODY_BYTES)
    try:
        lock = await threads.run(_create_lock, scope, body)
    except LockExists as error:
        await answer_json(send, 409, {"lock": error.lock.shape(), "message": error.message})
        return
    await answer_json(send, 201, {"lock": lock.shape()})


@speaks_lfs
async def list_locks(scope: Scope, receive: Receive, send: Send) -> None:
    """The locks of a repository, of one path, or one by its id."""
    found, more = await threads.run(_list_locks, scope)
    await answer_json(send, 200, {"locks": [lock.shape() for lock in found], **more})


@speaks_lfs
async def verify_locks(scope: Scope, receive: Receive, send: Send) -> None:
    """The locks before a push: one's own, and those of others."""
    body = await bodies.read_json(receive, _BODY_BYTES)
    actor, found, more = await threads.run(_verify_locks, scope, body)
    ours = [lock.shape() for lock in found if lock.owner_id == actor.user_id]
    theirs = [lock.shape() for lock in found if lock.owner_id != actor.user_id]
    await answer_json(send, 200, {"ours": ours, "theirs": theirs, **more})


@speaks_lfs
async def unlock(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes a lock away; somebody else's only by force, which administrators of the repository have."""
    body = await bodies.read_json(receive, _BODY_BYTES)
    lock = await threads.run(_unlock, scope, body)
    await answer_json(send, 200, {"lock": lock.shape()})


def _batch(scope: Scope, body: dict[str, object]) -> dict[str, object]:
    asked = lfs_batch.parse(body)
    find = lfs_batch.repo_to_send_to if asked.operation == "upload" else find_repo
    actor = actors.identify(scope["request_headers"])
    return lfs_batch.answer(actor, find(actor, *_named(scope)), asked, scope["origin"].base_url)


def _create_lock(scope: Scope, body: dict[str, object]) -> Lock:
    actor, repo = _repo(scope, "repo.write")
    return locks.create(actor, repo.id, _text(body, "path"), _ref(body))


def _list_locks(scope: Scope) -> tuple[list[Lock], dict[str, str]]:
    _, repo = _repo(scope, "repo.read")
    first = {key: values[0] for key, values in wires.query(scope).items() if values[0]}
    return _page(repo, first.get("cursor", ""), first.get("limit"), first.get("path"), first.get("id"))


def _verify_locks(scope: Scope, body: dict[str, object]) -> tuple[Actor, list[Lock], dict[str, str]]:
    actor, repo = _repo(scope, "repo.write")
    limit = body.get("limit") or None
    found, more = _page(repo, _text(body, "cursor", ""), None if limit is None else str(limit))
    return actor, found, more


def _unlock(scope: Scope, body: dict[str, object]) -> Lock:
    actor, repo = _repo(scope, "repo.write")
    by_force = body.get("force", False) is True
    lock_id = scope["path_params"]["lock"]
    if by_force and not any(
        lock.owner_id == actor.user_id for lock in locks.listed(repo.id, lock_id=lock_id)[0]
    ):
        require(actor, "repo.admin", repo)
    return locks.remove(actor, repo.id, lock_id, by_force=by_force)


def _page(
    repo: RepoRow, cursor: str, limit: str | None, path: str | None = None, lock_id: str | None = None
) -> tuple[list[Lock], dict[str, str]]:
    after = paging.decode_cursor(cursor)[0] if cursor else 0
    if type(after) is not int:
        raise BadRequest("The cursor is not one that this server gave", field="cursor", value=cursor)
    count = paging.limit_of(limit, _MOST_LOCKS, _MOST_LOCKS)
    found, following = locks.listed(repo.id, path=path, lock_id=lock_id, after=after, limit=count)
    return list(found), {} if following is None else {"next_cursor": paging.encode_cursor([following])}


def _repo(scope: Scope, action: str) -> tuple[Actor, RepoRow]:
    actor = actors.identify(scope["request_headers"])
    return actor, find_repo(actor, *_named(scope), action)


def _named(scope: Scope) -> tuple[str, str]:
    params = scope["path_params"]
    return (params.get("kinds") or "models")[:-1], params["repo"]


def _text(body: dict[str, object], field: str, default: str | None = None) -> str:
    value = body.get(field, default)
    if not isinstance(value, str):
        raise BadRequest(f"{field} must be text", field=field, value=value)
    return value


def _ref(body: dict[str, object]) -> str:
    ref = body.get("ref")
    name = ref.get("name") if isinstance(ref, dict) else ""
    return name if isinstance(name, str) else ""


_LFS = r"/(?:(?P<kinds>models|datasets|spaces|kernels)/)?(?P<repo>[^/]+?(?:/[^/]+?)?)(?:\.git)?/info/lfs"
ROUTES = [
    route(
        "lfs_batch", "POST", rf"{_LFS}/objects/batch", batch, "How to send or fetch large objects (git-lfs)"
    ),
    route("lfs_lock", "POST", rf"{_LFS}/locks", create_lock, "Locks a file (git-lfs)"),
    route("lfs_locks", "GET", rf"{_LFS}/locks", list_locks, "Locks of a repository (git-lfs)"),
    route("lfs_locks_verify", "POST", rf"{_LFS}/locks/verify", verify_locks, "Locks before a push (git-lfs)"),
    route(
        "lfs_unlock", "POST", rf"{_LFS}/locks/(?P<lock>[^/]+)/unlock", unlock, "Takes a lock away (git-lfs)"
    ),
]
