"""How git-lfs wants to be answered: its media type, and `message` in errors (git-lfs, docs/api/batch.md)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import wraps
from typing import Any

from hutch.cas.bodies import ClientGone
from hutch.core import wires
from hutch.core.errors import HutchError
from hutch.core.wires import Handler, Receive, Scope, Send

MEDIA_TYPE = "application/vnd.git-lfs+json"


async def answer_json(
    send: Send, status: int, body: Mapping[str, Any], headers: tuple[tuple[str, str], ...] = ()
) -> None:
    """A JSON answer, in git-lfs's media type, which nobody may keep."""
    common = [("Content-Type", MEDIA_TYPE), ("Cache-Control", "no-store"), *headers]
    await wires.answer(send, status, common, json.dumps(body).encode())


def speaks_lfs(handler: Handler) -> Handler:
    """The handler with its errors told in the words that git-lfs shows, beside those of the house."""

    @wraps(handler)
    async def speaking(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await handler(scope, receive, send)
        except HutchError as error:
            status, headers, body = wires.error_answer(error, scope)
            told = {"message": error.message, **json.loads(body), "request_id": scope["request_id"]}
            content = b"" if scope["method"] == "HEAD" else json.dumps(told).encode()
            await wires.answer(send, status, {**headers, "Content-Type": MEDIA_TYPE}.items(), content)
        except ClientGone:
            return

    return speaking
