"""Range, If-Range and If-None-Match, by RFC 9110."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.cas import ranges
from hutch.cas.ranges import Span
from hutch.core.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "spans"),
    [
        ("bytes=0-0", [(0, 1)]),
        ("bytes=0-99", [(0, 100)]),
        ("bytes=90-", [(90, 100)]),
        ("bytes=-10", [(90, 100)]),
        ("bytes=-1000", [(0, 100)]),
        ("bytes=50-1000", [(50, 100)]),
        ("Bytes=1-2", [(1, 3)]),
        ("bytes= 1-2 , 4-5", [(1, 3), (4, 6)]),
        ("bytes=1-2,200-300", [(1, 3)]),
        ("bytes=4-5,1-2,,", [(4, 6), (1, 3)]),
    ],
)
def test_sound_range_gives_its_spans(header: str, spans: list[tuple[int, int]]) -> None:
    assert ranges.parse(header, 100) == [Span(*pair) for pair in spans]


@pytest.mark.parametrize(
    "header",
    [
        None, "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2-3", "lines=1-2", "bytes=+1-2",
        "bytes=1 - 2", "bytes=0x1-2", "bytes=¹-2", "bytes=1-2;3-4", "bytes=0-60,0-60", "bytes=99999999999999999999-",
    ],
)  # fmt: skip
def test_malformed_or_greedy_range_is_ignored(header: str | None) -> None:
    assert ranges.parse(header, 100) is None


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=1000-,2000-"])
def test_range_behind_the_end_is_refused_with_the_size(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable) as caught:
        ranges.parse(header, 100)
    assert caught.value.headers()["Content-Range"] == "bytes */100"


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=-5", "bytes=0-0"])
def test_no_range_of_an_empty_file_can_be_sent(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        ranges.parse(header, 0)


def test_more_than_64_ranges_are_ignored() -> None:
    assert ranges.parse("bytes=" + ",".join(f"{n}-{n}" for n in range(64)), 100) is not None
    assert ranges.parse("bytes=" + ",".join(f"{n}-{n}" for n in range(65)), 100) is None


@given(st.text(alphabet="bytes=-,0123456789 ;x", max_size=60), st.integers(0, 200))
def test_any_header_gives_spans_within_the_file(header: str, size: int) -> None:
    try:
        spans = ranges.parse(header, size)
    except RangeNotSatisfiable:
        return
    for span in spans or []:
        assert 0 <= span.start < span.end <= size
    assert ranges.total_length(spans or []) <= size


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_span_cuts_what_was_asked(content: bytes, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(content) - 1))
    last = data.draw(st.integers(first, 400))
    (span,) = ranges.parse(f"bytes={first}-{last}", len(content)) or []
    assert content[span.start : span.end] == content[first : last + 1]
    suffix = data.draw(st.integers(1, 400))
    (span,) = ranges.parse(f"bytes=-{suffix}", len(content)) or []
    assert content[span.start : span.end] == content[-suffix:]


def test_content_range_names_the_last_byte() -> None:
    assert ranges.content_range(Span(0, 10), 100) == "bytes 0-9/100"


@pytest.mark.parametrize("header", ['"abc"', 'W/"abc"', '"x", "abc"', "*", ' "x",W/"abc"'])
def test_known_tag_is_recognised(header: str) -> None:
    assert ranges.matches_any(header, '"abc"')


@pytest.mark.parametrize("header", ["", '"ab"', "abc", '"x", "y"'])
def test_other_tags_are_not(header: str) -> None:
    assert not ranges.matches_any(header, '"abc"')


@pytest.mark.parametrize(
    ("if_range", "holds"),
    [
        (None, True),
        ('"abc"', True),
        ('"x"', False),
        ('W/"abc"', False),
        ("Mon, 23 Nov 2026 17:00:00 GMT", False),
    ],
)
def test_range_counts_only_beside_the_same_strong_tag(if_range: str | None, holds: bool) -> None:
    assert ranges.range_still_holds(if_range, '"abc"') is holds
