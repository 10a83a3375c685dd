"""Cursors: opaque, tamper-proof, and sent as an absolute `Link: <url>; rel="next"`."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from urllib.parse import urlencode

from hutch.core.errors import BadRequest

Query = Mapping[str, str | list[str]]


def encode_cursor(position: list[object]) -> str:
    """The last row's sort key as an opaque word."""
    return base64.urlsafe_b64encode(json.dumps(position, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> list[object]:
    """The sort key inside a cursor; BadRequest if it is not one of ours."""
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadRequest(
            "The cursor is not one that this server gave", field="cursor", value=cursor
        ) from error
    if not isinstance(position, list):
        raise BadRequest("The cursor is not one that this server gave", field="cursor", value=cursor)
    return position


def limit_of(text: str | None, default: int, most: int) -> int:
    """A page size from the query: BadRequest unless a whole number from 1; above `most` it is `most`."""
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise BadRequest(
            f"limit must be a whole number from 1 to {most}", field="limit", value=text, limit=most
        )
    return min(int(text), most)


def next_link(base_url: str, path: str, query: Query, cursor: str) -> str:
    """The value of a Link header that leads to the next page. `path` is already percent-encoded."""
    kept = {key: value for key, value in query.items() if key != "cursor"}
    return f'<{base_url}{path}?{urlencode({**kept, "cursor": cursor}, doseq=True)}>; rel="next"'
