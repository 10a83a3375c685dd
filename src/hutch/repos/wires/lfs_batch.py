"""What git-lfs's batch is answered with: for each object an address, nothing to do, or an error."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from hutch.cas import service as cas
from hutch.cas import stores, uploads
from hutch.cas.errors import HashAlgorithmRefused, InvalidBatch
from hutch.cas.signing import Ticket
from hutch.cas.wire import address
from hutch.cas.xet import tokens
from hutch.core.errors import PayloadTooLarge, shown
from hutch.core.permissions import Actor, allows, require
from hutch.repos import accounting
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.visibility import readable_by
from hutch.settings import current
from hutch.storage import disk

# git-lfs sends 100 at a time, huggingface_hub 500.
MAX_OBJECTS = 1000
_OID = re.compile(r"[0-9a-f]{64}")

Shape = dict[str, object]


@dataclass(frozen=True, slots=True)
class Asked:
    """One object as a client names it. `wrong` says why it can be no object at all."""

    oid: str
    size: int
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """A request that was read. `transfers` are the ways of sending that the client knows."""

    operation: Literal["upload", "download"]
    transfers: frozenset[str]
    objects: tuple[Asked, ...]


def parse(body: Mapping[str, Any]) -> Batch:
    """Reads a request. Raises InvalidBatch (422), HashAlgorithmRefused (409), PayloadTooLarge."""
    operation = body.get("operation")
    if operation not in ("upload", "download"):
        raise InvalidBatch("operation must be upload or download", field="operation", value=operation)
    # The second is how @huggingface/hub 2.17 spells it.
    if body.get("hash_algo", "sha256") not in ("sha256", "sha_256"):
        raise HashAlgorithmRefused(field="hash_algo", value=body.get("hash_algo"), limit="sha256")
    transfers = body.get("transfers") or ["basic"]
    if not isinstance(transfers, list) or not all(isinstance(name, str) for name in transfers):
        raise InvalidBatch("transfers must be a list of names", field="transfers", value=transfers)
    objects = body.get("objects")
    if not isinstance(objects, list):
        raise InvalidBatch("objects must be a list of {oid, size}", field="objects", value=objects)
    if len(objects) > MAX_OBJECTS:
        raise PayloadTooLarge(
            f"A batch has at most {MAX_OBJECTS} objects, not {len(objects)}",
            field="objects", value=len(objects), limit=MAX_OBJECTS,
        )  # fmt: skip
    return Batch(operation, frozenset(transfers), tuple(dict.fromkeys(_asked(entry) for entry in objects)))


def repo_to_send_to(actor: Actor, type_: str, full_name: str) -> RepoRow:
    """The repository of that name, for whoever may commit to it or propose a change by a pull request.

    Raises RepoNotFound, GatedRepo, Unauthorized, Forbidden.
    """
    repo = find_repo(actor, type_, full_name, "repo.read")
    if not allows(actor, "repo.write", repo):
        require(actor, "repo.discuss", repo)
    return repo


def answer(actor: Actor, repo: RepoRow, batch: Batch, base_url: str) -> Shape:
    """The answer to a request, once the caller has made sure that the actor may fetch from it or send to it."""
    if batch.operation == "download":
        return {
            "transfer": "basic",
            "objects": _downloads(actor, repo, batch, base_url),
            "hash_algo": "sha256",
        }
    there = readable_by(actor)
    sizes = cas.known(actor, repo.id, (asked.oid for asked in batch.objects if not asked.wrong), there)
    found = [asked.oid for asked in batch.objects if sizes.get(asked.oid) == asked.size]
    cas.remember(actor, repo.id, found, there)
    if "xet" in batch.transfers:
        return _by_xet(actor, repo, batch, sizes, base_url)
    in_parts = _in_parts(batch, [asked for asked in batch.objects if asked.oid not in sizes])
    offer = _Offer(actor.user_id or 0, repo.id, base_url, in_parts, _room(repo))
    objects = [_refused(asked) or _there(asked, sizes) or offer.upload(asked) for asked in batch.objects]
    return {"transfer": "multipart" if in_parts else "basic", "objects": objects, "hash_algo": "sha256"}


def _by_xet(actor: Actor, repo: RepoRow, batch: Batch, sizes: Mapping[str, int], base_url: str) -> Shape:
    """The answer to clients that know Xet: what is new goes by chunks, with the token that `header` carries.

    huggingface_hub 1.0 to 1.19 reads `transfer` alone; @huggingface/hub 2.17.5 the header, and asks `href` anew.
    """
    _, headers = tokens.answer(actor, repo.id, "write", accounting.room_bytes(repo.namespace_id), base_url)
    action: Shape = {
        "href": f"{base_url}/api/{repo.type}s/{repo.full_name}/xet-write-token/main",
        "header": {key: value for key, value in headers.items() if key.startswith("X-Xet-")},
    }
    objects = [
        _refused(asked) or _there(asked, sizes) or _actions(asked, upload=action) for asked in batch.objects
    ]
    return {"transfer": "xet", "objects": objects, "hash_algo": "sha256"}


def _in_parts(batch: Batch, new: list[Asked]) -> bool:
    """One big object makes the whole batch go in parts: git-lfs's custom transfer knows no other way in one batch."""
    big = any(not asked.wrong and asked.size >= current().multipart_from_bytes for asked in new)
    must = "basic" not in batch.transfers
    return "multipart" in batch.transfers and (big or must)


