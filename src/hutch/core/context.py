"""What verbs may know of the request that called them, without passing it on by hand."""

from __future__ import annotations

from contextvars import ContextVar

# The number of the request (also in `X-Request-Id` and the log); empty outside of requests.
request_id: ContextVar[str] = ContextVar("request_id", default="")
