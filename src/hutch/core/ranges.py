"""Byte ranges and conditions of a GET, by RFC 9110 (sections 13 and 14)."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from hutch.core.errors import RangeNotSatisfiable

MAX_RANGES = 64
_SPEC = re.compile(r"([0-9]{0,19})\s*-\s*([0-9]{0,19})")
_ETAG = re.compile(r'(?:W/)?"[^"]*"')


class ByteRange(NamedTuple):
    """Bytes `start` to `end`, the end exclusive."""

    start: int
    end: int

    def content_range(self, size: int) -> str:
        """The value of Content-Range."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse(header: str, size: int) -> list[ByteRange] | None:
    """The ranges that a Range header asks of `size` bytes, in its order, clamped; overlapping ones are joined.

    None where the header is to be ignored: another unit, malformed, or more than 64 ranges. Raises
    RangeNotSatisfiable where every range lies behind the end.
    """
    unit, equals, text = header.partition("=")
    specs = [spec.strip() for spec in text.split(",") if spec.strip()]
    if unit.strip().lower() != "bytes" or not equals or not specs or len(specs) > MAX_RANGES:
        return None
    found: list[ByteRange] = []
    for spec in specs:
        match = _SPEC.fullmatch(spec)
        if match is None or not _is_ordered(match[1], match[2]):
            return None
        part = _clamped(match[1], match[2], size)
        if part is not None:
            found.append(part)
    if not found:
        raise RangeNotSatisfiable(size)
    return _joined(found)


def _is_ordered(first: str, last: str) -> bool:
    if not first:
        return bool(last)
    return not last or int(first) <= int(last)


def _clamped(first: str, last: str, size: int) -> ByteRange | None:
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1) if last else size
    return ByteRange(start, end) if start < end else None


# Many small overlapping ranges would make the server send a file many times over.
def _joined(ranges: list[ByteRange]) -> list[ByteRange]:
    ordered = sorted(ranges)
    if all(a.end <= b.start for a, b in zip(ordered, ordered[1:], strict=False)):
        return ranges
    joined = [ordered[0]]
    for each in ordered[1:]:
        last = joined[-1]
        if each.start <= last.end:
            joined[-1] = ByteRange(last.start, max(last.end, each.end))
        else:
            joined.append(each)
    return joined


def matches(header: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags (`If-Match`, `If-None-Match`) has `etag`, or is `*`."""
    if header.strip() == "*":
        return True
    tags = _ETAG.findall(header)
    if weak:
        return etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in tags}
    return not etag.startswith("W/") and etag in tags


def if_range_holds(header: str, etag: str, modified_s: int | None) -> bool:
    """Whether a Range may be answered: If-Range is absent, the strong entity tag, or exactly the date."""
    header = header.strip()
    if not header:
        return True
    if '"' in header:
        return header == etag and not etag.startswith("W/")
    return modified_s is not None and http_date_s(header) == modified_s


def http_date_s(text: str) -> int | None:
    """Unix seconds of an HTTP date; None if it is not one."""
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