@dataclass(slots=True)
class _Offer:
    """Makes upload addresses, for as much as there is room: on the disk, and in the namespace's quota."""

    user_id: int
    repo_id: int
    base_url: str
    in_parts: bool
    room: int

    def upload(self, asked: Asked) -> Shape:
        if asked.size > self.room:
            return _error(
                asked, 507, f"{asked.size} bytes do not fit: there is room for {max(0, self.room)} here"
            )
        self.room -= asked.size
        ticket = Ticket("upload", self.repo_id, self.user_id, asked.oid, asked.size, expires=_expiry())
        action = self._parts(ticket) if self.in_parts else self._action(ticket)
        return _actions(asked, upload=action, verify=self._action(replace(ticket, purpose="verify")))

    def _parts(self, ticket: Ticket) -> Shape:
        whole = replace(ticket, purpose="complete", part_bytes=uploads.part_bytes_for(ticket.size))
        # Padded: git-lfs hands them to its transfer sorted as text, and that sends them in the order it gets them.
        parts = {f"{part.part:05d}": address(self.base_url, part) for part in uploads.part_tickets(whole)}
        return {**self._action(whole), "header": {"chunk_size": str(whole.part_bytes), **parts}}

    def _action(self, ticket: Ticket) -> Shape:
        return _action(self.base_url, ticket)


def _downloads(actor: Actor, repo: RepoRow, batch: Batch, base_url: str) -> list[Shape]:
    found = cas.objects_of(repo.id, (asked.oid for asked in batch.objects if not asked.wrong))
    shapes = []
    for asked in batch.objects:
        stored = found.get(asked.oid)
        shape = _refused(asked)
        if shape is None and (stored is None or stored.size != asked.size):
            shape = _error(asked, 404, "This repository has no such object")
        ticket = Ticket("download", repo.id, actor.user_id or 0, asked.oid, asked.size, expires=_expiry())
        shapes.append(shape or _actions(asked, download=_action(base_url, ticket)))
    return shapes


def _asked(entry: Any) -> Asked:
    oid, size = (entry.get("oid"), entry.get("size")) if isinstance(entry, dict) else (None, None)
    if not isinstance(oid, str) or not _OID.fullmatch(oid):
        return Asked(
            shown(oid), size if type(size) is int else 0, "oid must be 64 lower-case hexadecimal digits"
        )
    if type(size) is not int or not 0 <= size < 2**63:
        return Asked(oid, 0, f"size must be a number of bytes from 0, not {shown(size)}")
    return Asked(oid, size)


def _refused(asked: Asked) -> Shape | None:
    limit = current().max_file_bytes
    if asked.wrong:
        return _error(asked, 422, asked.wrong)
    if asked.size > limit:
        return _error(asked, 413, f"size is {asked.size} bytes; a file may have {limit}")
    return None


def _there(asked: Asked, sizes: Mapping[str, int]) -> Shape | None:
    size = sizes.get(asked.oid)
    if size is None:
        return None
    if size != asked.size:
        return _error(asked, 422, f"size is {asked.size}, but this object has {size} bytes")
    return {"oid": asked.oid, "size": asked.size}


def _error(asked: Asked, code: int, message: str) -> Shape:
    return {"oid": asked.oid, "size": asked.size, "error": {"code": code, "message": message}}


def _actions(asked: Asked, **actions: Shape) -> Shape:
    # The addresses are signed: git-lfs need not send a password along.
    return {"oid": asked.oid, "size": asked.size, "authenticated": True, "actions": actions}


def _action(base_url: str, ticket: Ticket) -> Shape:
    return {"href": address(base_url, ticket), "expires_in": max(1, ticket.expires - int(time.time()))}


def _expiry() -> int:
    return int(time.time()) + current().signed_url_s


def _room(repo: RepoRow) -> int:
    staging = stores.staging()
    free = disk.free_bytes(staging.root) - staging.reserve_bytes
    limit = current().namespace_quota_bytes
    return min(free, limit - accounting.used_bytes(repo.namespace_id)) if limit else free
