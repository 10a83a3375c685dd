"""Cursors: opaque, tamper-proof, and sent as an absolute `Link: <url>; rel="next"`."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from hutch.core.errors import BadRequest
from hutch.settings import current

Query = Mapping[str, str | list[str]]
_SEAL_BYTES = 12
_MOST_DIGITS = 18


def encode_cursor(position: list[object]) -> str:
    """The last row's sort key as an opaque, signed word."""
    text = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(text) + text).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[Any]:
    """The sort key inside a cursor; BadRequest if it is not one of ours."""
    try:
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError):
        sealed = b""
    seal, text = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(text)):
        raise BadRequest("The cursor is not one that this server gave", field="cursor", value=cursor)
    position: list[Any] = json.loads(text)
    return position


def _seal(text: bytes) -> bytes:
    return hmac.new(current().secret, b"cursor\0" + text, "sha256").digest()[:_SEAL_BYTES]


def limit_of(text: str | None, default: int, most: int) -> int:
    """A page size from the query: BadRequest unless a whole number from 1; above `most` it is `most`."""
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS or int(text) < 1:
        raise BadRequest(
            f"limit must be a whole number from 1 to {most}", field="limit", value=text, limit=most
        )
    return min(int(text), most)


def next_link(base_url: str, path: str, query: Query, cursor: str) -> str:
    """The value of a Link header that leads to the next page. `path` is already percent-encoded."""
    kept = {key: value for key, value in query.items() if key != "cursor"}
    words = urlencode({**kept, "cursor": cursor}, doseq=True, errors="surrogateescape")
    return f'<{base_url}{path}?{words}>; rel="next"'
