"""Uploads under way: in parts (git-lfs and huggingface_hub), or by offsets (a browser)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hutch.cas import service, signing, stores
from hutch.cas.models import Upload
from hutch.cas.signing import Ticket
from hutch.core import clock
from hutch.core.errors import BadRequest, NotFound, PayloadTooLarge, shown
from hutch.core.permissions import Actor
from hutch.settings import current
from hutch.storage.errors import BlobNotFound
from hutch.storage.parts import Part, PartFile, Parts, Sealed
from hutch.storage.port import Staged
from hutch.storage.resumable import Append, Resumable

# A thousand signed addresses are 300 KB of answer; above 64 GB the parts grow instead.
MAX_PARTS = 1000
_MIB = 1 << 20


def part_bytes_for(size: int) -> int:
    """The size of the parts of an upload of so many bytes: the setting, or more where there would be too many."""
    least = -(-size // MAX_PARTS)
    return max(current().part_bytes, -(-least // _MIB) * _MIB if least > current().part_bytes else 0)


def part_tickets(whole: Ticket) -> list[Ticket]:
    """One ticket for each part of a `complete` ticket, in order."""
    count = -(-whole.size // whole.part_bytes)
    return [replace(whole, purpose="part", part=number) for number in range(1, count + 1)]


def part_length(ticket: Ticket) -> int:
    """Bytes of the part that a ticket is for; only the last is shorter than the others."""
    return min(ticket.part_bytes, ticket.size - (ticket.part - 1) * ticket.part_bytes)


def begin_part(ticket: Ticket) -> PartFile:
    """Opens a part to write; one sent before under its number goes."""
    return _parts(ticket).begin(ticket.part)


def kept_part(ticket: Ticket) -> Part | None:
    """The part of this ticket, if it was sent before."""
    return next((part for part in _parts(ticket).stored() if part.number == ticket.part), None)


def is_received(ticket: Ticket) -> bool:
    """Whether the sender's object is here already, so that a repeated completion is as good as the first."""
    return (
        service.known(Actor(user_id=ticket.user_id), ticket.repo_id, [ticket.oid]).get(ticket.oid)
        == ticket.size
    )


def seal(ticket: Ticket, etags: Mapping[int, str]) -> Sealed:
    """The whole upload, checked, of the parts that the client names. Raises PartsMissing, ChecksumMismatch."""
    return _parts(ticket).seal(ticket.oid, etags)


def take_in(ticket: Ticket, staged: Staged) -> None:
    """Takes a sealed upload into storage; discards it and raises BlobNotFound if storage lost what it had adopted."""
    try:
        service.receive(ticket.user_id, ticket.repo_id, staged)
    except BlobNotFound:
        discard(ticket)
        raise


def discard(ticket: Ticket) -> None:
    """Removes the parts of a finished upload."""
    _parts(ticket).discard()


def named_parts(body: Mapping[str, Any], ticket: Ticket) -> dict[int, str]:
    """The parts that a completion names, by number. Raises BadRequest naming what is wrong."""
    if body.get("oid") != ticket.oid:
        raise BadRequest(
            "oid is not that of this upload", field="oid", value=body.get("oid"), limit=ticket.oid
        )
    parts = body.get("parts")
    if not isinstance(parts, list):
        raise BadRequest("parts must be a list of {partNumber, etag}", field="parts", value=parts)
    return dict(_named_part(part) for part in parts)


def _named_part(part: Any) -> tuple[int, str]:
    number, etag = (part.get("partNumber"), part.get("etag")) if isinstance(part, dict) else (None, None)
    if type(number) is not int or not 1 <= number <= MAX_PARTS or not isinstance(etag, str):
        raise BadRequest(
            f"A part is {{partNumber: 1 to {MAX_PARTS}, etag}}, not {shown(part)}", field="parts", value=part
        )
    return number, etag


def _parts(ticket: Ticket) -> Parts:
    return Parts(stores.staging(), signing.upload_name(ticket), ticket.size, ticket.part_bytes)


def begin(user_id: int, repo_id: int, path: str, size: int, fingerprint: str = "") -> Upload:
    """A browser's upload: the one that is under way for this very file, or a new one.

    `fingerprint` is the page's word for the file (name, size, date, a digest of its ends); without it nothing can be
    continued. Raises BadRequest, PayloadTooLarge.
    """
    if size < 0:
        raise BadRequest("size may not be negative", field="size", value=size, limit=0)
    if size > current().max_file_bytes:
        limit = current().max_file_bytes
        raise PayloadTooLarge(
            f"A file may have {limit} bytes, not {size}", field="size", value=size, limit=limit
        )
    mine = Upload.objects.filter(
        user_id=user_id, repo_id=repo_id, size_bytes=size, fingerprint=fingerprint, path=path
    )
    found = mine.order_by("-pk").first() if fingerprint else None
    if found is not None:
        touch(found.staging_id)
        return found
    return Upload.objects.create(
        staging_id=uuid.uuid4().hex, user_id=user_id, repo_id=repo_id, path=path, size_bytes=size,
        fingerprint=fingerprint, touched_at=clock.now(),
    )  # fmt: skip


def find(ticket: Ticket) -> Upload:
    """The browser's upload of a ticket. Raises NotFound if it was swept or cancelled."""
    row = Upload.objects.filter(staging_id=ticket.upload).first()
    if row is None:
        raise NotFound("This upload is over: begin a new one")
    return row


def under_way(user_id: int, repo_id: int) -> Sequence[Upload]:
    """A user's uploads to a repository that are not finished, newest first."""
    return list(Upload.objects.filter(user_id=user_id, repo_id=repo_id, sha256="").order_by("-pk"))


def offset(row: Upload) -> int:
    """Bytes of an upload that are durable here."""
    return row.size_bytes if row.sha256 else Resumable(stores.staging(), row.staging_id).offset()


def append(row: Upload, at: int) -> Append:
    """Goes on at an offset. Raises OffsetMismatch, UploadBusy, InsufficientStorage."""
    return Resumable(stores.staging(), row.staging_id).append_at(at, row.size_bytes)


def hash_whole(row: Upload) -> Staged:
    """The finished upload, hashed and synced. Raises SizeMismatch while bytes are missing."""
    return Resumable(stores.staging(), row.staging_id).finish(row.size_bytes)


def finish(row: Upload, staged: Staged) -> str:
    """Takes a hashed upload into storage; returns its SHA-256, which the upload keeps for whoever asks again."""
    try:
        stored = service.receive(row.user_id, row.repo_id, staged)
    except BlobNotFound:  # as above
        Resumable(stores.staging(), row.staging_id).discard()
        raise
    Upload.objects.filter(pk=row.pk).update(sha256=stored.oid, touched_at=clock.now())
    Resumable(stores.staging(), row.staging_id).discard()
    return stored.oid


def touch(staging_id: str) -> None:
    """Notes that somebody still wants this upload."""
    Upload.objects.filter(staging_id=staging_id).update(touched_at=clock.now())


def cancel(row: Upload) -> None:
    """Forgets a browser's upload and its bytes in staging."""
    Upload.objects.filter(pk=row.pk).delete()
    Resumable(stores.staging(), row.staging_id).discard()
