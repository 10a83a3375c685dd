"""The package's own static files: their addresses carry a hash of their content."""

from __future__ import annotations

import hashlib
import mimetypes
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent / "static"
# the served types are ours to say, not the machine's mime tables
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
}


@cache
def asset_url(name: str) -> str:
    """`/static/app.css?v=1a2b3c4d`; KeyError-like failure at render time if there is no such file."""
    digest = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def read(name: str) -> tuple[bytes, str] | None:
    """Content and type of a static file; None if there is none of that name."""
    try:
        path = (ROOT / name).resolve()
        if not path.is_relative_to(ROOT.resolve()) or not path.is_file():
            return None
    except (OSError, ValueError):  # a name that no file can have
        return None
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return path.read_bytes(), kind
