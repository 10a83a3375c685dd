"""Uploads from a browser: a session with a signed address that takes the bytes in pieces and survives a reload.

The page sends them there (`cas/wire.py`, `resume`), learns the SHA-256, and commits it as an `lfsFile`.
"""

from __future__ import annotations

import time
from typing import Any

from django.http import HttpRequest
from ninja import Router

from hutch.cas import uploads
from hutch.cas.models import Upload
from hutch.cas.signing import Ticket
from hutch.cas.wire import address
from hutch.core.errors import BadRequest
from hutch.core.text import is_storable
from hutch.git import paths
from hutch.repos.api.write import Strict, actor_of, base_url
from hutch.repos.wires.lfs_batch import repo_to_send_to
from hutch.settings import current

router = Router()

_MAX_FINGERPRINT_CHARACTERS = 200


class NewUpload(Strict):
    """A file that a browser is about to send. With the same `fingerprint` an upload that broke off goes on."""

    path: str
    size: int
    fingerprint: str = ""


@router.post("/api/{kinds:kind}/{repoid:repo_id}/uploads", summary="Begins or continues a browser's upload")
def begin(request: HttpRequest, kind: str, repo_id: str, payload: NewUpload) -> dict[str, Any]:
    """Answers with the address and the offset at which to go on."""
    actor = actor_of(request)
    repo = repo_to_send_to(actor, kind, repo_id)
    paths.check_path(payload.path)
    if len(payload.fingerprint) > _MAX_FINGERPRINT_CHARACTERS or not is_storable(payload.fingerprint):
        raise BadRequest(
            f"fingerprint may have {_MAX_FINGERPRINT_CHARACTERS} characters and no NUL",
            field="fingerprint", value=payload.fingerprint, limit=_MAX_FINGERPRINT_CHARACTERS,
        )  # fmt: skip
    row = uploads.begin(actor.user_id or 0, repo.id, payload.path, payload.size, payload.fingerprint)
    return _shape(request, row)


@router.get("/api/{kinds:kind}/{repoid:repo_id}/uploads", summary="A browser's uploads that are under way")
def under_way(request: HttpRequest, kind: str, repo_id: str) -> dict[str, Any]:
    """One's own unfinished uploads to a repository, newest first."""
    actor = actor_of(request)
    repo = repo_to_send_to(actor, kind, repo_id)
    return {"uploads": [_shape(request, row) for row in uploads.under_way(actor.user_id or 0, repo.id)]}


def _shape(request: HttpRequest, row: Upload) -> dict[str, Any]:
    expires = int(time.time()) + current().signed_url_s
    ticket = Ticket(
        "resume", row.repo_id, row.user_id, upload=row.staging_id, size=row.size_bytes, expires=expires
    )
    return {
        "id": row.staging_id,
        "url": address(base_url(request), ticket),
        "path": row.path,
        "size": row.size_bytes,
        "fingerprint": row.fingerprint,
        "offset": uploads.offset(row),
        "oid": row.sha256 or None,
        "expires_in": current().signed_url_s,
    }
