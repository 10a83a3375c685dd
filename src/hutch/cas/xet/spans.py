"""Runs of chunks, as pairs (start, end) with the end exclusive: sorted, apart from each other."""

from __future__ import annotations

from collections.abc import Iterable

Spans = list[tuple[int, int]]


def merged(spans: Iterable[tuple[int, int]]) -> Spans:
    """The same chunks in the fewest runs."""
    found: Spans = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


def covers(spans: Spans, start: int, end: int) -> bool:
    """Whether merged runs hold all of `start` to `end`."""
    return any(first <= start and end <= last for first, last in spans)


def to_text(spans: Iterable[tuple[int, int]]) -> str:
    """`0-12,40-41`, for the database."""
    return ",".join(f"{start}-{end}" for start, end in spans)


def from_text(text: str) -> Spans:
    """What `to_text` wrote."""
    pairs = (part.split("-") for part in text.split(",") if part)
    return [(int(start), int(end)) for start, end in pairs]
