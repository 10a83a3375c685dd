"""Texts that people send, within bounds."""

from __future__ import annotations

import re

from hutch.core.errors import BadRequest

_SHA256 = re.compile(r"[0-9a-f]{64}")


def storable(value: str) -> str:
    """The text as every database keeps it."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()


def checked(field: str, value: str, most: int, *, required: bool = True) -> str:
    """The text without NULs, which neither git nor PostgreSQL keep. Raises BadRequest: empty, or too long."""
    clean = storable(value)
    if required and not clean.strip():
        raise BadRequest(f"{field} is empty", field=field, value=value)
    if len(clean) > most:
        raise BadRequest(f"{field} is longer than {most} characters", field=field, value=value, limit=most)
    return clean


def checked_oids(field: str, oids: list[str], most: int) -> list[str]:
    """SHA-256 sums, at most so many. Raises BadRequest naming the first that is none."""
    if len(oids) > most:
        raise BadRequest(f"At most {most} a request", field=field, value=len(oids), limit=most)
    for oid in oids:
        if not _SHA256.fullmatch(oid):
            raise BadRequest(f"{field} must be a SHA-256: 64 hexadecimal digits", field=field, value=oid)
    return oids
