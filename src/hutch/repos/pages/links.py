"""Addresses of a repository's pages, and what the relative addresses in its texts lead to."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

# Cards that came from the public hub name their own pictures by its address.
_PUBLIC_HUBS = frozenset({"huggingface.co", "www.huggingface.co", "hf.co"})
_FILE_ADDRESS = re.compile(r"(?:resolve|blob|raw|tree)/[^/]+/(?P<path>.+)")
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp|avif);base64,[A-Za-z0-9+/=\s]*", re.IGNORECASE)
_LINK_SCHEMES = frozenset({"http", "https", "mailto"})
# What browsers drop from an address before they read its scheme.
_IGNORED = re.compile(r"^[\x00-\x20]+|[\x00-\x20]+$|[\t\r\n]")


class Named(Protocol):
    """A repository's row, of either make."""

    @property
    def type(self) -> str: ...
    @property
    def full_name(self) -> str: ...


def page(repo: Named, *parts: str) -> str:
    """The path of a page: `page(repo, "blob", "refs/pr/1", "a b/c")` -> `/ns/name/blob/refs%2Fpr%2F1/a%20b/c`.

    Only the last of three parts, a path in the repository, keeps its slashes.
    """
    prefix = "" if repo.type == "model" else f"{repo.type}s/"
    words = [quote(_bytes(part), safe="" if number != 2 else "/") for number, part in enumerate(parts)]
    return "/".join([f"/{prefix}{quote(repo.full_name)}", *(word for word in words if word)])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class TextLinks:
    """Where the addresses in one text of a repository lead. `folder` is that of the text, '' at the top."""

    repo: Named
    revision: str
    folder: str = ""
    base_url: str = ""

    def link(self, address: str) -> str | None:
        """What a link leads to: a relative one to the file's page at this revision. None for what is refused."""
        return self._target(address, "blob")

    def image(self, address: str) -> str | None:
        """Where a picture, sound or film is read from; None unless its bytes come from this hub or the text itself."""
        address = address.strip()
        if _DATA_IMAGE.fullmatch(address):
            return address
        found = self._target(address, "resolve")
        return found if found and found.startswith("/") else None

    def _target(self, address: str, verb: str) -> str | None:
        address = _IGNORED.sub("", address)
        try:
            parts = urlsplit(address)
        except ValueError:
            return None
        if parts.scheme or parts.netloc:
            return self._outside(address, parts.scheme.lower(), parts.netloc.lower(), parts.path, verb)
        if not parts.path:
            return f"#{parts.fragment}" if parts.fragment else None
        query = (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
        if parts.path.startswith(("/", "\\")):
            return parts.path.replace("\\", "/") + query if parts.path[1:2] not in ("/", "\\") else None
        return self._inside(unquote(parts.path), verb) + query

    def _outside(self, address: str, scheme: str, host: str, path: str, verb: str) -> str | None:
        if self.base_url and (address == self.base_url or address.startswith(f"{self.base_url}/")):
            return address[len(self.base_url) :] or "/"
        own = f"{page(self.repo)}/"
        if host in _PUBLIC_HUBS and path.startswith(own):
            named = _FILE_ADDRESS.fullmatch(path[len(own) :])
            if named is not None:
                return page(self.repo, verb, self.revision, unquote(named["path"]))
        return address if scheme in _LINK_SCHEMES else None

    def _inside(self, path: str, verb: str) -> str:
        whole = posixpath.normpath(posixpath.join(self.folder, path))
        while whole.startswith("../"):
            whole = whole[3:]
        if whole in (".", ".."):
            return page(self.repo, "tree", self.revision)
        is_folder = path.endswith("/") and verb == "blob"
        return page(self.repo, "tree" if is_folder else verb, self.revision, whole)
