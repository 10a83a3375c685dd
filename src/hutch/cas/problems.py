"""What is wrong with something stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as its row says.

    `oid` is the SHA-256 of an object, or the Xet hash of a xorb or file. `key` is that of the blob at fault; empty
    where it is a row, or the chunks behind a file.
    """

    kind: Literal["missing", "damaged"]
    oid: str
    key: str
    detail: str
    what: Literal["object", "xorb", "file"] = "object"
