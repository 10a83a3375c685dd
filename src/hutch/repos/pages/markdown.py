"""Markdown of users as HTML that is safe to show: parsed within bounds, then sanitised whatever the parser made of it.

Bounds first: a text that is too long, or that takes the parser too long, is shown as it stands.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

import nh3
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from hutch.repos.pages.links import TextLinks
from hutch.repos.pages.markdown_parse import TooSlow, parse

MAX_CHARACTERS = 1_000_000
MAX_SECONDS = 1.5
MAX_HTML_CHARACTERS = 6_000_000
MAX_DEPTH = 200
# Before the names that users give to their elements, so that none of them meets one of the page's own.
PREFIX = "c-"

_KEPT_CHARACTERS = 16_000_000
_NOT_NESTED = frozenset(
    "area br col embed hr img input li link meta option p source td th tr track wbr".split()
)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")

_TAGS = set(
    """
    a abbr audio b blockquote br caption center cite code dd del details dfn div dl dt em figcaption figure h1 h2 h3 h4
    h5 h6 hr i img ins kbd li mark ol p picture pre q rp rt ruby s samp section small source span strike strong sub
    summary sup table tbody td tfoot th thead tr tt u ul var video wbr
    """.split()
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"id", "class", "title", "lang", "dir", "align", "role", "aria-label", "tabindex"},
    "a": {"href", "name"}, "img": {"src", "alt", "width", "height"}, "ol": {"start", "type", "reversed"}, "li": {"value"},  # noqa: E501
    "td": {"colspan", "rowspan", "width", "height", "valign", "style"},
    "th": {"colspan", "rowspan", "width", "height", "valign", "scope", "style"},
    "video": {"src", "controls", "width", "height", "loop", "muted"}, "audio": {"src", "controls", "loop", "muted"},
    "source": {"src", "type"}, "details": {"open"}, "blockquote": {"cite"}, "q": {"cite"}, "table": {"width"},
}  # fmt: skip
# Only the classes that our own renderer gives: none of the page's can be put on.
_CLASSES = re.compile(
    r"k-[a-z0-9]{1,4}|scroll-x|anchor|task|outside|alert|footnote(?:s|-ref|-backref|s-sep|s-list|-item)"
)
_ROLES = frozenset({"img", "region", "note"})
_NUMBER = re.compile(r"\d{1,5}%?")


@dataclass(frozen=True, slots=True)
class Rendered:
    """`is_whole` is False where the text could not be parsed within bounds and is shown as it stands."""

    html: SafeString
    is_whole: bool


def render(text: str, links: TextLinks) -> Rendered:
    """A Markdown text as sanitised HTML, its relative addresses resolved by `links`."""
    made = _parsed(text, links)
    if made is None:
        return Rendered(mark_safe(f'<pre tabindex="0">{escape(text[:MAX_CHARACTERS])}</pre>'), False)  # noqa: S308
    return Rendered(mark_safe(_sanitised(made, links)), True)  # noqa: S308 - sanitised in this very line


def _parsed(text: str, links: TextLinks) -> str | None:
    if len(text) > MAX_CHARACTERS:
        return None
    try:
        made = parse(text, links, deadline=time.thread_time() + MAX_SECONDS)
    except (TooSlow, RecursionError):
        return None
    return made if len(made) <= MAX_HTML_CHARACTERS and _depth(made) <= MAX_DEPTH else None


# The sanitiser's time grows with the square of the depth.
def _depth(html: str) -> int:
    depth = deepest = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _NOT_NESTED:
            depth += -1 if tag[1] else 1
            deepest = max(deepest, depth)
            depth = max(depth, 0)
    return deepest


def _sanitised(html: str, links: TextLinks) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        clean_content_tags={
            "script",
            "style",
            "template",
            "noscript",
            "iframe",
            "svg",
            "math",
            "title",
            "textarea",
        },
        attributes=_ATTRIBUTES,
        attribute_filter=_Filter(links),
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener nofollow ugc",
    )


class _Filter:
    """Decides on each attribute of one text: its new value, or None to drop it."""

    def __init__(self, links: TextLinks) -> None:
        self._links = links
        self._ids: set[str] = set()

    def __call__(self, tag: str, name: str, value: str) -> str | None:
        """As nh3 calls it."""
        if name in ("href", "cite"):
            return self._link(value)
        if name == "src":
            return self._links.image(value)
        if name in ("id", "name"):
            return self._own(name, value)
        if name == "class":
            return " ".join(word for word in value.split() if _CLASSES.fullmatch(word)) or None
        if name in ("width", "height", "start", "colspan", "rowspan", "value"):
            return value if _NUMBER.fullmatch(value) else None
        if name == "role":
            return value if value in _ROLES else None
        if name == "tabindex":
            return value if value == "0" else None
        return value

    def _link(self, value: str) -> str | None:
        found = self._links.link(value)
        return f"#{PREFIX}{found[1:]}" if found and found.startswith("#") else found

    def _own(self, name: str, value: str) -> str | None:
        if not value or value in self._ids or re.search(r"\s", value):
            return None
        self._ids.add(value)
        return PREFIX + value


_lock = threading.Lock()
_kept: OrderedDict[tuple[str, TextLinks], Rendered] = OrderedDict()
_kept_characters = 0


def render_blob(oid: str, text: str, links: TextLinks) -> Rendered:
    """As `render`, kept by the blob's id and by where its links lead: contents never change."""
    global _kept_characters  # noqa: PLW0603
    key = (f"{oid} {type(links.repo).__name__}", _plain(links))
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    found = render(text, links)
    with _lock:
        if len(found.html) < _KEPT_CHARACTERS // 4 and key not in _kept:
            _kept[key] = found
            _kept_characters += len(found.html)
        while _kept_characters > _KEPT_CHARACTERS:
            _, dropped = _kept.popitem(last=False)
            _kept_characters -= len(dropped.html)
    return found


@dataclass(frozen=True, slots=True)
class _Name:
    type: str
    full_name: str


# A row of the database must not be kept, nor compared by its key.
def _plain(links: TextLinks) -> TextLinks:
    return TextLinks(
        _Name(links.repo.type, links.repo.full_name), links.revision, links.folder, links.base_url
    )
