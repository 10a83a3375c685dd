"""This room's branch of the error tree.

BadRequest
└── InvalidBatch      400  InvalidBatch     a line of a batch's body, named by its number
Unavailable
└── TooManyFollowers  503  TooManyFollowers streams of changes that one caller, or this process, may hold open
"""

from __future__ import annotations

from hutch.core.errors import BadRequest, Unavailable


class InvalidBatch(BadRequest):
    """A line of the batch is malformed: nothing of it was done."""

    code = "InvalidBatch"

    def __init__(
        self, line: int, message: str, *, field: str | None = None, value: object = None, limit: object = None
    ) -> None:
        super().__init__(f"line {line}: {message}", field=field, value=value, limit=limit)
        self.line = line

    def body(self) -> dict[str, object]:
        """Adds the number of the line, from 1."""
        return {**super().body(), "line": self.line}


class TooManyFollowers(Unavailable):
    """Too many streams of changes are open: close one, or try again later."""

    code = "TooManyFollowers"

    def headers(self) -> dict[str, str]:
        """Adds Retry-After, which clients that follow obey."""
        return {**super().headers(), "Retry-After": "60"}
