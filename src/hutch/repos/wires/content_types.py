"""What a file of a user's is sent as. Decided here, from its name and its first bytes; never by the browser."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
SNIFF_BYTES = 8192

# The only types that a browser may show: pictures made of pixels, sound, film. SVG and PDF can carry scripts.
_SHOWN = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
    "avif": "image/avif", "bmp": "image/bmp", "ico": "image/x-icon",
    "mp3": "audio/mpeg", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "oga": "audio/ogg",
    "opus": "audio/ogg", "m4a": "audio/mp4", "aac": "audio/aac",
    "mp4": "video/mp4", "m4v": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "ogv": "video/ogg",
}  # fmt: skip
_TEXT_ENDINGS = frozenset(
    "c cc cfg conf cpp css csv cu cuh diff dockerfile editorconfig gitattributes gitignore gitmodules go h hpp htm "
    "html ini ipynb java jinja js json jsonl jsx kt license log lua md mdx merges mjs patch pl proto py pyi pyx r rb "
    "rs rst sh sql srt svg swift tex toml ts tsv tsx txt vtt xml yaml yml zig".split()
)
# Downloaded, not shown, but named for what they are.
_SAVED = {
    "pdf": "application/pdf", "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
    "parquet": "application/vnd.apache.parquet", "wasm": "application/wasm",
}  # fmt: skip


class ContentType(NamedTuple):
    """A media type, and whether a browser may show it where it stands."""

    media_type: str
    is_shown: bool


def of(name: str, first_bytes: bytes | None) -> ContentType:
    """The type of the file called `name`; `first_bytes` decide where the name says nothing (None: not at hand)."""
    ending = name.rsplit("/", 1)[-1].rsplit(".", 1)[-1].lower()
    if ending in _SHOWN:
        return ContentType(_SHOWN[ending], True)
    if ending in _TEXT_ENDINGS:
        return ContentType(TEXT, True)
    if ending in _SAVED:
        return ContentType(_SAVED[ending], False)
    if first_bytes is not None and reads_as_text(first_bytes):
        return ContentType(TEXT, True)
    return ContentType(BINARY, False)


def is_known(name: str) -> bool:
    """Whether the name alone decides."""
    ending = name.rsplit("/", 1)[-1].rsplit(".", 1)[-1].lower()
    return ending in _SHOWN or ending in _TEXT_ENDINGS or ending in _SAVED


def reads_as_text(first_bytes: bytes) -> bool:
    """Whether the bytes (perhaps cut inside a character) are UTF-8 without NUL."""
    if b"\0" in first_bytes:
        return False
    try:
        first_bytes.decode()
    except UnicodeDecodeError as error:
        return error.end == len(first_bytes) and len(first_bytes) - error.start < 4 and error.start > 0
    return True


def disposition(name: str, *, is_shown: bool) -> str:
    """Content-Disposition (RFC 6266): an ASCII stand-in for old clients, then the name in UTF-8.

    huggingface_hub reads the name up to `";`, so the ASCII one stands first.
    """
    base = name.rsplit("/", 1)[-1]
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in base)
    exact = quote(base.encode("utf-8", "replace"), safe="!#$&+-.^_`|~")
    kind = "inline" if is_shown else "attachment"
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{exact}"


def safety_headers(content: ContentType, name: str, *, as_download: bool) -> list[tuple[str, str]]:
    """The headers under which bytes of users may leave: nothing in them ever runs in the hub's origin."""
    return [
        ("Content-Disposition", disposition(name, is_shown=content.is_shown and not as_download)),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ]
