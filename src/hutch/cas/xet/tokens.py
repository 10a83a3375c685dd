"""What a client shows the CAS: a signed token, and signed addresses of single ranges of xorbs.

The shapes are those that hf_xet 1.8.0 (JSON) and huggingface_hub 2.4.0 (headers) read.
"""

from __future__ import annotations

import re
import time
from dataclasses import astuple, dataclass, fields
from typing import Any, Literal

from hutch.accounts import actors
from hutch.cas import signing
from hutch.cas.errors import TicketExpired, TicketInvalid
from hutch.cas.xet import epochs
from hutch.core.errors import Forbidden, Unauthorized
from hutch.core.permissions import Actor
from hutch.settings import current

Right = Literal["read", "write"]
_TOKEN, _XORB = "xet-token", "xorb"
# A client asks for a new one half a minute before; far less makes hf_xet ask before every call.
_TOKEN_S = 3600
NO_LIMIT = -1
_FROM_TO = re.compile(r"bytes=\d{1,18}-\d{1,18}(?:, ?\d{1,18}-\d{1,18})*")


@dataclass(frozen=True, slots=True)
class CasToken:
    """Who may do what at the CAS, for one repository, until when. Writing includes reading."""

    right: Right
    repo_id: int
    user_id: int
    """0: nobody, who may only read."""
    token_id: int
    """The access token by which the user came; 0: a session."""
    room_bytes: int
    """How many bytes more the repository's namespace may store; NO_LIMIT."""
    expires: int


@dataclass(frozen=True, slots=True)
class XorbRange:
    """Bytes `start` to `end` (exclusive) of a xorb's blob, which whoever holds the address may fetch until it expires.

    By the blob's own name: another blob of the same xorb may have its chunks elsewhere.
    """

    blob: str
    start: int
    end: int
    expires: int


def answer(
    actor: Actor, repo_id: int, right: Right, room_bytes: int | None, base_url: str
) -> tuple[dict[str, Any], dict[str, str]]:
    """What a client is told that asks for access, as JSON and as headers; the caller has checked the right.

    `room_bytes` is what the namespace may still store; None is no limit.
    """
    expires = int(time.time()) + min(_TOKEN_S, current().signed_url_s)
    room = NO_LIMIT if room_bytes is None else max(0, room_bytes)
    token = CasToken(right, repo_id, actor.user_id or 0, actor.token_id or 0, room, expires)
    text, url = signing.seal([_TOKEN, *astuple(token)]), cas_url(actor, base_url)
    body = {"casUrl": url, "accessToken": text, "exp": expires}
    headers = {
        "X-Xet-Cas-Url": url, "X-Xet-Access-Token": text, "X-Xet-Token-Expiration": str(expires),
        "Cache-Control": "no-store",
    }  # fmt: skip
    return body, headers


def cas_url(actor: Actor, base_url: str) -> str:
    """The address of the CAS for an actor: clients key their caches by it."""
    return f"{base_url}/_cas/xet/{epochs.of(actor.user_id or 0)}"


def read(authorization: str, right: Right) -> tuple[CasToken, Actor]:
    """The token in a header, and who shows it, as they stand now.

    Raises Unauthorized if it is none of ours, has expired or was taken back; Forbidden if it may only read.
    """
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("Send the access token of the CAS as Bearer")
    try:
        values = signing.unseal(text.strip(), _TOKEN, len(fields(CasToken)) + 1)
    except (TicketInvalid, TicketExpired) as error:
        raise Unauthorized("This access token of the CAS is not valid any more: ask for a new one") from error
    token = CasToken(*values[1:])
    if right == "write" and token.right != "write":
        raise Forbidden("This access token of the CAS may only read")
    return token, actors.again(token.user_id, token.token_id)


def xorb_address(base_url: str, part: XorbRange) -> str:
    """The signed address of one range; another range has another address, since old clients key by it."""
    return f"{base_url}/_cas/xorb/{signing.seal([_XORB, *astuple(part)])}"


def holds(part: XorbRange, range_header: str | None) -> bool:
    """Whether a Range header asks for nothing but bytes of that range, in one piece or several."""
    if not _FROM_TO.fullmatch(range_header or ""):  # `-5` and `5-` would mean other bytes of the whole xorb
        return False
    pieces = (piece.split("-") for piece in (range_header or "").removeprefix("bytes=").split(","))
    return all(part.start <= int(first) <= int(last) < part.end for first, last in pieces)


def read_xorb(text: str) -> XorbRange:
    """The range of a signed address. Raises TicketInvalid, TicketExpired (403: clients ask for a new one)."""
    return XorbRange(*signing.unseal(text, _XORB, len(fields(XorbRange)) + 1)[1:])
