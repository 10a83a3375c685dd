from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hutch.core.wires import find, route, routing_path

PATHS = st.binary(max_size=60).map(lambda tail: b"/" + tail.replace(b"?", b"%3F"))


async def nothing(scope: Any, receive: Any, send: Any) -> None: ...


def segments(path: str) -> list[bytes]:
    return [unquote(part, errors="strict").encode("utf-8", "surrogateescape") for part in path.split("/")]


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/a/b", "/a/b"),
        (b"/a%2Fb", "/a%2Fb"),
        (b"/a%2fb", "/a%2Fb"),
        (b"/a%252Fb", "/a%252Fb"),
        (b"/100%25", "/100%25"),
        (b"/100%", "/100%25"),
        (b"/%zz", "/%25zz"),
        (b"/%C3%A9", "/é"),
        ("/é".encode(), "/é"),
        ("/é%20".encode(), "/é "),
        (b"/%FF", "/\udcff"),
        (b"/\xff", "/\udcff"),
        (b"/%C3\xa9", "/é"),
        (b"/a%00b", "/a\x00b"),
        (b"/a?b=/c", "/a"),
        (b"/a%3Fb", "/a?b"),
        (b"/../a", "/../a"),
        (b"/%2e%2e/a", "/../a"),
        (b"//a/", "//a/"),
        (b"", ""),
    ],
)
def test_path_is_decoded_segment_by_segment(raw: bytes, path: str) -> None:
    assert routing_path(raw) == path


@given(PATHS)
@example(b"/%")
@example(b"/%2")
@example(b"/%25%32%46")
@example(b"/%ED%B2%80")
def test_segments_are_what_the_client_sent_and_no_more(raw: bytes) -> None:
    assert segments(routing_path(raw)) == [unquote_to_bytes(part) for part in raw.split(b"/")]


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_escaping_more_than_needed_is_the_same_path(parts: list[bytes]) -> None:
    plain = b"/".join(quote(part, safe="").encode() for part in parts)
    all_escaped = b"/".join(b"".join(b"%%%02x" % byte for byte in part) for part in parts)
    assert routing_path(plain) == routing_path(all_escaped)


@given(st.lists(st.binary(max_size=9), min_size=1), st.lists(st.binary(max_size=9), min_size=1))
def test_different_segments_are_different_paths(one: list[bytes], other: list[bytes]) -> None:
    paths = [
        routing_path(b"/".join(quote(part, safe="").encode() for part in parts)) for parts in (one, other)
    ]
    assert (paths[0] == paths[1]) == (one == other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_parameter_of_a_wire_is_the_clients_text(text: str) -> None:
    wires = [route("one", "GET", r"/x/(?P<name>[^/]*)", nothing, "")]
    found = find(wires, "GET", routing_path(b"/x/" + quote(text, safe="").encode()))
    assert found is not None
    assert found[1] == {"name": text}


def test_revision_with_escaped_slashes_stays_one_segment() -> None:
    wires = [route("one", "GET", r"/resolve/(?P<revision>[^/]+)/(?P<path>.+)", nothing, "")]
    found = find(wires, "GET", routing_path(b"/resolve/refs%2Fpr%2F1/a/b%20c.txt"))
    assert found is not None
    assert found[1] == {"revision": "refs/pr/1", "path": "a/b c.txt"}


def test_route_of_another_method_or_of_part_of_the_path_is_not_found() -> None:
    wires = [route("one", "GET HEAD", r"/a(?:/(?P<rest>b))?", nothing, "")]
    assert find(wires, "POST", "/a") is None
    assert find(wires, "GET", "/a/b/c") is None
    assert find(wires, "HEAD", "/a") == (wires[0], {})
