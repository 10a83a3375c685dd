"""Pictures that people upload: which of the four raster formats it is, and how large, read from its own bytes."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.errors import BadRequest, PayloadTooLarge

MOST_BYTES = 1 << 20
MOST_PIXELS = 2048


@dataclass(frozen=True, slots=True)
class Image:
    """`media_type` is image/png, image/jpeg, image/gif or image/webp; `width` and `height` are pixels."""

    media_type: str
    width: int
    height: int


def checked_image(content: bytes) -> Image:
    """What the picture is. Raises BadRequest for any other format, PayloadTooLarge for a large file."""
    if len(content) > MOST_BYTES:
        raise PayloadTooLarge(
            f"The picture has {len(content)} bytes; at most {MOST_BYTES} are kept",
            field="avatar", value=len(content), limit=MOST_BYTES,
        )  # fmt: skip
    image = _read(content)
    if image is None or not image.width or not image.height:
        raise BadRequest("The picture must be a PNG, JPEG, GIF or WebP file", field="avatar")
    if max(image.width, image.height) > MOST_PIXELS:
        raise BadRequest(
            f"The picture is {image.width} by {image.height} pixels; at most {MOST_PIXELS} by {MOST_PIXELS} are kept",
            field="avatar", value=max(image.width, image.height), limit=MOST_PIXELS,
        )  # fmt: skip
    return image


def media_type(content: bytes) -> str:
    """The type of a picture that was checked when it came; asked again before it is sent. Raises BadRequest."""
    return checked_image(content).media_type


def _read(content: bytes) -> Image | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n") and content[12:16] == b"IHDR" and len(content) >= 33:
        return Image("image/png", _big(content[16:20]), _big(content[20:24]))
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 13:
        return Image("image/gif", _little(content[6:8]), _little(content[8:10]))
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    return None


def _webp(content: bytes) -> Image | None:
    kind, body = content[12:16], content[20:]
    if len(body) < 10:
        return None
    if kind == b"VP8X":
        return Image("image/webp", _little(body[4:7]) + 1, _little(body[7:10]) + 1)
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = _little(body[1:5])
        return Image("image/webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return Image("image/webp", _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF)
    return None


def _jpeg(content: bytes) -> Image | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame's header
            return Image("image/jpeg", _big(content[at + 7 : at + 9]), _big(content[at + 5 : at + 7]))
        if 0xD0 <= marker <= 0xD9 or marker == 0x01:  # has no length
            at += 2
            continue
        at += 2 + max(2, _big(content[at + 2 : at + 4]))
    return None


def _big(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def _little(raw: bytes) -> int:
    return int.from_bytes(raw, "little")
