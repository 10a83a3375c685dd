"""Pictures: which are taken, and how they are sent."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.accounts.images import MOST_BYTES, Image, checked_image
from hutch.core.errors import BadRequest, PayloadTooLarge
from tests.acceptance.hub import Hub, User
from tests.accounts.visitor import Visitor, errors


def png(width: int = 8, height: int = 8) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x80\x40\x20" * width for _ in range(min(height, 64))))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


GIF = b"GIF89a" + struct.pack("<HH", 7, 5) + b"\x80\0\0" + b"\0" * 6 + b"\x3b"
JPEG = (
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    + b"\xff\xc0\0\x11\x08"
    + struct.pack(">HH", 9, 11)
    + b"\x03" * 12
)
WEBP = b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0\x2f" + struct.pack("<I", 12 | (34 << 14)) + b"\0" * 12


@pytest.mark.parametrize(
    ("content", "image"),
    [
        (png(8, 6), Image("image/png", 8, 6)),
        (GIF, Image("image/gif", 7, 5)),
        (JPEG, Image("image/jpeg", 11, 9)),
        (WEBP, Image("image/webp", 13, 35)),
    ],
)
def test_picture_is_known_by_its_bytes(content: bytes, image: Image) -> None:
    assert checked_image(content) == image


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GIF89a",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<html>",
        b"\x89PNG\r\n\x1a\n",
        png(0, 5),
        b"%PDF-1.7",
        png(3000, 8),
    ],
)
def test_anything_else_is_refused(content: bytes) -> None:
    with pytest.raises(BadRequest) as refused:
        checked_image(content)
    assert refused.value.field == "avatar"


@given(st.binary(max_size=200), st.sampled_from([png(), GIF, JPEG, WEBP, b"\xff\xd8\xff", b"RIFF"]))
def test_damaged_picture_is_a_picture_or_a_refusal_and_nothing_else(noise: bytes, start: bytes) -> None:
    for content in (start + noise, start[: len(noise)] + noise):
        try:
            assert checked_image(content).media_type.startswith("image/")
        except BadRequest:
            pass


def test_large_file_is_refused_with_the_limit() -> None:
    with pytest.raises(PayloadTooLarge) as refused:
        checked_image(png() + b"\0" * MOST_BYTES)
    assert refused.value.limit == MOST_BYTES


def test_everybody_has_a_picture_that_runs_nothing(server: Hub, user: User) -> None:
    told = httpx.get(f"{server.url}/api/avatars/{user.name}", timeout=60).json()
    for address in (f"{server.url}/api/users/{user.name}/avatar", told["avatarUrl"]):
        assert httpx.get(address, timeout=60).status_code == 200
    drawn = httpx.get(told["avatarUrl"], timeout=60)
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert drawn.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in drawn.headers["content-security-policy"]
    assert "sandbox" in drawn.headers["content-security-policy"]
    assert httpx.get(f"{server.url}/api/avatars/no-such-name", timeout=60).status_code == 404
    assert httpx.get(f"{server.url}/api/organizations/{user.name}/avatar", timeout=60).status_code == 404


def test_name_cannot_bring_markup_into_the_drawn_picture() -> None:
    from hutch.accounts import avatars
    from hutch.accounts.lookup import NamespaceCard

    card = NamespaceCard(1, "x", False, 1, "<script> &", "", "", True)
    drawn, _ = avatars.picture(card)
    assert b"<script" not in drawn
    assert b"&lt;&amp;" in drawn


def test_uploaded_picture_is_sent_back_byte_for_byte(
    server: Hub, user: User, visit: Callable[[Hub], Visitor]
) -> None:
    visitor = visit(server)
    visitor.sign_in(user.name)
    content = png(16, 16)
    visitor.send(
        "/settings/profile",
        form="/settings/profile/picture",
        files={"avatar": ("me.svg", content, "image/svg+xml")},
    )
    address = httpx.get(f"{server.url}/api/avatars/{user.name}", timeout=60).json()["avatarUrl"]
    sent = httpx.get(address, timeout=60)
    assert sent.content == content
    assert sent.headers["content-type"] == "image/png"
    server.restart()
    assert httpx.get(address, timeout=60).content == content
    refused = visitor.send(
        "/settings/profile",
        form="/settings/profile/picture",
        files={"avatar": ("me.png", b"<script>", "image/png")},
    )
    assert refused.status_code == 400
    assert "PNG, JPEG, GIF or WebP" in errors(refused)
    visitor.send("/settings/profile", form="/settings/profile/picture", remove="1")
    assert "?v=" not in httpx.get(f"{server.url}/api/avatars/{user.name}", timeout=60).json()["avatarUrl"]
