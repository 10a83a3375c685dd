"""What a blob may be called. Keys are chosen by code, yet checked: a key becomes a path."""

from __future__ import annotations

import re

from hutch.core.errors import shown
from hutch.storage.errors import BadKey

MAX_KEY_CHARACTERS = 512
MAX_SEGMENT_CHARACTERS = 128
# The first character keeps out ".", "..", dot files, options and empty segments.
_SEGMENT = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9._-]{{0,{MAX_SEGMENT_CHARACTERS - 1}}}")
_PREFIX = re.compile(r"[A-Za-z0-9._/-]*")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def content_key(shelf: str, digest: str) -> str:
    """`content_key("lfs", sha256)` is "lfs/ab/cd/<sha256>": two levels keep every folder small."""
    if not _DIGEST.fullmatch(digest):
        raise BadKey(
            f"{shown(digest)} is not 64 lower-case hexadecimal digits", field="digest", value=digest, limit=64
        )
    return check_key(f"{shelf}/{digest[:2]}/{digest[2:4]}/{digest}")


def check_key(key: str) -> str:
    """The key itself, or BadKey: segments of letters, digits, `_ . -`, joined by single slashes."""
    if len(key) > MAX_KEY_CHARACTERS:
        raise BadKey(
            f"A key of {len(key)} characters; the limit is {MAX_KEY_CHARACTERS}",
            field="key",
            value=key,
            limit=MAX_KEY_CHARACTERS,
        )
    for segment in key.split("/"):
        _check_segment(segment, "key", key)
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself, or BadKey; a prefix is any beginning of a key, the empty one included."""
    if len(prefix) > MAX_KEY_CHARACTERS or not _PREFIX.fullmatch(prefix):
        raise BadKey(f"{shown(prefix)!r} is not the beginning of a key", field="prefix", value=prefix)
    return prefix


def check_upload_id(upload_id: str) -> str:
    """The upload's name itself, or BadKey: one segment of a key."""
    _check_segment(upload_id, "upload_id", upload_id)
    return upload_id


def _check_segment(segment: str, field: str, whole: str) -> None:
    if not _SEGMENT.fullmatch(segment):
        raise BadKey(
            f"{shown(whole)!r} may not be a {field}: {shown(segment)!r} is not 1 to {MAX_SEGMENT_CHARACTERS} "
            "letters, digits or `_.-` that begin with a letter, a digit or `_`",
            field=field,
            value=whole,
            limit=MAX_SEGMENT_CHARACTERS,
        )
