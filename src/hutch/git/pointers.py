"""Git LFS pointers, by version 1 of their specification (git-lfs, docs/spec.md)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

VERSION_LINE = b"version https://git-lfs.github.com/spec/v1"
MAX_POINTER_BYTES = 1023
# 43 bytes of version line, 76 of oid line, at least 7 of size line.
MIN_POINTER_BYTES = 126

_OID_LINE = re.compile(rb"oid sha256:([0-9a-f]{64})")
_SIZE_LINE = re.compile(rb"size (0|[1-9][0-9]{0,18})")
_KEY = re.compile(rb"([a-z0-9.-]+) [^\n]*")
_EXTENSION = re.compile(rb"ext-[0-9]-[a-z0-9.-]+ ")


@dataclass(frozen=True, slots=True)
class Pointer:
    """A large object by the SHA-256 of its content (64 hex digits) and its size in bytes."""

    oid: str
    size: int


def parse(data: bytes) -> Pointer | None:
    """The pointer that these bytes are, or None. Strict: one spelling, keys sorted, newline at the end.

    Extensions (`ext-0-name ...`) are accepted and ignored: their objects are named by the same oid line.
    """
    if len(data) > MAX_POINTER_BYTES or not data.startswith(VERSION_LINE + b"\n") or not data.endswith(b"\n"):
        return None
    lines = data[:-1].split(b"\n")[1:]
    plain = [line for line in lines if not _EXTENSION.match(line)]
    keys = [found.group(1) for line in lines if (found := _KEY.fullmatch(line))]
    if len(plain) != 2 or len(keys) != len(lines) or any(a >= b for a, b in itertools.pairwise(keys)):
        return None
    oid, size = _OID_LINE.fullmatch(plain[0]), _SIZE_LINE.fullmatch(plain[1])
    if oid is None or size is None or int(size.group(1)) >= 2**63:
        return None
    return Pointer(oid.group(1).decode(), int(size.group(1)))


def render(pointer: Pointer) -> bytes:
    """The canonical bytes of a pointer, as `git lfs clean` writes them."""
    return b"%s\noid sha256:%s\nsize %d\n" % (VERSION_LINE, pointer.oid.encode(), pointer.size)
