"""Blobs by key: what every store offers. Adapters pass `tests/storage/contract.py`.

A blob is immutable and mostly content-addressed. The store knows no owner and counts no reference: that is
the business of `cas`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Staged:
    """Bytes on the local disk, complete, checked and synced, that have no key yet."""

    path: Path
    size: int
    """In bytes."""
    sha256: str
    """64 lower-case hexadecimal digits; empty where the caller has another way to check them."""


@dataclass(frozen=True, slots=True)
class Blob:
    """What a store says of a blob."""

    key: str
    size: int
    """In bytes."""
    modified: datetime
    """When the latest `put` of this key was acknowledged, in UTC. A collector leaves young blobs alone."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """The blob is this file: the server may send it itself."""

    path: Path


@dataclass(frozen=True, slots=True)
class SignedUrl:
    """The blob may be read at this address by whoever holds it, until it expires."""

    url: str
    expires: datetime


class BlobStore(Protocol):
    """Six verbs. Every one raises BadKey for a key that may not be a path."""

    def put(self, key: str, staged: Staged) -> Blob:
        """Adopt the staged file under the key; it is durable on return, and the staged file is gone.

        Safe to repeat and to race. A blob of the same size under the key stays and counts as renewed; one of
        another size is damaged, since keys name contents, and is replaced in one step. Readers of the old one
        go on reading it. Raises BlobNotFound when neither the staged file nor the blob exists.
        """
        ...

    def open(self, key: str, start: int = 0, end: int | None = None) -> BinaryIO:
        """Read bytes `start` to `end` (exclusive; None: to the last), the caller closes.

        Raises BlobNotFound, and RangeNotSatisfiable unless 0 <= start <= end <= size.
        """
        ...

    def stat(self, key: str) -> Blob | None:
        """The blob's size and age, or None."""
        ...

    def delete(self, key: str, *, unless_modified_since: datetime | None = None) -> bool:
        """Remove the blob; False when there was none, or when it was put at that moment or later.

        A collector gives the moment at which it began to look: an upload that found the blob present
        meanwhile has renewed it, and keeps it. The key's row goes first, then the blob.
        """
        ...

    def list(self, prefix: str = "", after: str = "") -> Iterator[Blob]:
        """Blobs whose key begins with `prefix` and sorts after `after`, by key, bytewise.

        Lazy: what is put or deleted meanwhile may or may not be seen.
        """
        ...

    def locate(self, key: str, headers: Mapping[str, str] | None = None) -> LocalFile | SignedUrl:
        """Where a download finds the blob; raises BlobNotFound.

        `headers` are response headers (content-type, content-disposition) that a signed address shall force;
        where the answer is a file the server sets them itself.
        """
        ...
