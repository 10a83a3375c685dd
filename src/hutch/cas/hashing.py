"""Reads and hashes large objects: the blob, the chunks, or both, whatever an object has."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator

from hutch.cas import stores
from hutch.cas.models import LargeObject
from hutch.cas.problems import Problem
from hutch.cas.queries import by_key
from hutch.cas.xet import reading
from hutch.core.errors import HutchError
from hutch.storage.errors import BlobNotFound
from hutch.xet import files
from hutch.xet.files import Term

_READ_BYTES = 1 << 20
_ROWS = 500


def fsck(progress: Callable[[int], None] | None = None) -> Iterator[Problem]:
    """Reads and hashes every object and yields what is missing or damaged; `progress` gets the size of each.

    One that is stored twice, as a blob and as chunks, is read twice.
    """
    for row in by_key(LargeObject.objects.select_related("xet_file"), _ROWS):
        yield from check(row)
        if progress is not None:
            progress(row.size_bytes)


def check(row: LargeObject) -> list[Problem]:
    """What is wrong with an object; looked at again if its row has changed meanwhile."""
    found = _check(row)
    if not found:
        return []
    again = LargeObject.objects.select_related("xet_file").filter(pk=row.pk).first()
    return _check(again) if again is not None else []


def _check(row: LargeObject) -> list[Problem]:
    found = []
    if row.storage_key:
        found.append(check_blob(row))
    if row.xet_file_id is not None:
        found.append(check_chunks(row))
    elif not row.storage_key:
        found.append(Problem("missing", row.sha256, "", "neither a blob nor chunks stand behind it"))
    return [problem for problem in found if problem is not None]


def blob_problem(row: LargeObject) -> Problem | None:
    """What is wrong with the blob alone of an object; looked at again if its row has changed meanwhile."""
    if check_blob(row) is None:
        return None
    again = LargeObject.objects.filter(pk=row.pk).exclude(storage_key="").first()
    return check_blob(again) if again is not None else None


def check_blob(row: LargeObject) -> Problem | None:
    """Reads and hashes the blob of an object that has one."""
    key = row.storage_key
    try:
        with stores.blobs().open(key) as file:
            size, sha256 = _hash(iter(lambda: file.read(_READ_BYTES), b""))
    except BlobNotFound:
        return Problem("missing", row.sha256, key, "storage has no such blob")
    except OSError as error:
        return Problem("damaged", row.sha256, key, f"it cannot be read: {error.strerror}")
    return _compared(row, key, size, sha256)


def check_chunks(row: LargeObject) -> Problem | None:
    """Puts an object that has a Xet file together, and hashes it."""
    assert row.xet_file is not None
    try:
        terms = files.unpack_terms(bytes(row.xet_file.terms))
    except HutchError as error:
        return Problem("damaged", row.sha256, "", error.message)
    return check_terms(row, terms)


def check_terms(row: LargeObject, terms: list[Term]) -> Problem | None:
    """Whether these chunks, put together, are the object."""
    try:
        size, sha256 = _hash(reading.stream(terms))
    except BlobNotFound as error:
        return Problem("missing", row.sha256, "", f"of its chunks {error.message}")
    except (HutchError, OSError) as error:
        words = error.message if isinstance(error, HutchError) else error.strerror
        return Problem("damaged", row.sha256, "", f"its chunks cannot be put together: {words}")
    return _compared(row, "", size, sha256)


def _hash(pieces: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _compared(row: LargeObject, key: str, size: int, sha256: str) -> Problem | None:
    what = "it has" if key else "its chunks have"
    if size != row.size_bytes:
        return Problem("damaged", row.sha256, key, f"{what} {size} bytes instead of {row.size_bytes}")
    if sha256 != row.sha256:
        whose = "its SHA-256 is" if key else "its chunks have the SHA-256"
        return Problem("damaged", row.sha256, key, f"{whose} {sha256}")
    return None
