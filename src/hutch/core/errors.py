"""The one error tree. Every error that a caller can meet has a status, a code and a sentence.

    HutchError                      500  InternalError
    ├── BadRequest                  400  BadRequest           field, value and limit are named
    │   └── ... each room's own branch in its errors.py
    ├── Unauthorized                401  Unauthorized         sign in first
    ├── Forbidden                   403  Forbidden            signed in, may see it, may not do it
    ├── NotFound                    404  NotFound             (401 to nobody, so that git asks for a password)
    │   ├── RepoNotFound            404  RepoNotFound
    │   ├── RevisionNotFound        404  RevisionNotFound
    │   └── EntryNotFound           404  EntryNotFound
    ├── MethodNotAllowed            405  MethodNotAllowed
    ├── Conflict                    409  Conflict
    ├── StaleParent                 412  PreconditionFailed
    ├── PayloadTooLarge             413  PayloadTooLarge
    ├── RangeNotSatisfiable         416  RangeNotSatisfiable
    ├── RateLimited                 429  RateLimited          Retry-After in whole seconds
    ├── NotOffered                  501  NotOffered           a part of the public API that Hutch does not have
    ├── Unavailable                 503  Unavailable
    └── InsufficientStorage         507  InsufficientStorage

The wire shape is one JSON object, `{"error": sentence, "code": code, "field"?, "value"?, "limit"?}`, beside the headers
`X-Error-Code` and `X-Error-Message` that huggingface_hub reads (`hf_raise_for_status`, 2.4.0).
"""

from __future__ import annotations

from typing import ClassVar

_SHOWN_VALUE_CHARACTERS = 200


class HutchError(Exception):
    """Root of the tree. `field`, `value` and `limit` say what was wrong with which input."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "InternalError"

    def __init__(
        self, message: str = "", *, field: str | None = None, value: object = None, limit: object = None
    ) -> None:
        super().__init__(message or (self.__doc__ or "").split("\n")[0])
        self.message = message or (self.__doc__ or "").split("\n")[0]
        self.field = field
        self.value = value
        self.limit = limit

    def body(self) -> dict[str, object]:
        """The JSON answer."""
        shape: dict[str, object] = {"error": self.message, "code": self.code}
        if self.field is not None:
            shape["field"] = self.field
        if self.value is not None:
            shape["value"] = shown(self.value)
        if self.limit is not None:
            shape["limit"] = (
                self.limit if isinstance(self.limit, bool | int | float | str) else shown(self.limit)
            )
        return shape

    def headers(self) -> dict[str, str]:
        """The headers that clients read; always one line of latin-1."""
        return {"X-Error-Code": self.code, "X-Error-Message": _one_line(self.message)}


def shown(value: object) -> str:
    """A value as it may stand in an answer: text, cut after 200 characters."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _SHOWN_VALUE_CHARACTERS else text[:_SHOWN_VALUE_CHARACTERS] + "..."


def _one_line(text: str) -> str:
    flat = "".join(c if c.isprintable() else " " for c in text)
    return flat.encode("latin-1", "replace").decode("latin-1")[:1000]


class BadRequest(HutchError):
    """The request is malformed."""

    status = 400
    code = "BadRequest"


class Unauthorized(HutchError):
    """Sign in, or send a valid access token."""

    status = 401
    code = "Unauthorized"


class Forbidden(HutchError):
    """You do not have the right to do this."""

    status = 403
    code = "Forbidden"


class NotFound(HutchError):
    """This does not exist."""

    status = 404
    code = "NotFound"


class RepoNotFound(NotFound):
    """Repository not found."""

    code = "RepoNotFound"


class RevisionNotFound(NotFound):
    """Revision not found."""

    code = "RevisionNotFound"


class EntryNotFound(NotFound):
    """Entry not found."""

    code = "EntryNotFound"


class MethodNotAllowed(HutchError):
    """This address does not answer that method."""

    status = 405
    code = "MethodNotAllowed"


class Conflict(HutchError):
    """This conflicts with what is there."""

    status = 409
    code = "Conflict"


class StaleParent(HutchError):
    """The branch has moved on from the parent commit."""

    status = 412
    code = "PreconditionFailed"


class PayloadTooLarge(HutchError):
    """The body is larger than this address takes."""

    status = 413
    code = "PayloadTooLarge"


class RangeNotSatisfiable(HutchError):
    """The range lies outside the file."""

    status = 416
    code = "RangeNotSatisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"The range lies outside the file of {size_bytes} bytes", field="Range", limit=size_bytes
        )
        self.size_bytes = size_bytes

    def headers(self) -> dict[str, str]:
        """Adds the size that RFC 9110 wants beside a 416."""
        return {**super().headers(), "Content-Range": f"bytes */{self.size_bytes}"}


class RateLimited(HutchError):
    """Too many requests."""

    status = 429
    code = "RateLimited"

    def __init__(self, message: str = "", *, retry_after_s: int = 60) -> None:
        super().__init__(message or f"Too many requests: try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s

    def headers(self) -> dict[str, str]:
        """Adds Retry-After, which clients read as whole seconds."""
        return {**super().headers(), "Retry-After": str(self.retry_after_s)}


class NotOffered(HutchError):
    """This part of the public API is not offered here."""

    status = 501
    code = "NotOffered"


class Unavailable(HutchError):
    """The service cannot answer now."""

    status = 503
    code = "Unavailable"


class InsufficientStorage(HutchError):
    """There is not enough room on the server's disk."""

    status = 507
    code = "InsufficientStorage"
