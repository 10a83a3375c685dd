"""The Range header of a download, by RFC 9110 section 14. The house's only parser of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hutch.core.errors import RangeNotSatisfiable

# More pieces than any reader of Parquet or safetensors asks for; RFC 9110 14.2 lets a server ignore worse.
MAX_RANGES = 64
_SPEC = re.compile(r"(\d{0,19})-(\d{0,19})")


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `start` to `end` (exclusive) of a file; never empty."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start


def parse(header: str | None, size_bytes: int) -> list[Span] | None:
    """The spans that a Range header asks of a file of that size, in the order asked; None: send the whole file.

    What is malformed, in another unit, in more than 64 pieces or longer in sum than the file is ignored, as
    RFC 9110 has it. Raises RangeNotSatisfiable when every piece lies behind the end (also: any piece of an empty file).
    """
    unit, equals, text = (header or "").partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return None
    asked = [part.strip(" \t") for part in text.split(",")]
    asked = [part for part in asked if part]
    if not asked or len(asked) > MAX_RANGES:
        return None
    spans: list[Span] = []
    for part in asked:
        match = _SPEC.fullmatch(part)
        if match is None or not _is_sound(match[1], match[2]):
            return None
        span = _span(match[1], match[2], size_bytes)
        if span is not None:
            spans.append(span)
    if not spans:
        raise RangeNotSatisfiable(size_bytes)
    return spans if len(spans) == 1 or sum(span.length for span in spans) <= size_bytes else None


def content_range(span: Span, size_bytes: int) -> str:
    """The value of Content-Range."""
    return f"bytes {span.start}-{span.end - 1}/{size_bytes}"


def matches_any(header: str, etag: str) -> bool:
    """Whether an If-None-Match names this entity tag (quoted); weak tags count, by RFC 9110 13.1.2."""
    if header.strip() == "*":
        return True
    return _opaque(etag) in {_opaque(tag) for tag in re.findall(r'(?:W/)?"[^"]*"', header)}


def range_still_holds(if_range: str | None, etag: str) -> bool:
    """Whether a Range beside this If-Range counts: only for the very same strong tag, by RFC 9110 13.1.5."""
    return if_range is None or (if_range.strip() == etag and not etag.startswith("W/"))


def _is_sound(first: str, last: str) -> bool:
    return bool(first or last) and not (first and last and int(first) > int(last))


def _span(first: str, last: str, size_bytes: int) -> Span | None:
    if not first:
        start, end = max(0, size_bytes - int(last)), size_bytes
    else:
        start, end = int(first), min(int(last) + 1 if last else size_bytes, size_bytes)
    return Span(start, end) if start < end else None


def _opaque(tag: str) -> str:
    return tag.removeprefix("W/")


def total_length(spans: Sequence[Span]) -> int:
    """Bytes of all spans together."""
    return sum(span.length for span in spans)
