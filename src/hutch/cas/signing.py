"""Signed addresses: who may send or fetch which bytes, until when. Clients call them without credentials.

A ticket is `claims.signature`, both base64url; the signature is HMAC-SHA256 over the claims' very text, with a key that
is derived from the hub's secret for this alone.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from hutch.cas.errors import TicketExpired, TicketInvalid
from hutch.settings import current

Purpose = Literal["upload", "part", "complete", "verify", "download", "resume"]
_CONTEXT = b"hutch.cas.signing 1"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What one signed address is good for."""

    purpose: Purpose
    repo_id: int
    user_id: int
    """0: nobody, who may only download."""
    oid: str = ""
    size: int = 0
    """Bytes of the whole object."""
    part_bytes: int = 0
    """Size of every part but the last; 0: the upload is not in parts."""
    part: int = 0
    """Number of a part, from 1."""
    upload: str = ""
    """Name of a browser's upload."""
    expires: int = 0
    """Unix seconds; `sign` fills it in."""


def sign(ticket: Ticket) -> str:
    """The ticket as text for an address. One without an expiry is good for `signed_url_s` from now."""
    values = list(astuple(ticket))
    values[-1] = ticket.expires or int(time.time()) + current().signed_url_s
    return seal(values)


def read(text: str, purpose: Purpose) -> Ticket:
    """The ticket in an address. Raises TicketInvalid unless this server signed it for this purpose, TicketExpired."""
    return Ticket(*unseal(text, purpose, len(fields(Ticket))))


def seal(values: Sequence[str | int]) -> str:
    """Signed text of some claims: the first says what they are for, the last when they expire (Unix seconds)."""
    claims = _encode(json.dumps(values, separators=(",", ":")).encode())
    return f"{claims}.{_signature(claims)}"


def unseal(text: str, purpose: str, count: int) -> list[Any]:
    """The `count` claims of a text that `seal` made for `purpose`. Raises TicketInvalid, TicketExpired."""
    claims, _, signature = text.partition(".")
    if not hmac.compare_digest(_signature(claims).encode(), signature.encode("utf-8", "surrogatepass")):
        raise TicketInvalid()
    values = _decode(claims)
    # Signed by us, but maybe by an older release.
    if not isinstance(values, list) or len(values) != count or values[0] != purpose:
        raise TicketInvalid()
    if values[-1] < time.time():
        raise TicketExpired()
    return values


def nickname() -> str:
    """Eight digits by which clients tell this hub from another that had, or will have, its address."""
    return hmac.new(_key(), b"nickname", hashlib.sha256).hexdigest()[:8]


def upload_name(ticket: Ticket) -> str:
    """The staging folder of an upload in parts: the same for a repeated request, so that it goes on.

    Another sender's upload of the same object has another one. Nothing needs to be kept of it in the database.
    """
    known = [ticket.repo_id, ticket.user_id, ticket.oid, ticket.size, ticket.part_bytes]
    return hmac.new(_key(), json.dumps(known).encode(), hashlib.sha256).hexdigest()[:32]


def _key() -> bytes:
    return _key_of(current().data)


@lru_cache(maxsize=4)
def _key_of(data: Path) -> bytes:
    # The secret is a file: a batch in many parts signs thousands of times.
    return hmac.new(current().secret, _CONTEXT, hashlib.sha256).digest()


def _signature(claims: str) -> str:
    return _encode(hmac.new(_key(), claims.encode("utf-8", "surrogatepass"), hashlib.sha256).digest())


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(claims: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
