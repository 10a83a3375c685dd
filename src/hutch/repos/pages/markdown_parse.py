"""Markdown to HTML, not yet safe: GitHub's dialect as cards use it, with anchors, alerts, tasks and footnotes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

from django.utils.html import escape
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

from hutch.repos.pages.highlighting import block
from hutch.repos.pages.links import TextLinks

_ALERTS = {"NOTE": "Note", "TIP": "Tip", "IMPORTANT": "Important", "WARNING": "Warning", "CAUTION": "Caution"}
_ALERT = re.compile(r"\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\][ \t]*(?:\n|$)")
_TASK = re.compile(r"\[([ xX])\][ \t]+")
_BARE_URL = re.compile(r"https?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}*_~]")
_HTML_LINK = re.compile(r"<(/?)a\b", re.IGNORECASE)
_HTML_IMAGE = re.compile(r"<img\b[^>]*>|<a\b|</a\s*>", re.IGNORECASE)
_SRC = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_ALT = re.compile(r"\balt\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_SLUG_DROPS = re.compile(r"[^\w\- ]")


class TooSlow(Exception):
    """The text takes the parser longer than it may."""


def parse(text: str, links: TextLinks, *, deadline: float) -> str:
    """The HTML of a Markdown text; `deadline` is a moment of this thread's CPU time. Raises TooSlow.

    Pictures from elsewhere become links: the visitor's browser asks no other host.
    """
    env: dict[str, Any] = {"links": links, "deadline": deadline, "slugs": {}, "links_open": 0}
    return str(_parser.render(text, env))


def _check_time(env: MutableMapping[str, Any]) -> None:
    if time.thread_time() > env["deadline"]:
        raise TooSlow


def _block_clock(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    _check_time(state.env)
    return False


def _inline_clock(state: StateInline, silent: bool) -> bool:
    if state.pos % 64 == 0:
        _check_time(state.env)
    return False


def _headings(state: StateCore) -> None:
    """Anchors, and every heading one step down: the page's own stands above all of them."""
    for number, token in enumerate(state.tokens):
        if token.type not in ("heading_open", "heading_close"):
            continue
        token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        if token.type == "heading_open":
            inline = state.tokens[number + 1]
            slug = _free_slug(_text_of(inline.children or []), state.env["slugs"])
            token.attrSet("id", slug)
            anchor = Token("html_inline", "", 0)
            anchor.content = (
                f' <a class="anchor" href="#{escape(slug)}" aria-label="Link to this section">#</a>'
            )
            inline.children = [*(inline.children or []), anchor]


def _free_slug(text: str, slugs: dict[str, int]) -> str:
    slug = _SLUG_DROPS.sub("", text.strip().lower()).replace(" ", "-")[:200] or "section"
    count = slugs.get(slug, 0)
    slugs[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def _text_of(tokens: Sequence[Token]) -> str:
    return "".join(t.content for t in tokens if t.type in ("text", "code_inline", "image"))


def _alerts(state: StateCore) -> None:
    """`> [!NOTE]` becomes a quotation that says what it is."""
    for number, token in enumerate(state.tokens[:-2]):
        inline = state.tokens[number + 2]
        if token.type != "blockquote_open" or inline.type != "inline":
            continue
        named = _ALERT.match(inline.content)
        if named:
            token.attrSet("class", "alert")
            token.attrSet("role", "note")
            inline.content = f"**{_ALERTS[named[1]]}**\n" + inline.content[named.end() :]


def _tasks(state: StateCore) -> None:
    """`- [x] done`: a mark that a screen reader reads, and no form field."""
    for number, token in enumerate(state.tokens[:-2]):
        inline = state.tokens[number + 2]
        if token.type != "list_item_open" or inline.type != "inline" or not inline.children:
            continue
        first = inline.children[0]
        box = _TASK.match(first.content) if first.type == "text" else None
        if box:
            is_done = box[1] != " "
            mark = Token("html_inline", "", 0)
            word, sign = ("done", "☑") if is_done else ("to do", "☐")
            mark.content = f'<span class="task" role="img" aria-label="{word}">{sign}</span> '
            first.content = first.content[box.end() :]
            inline.children.insert(0, mark)


def _empty_headers(state: StateCore) -> None:
    """The empty corner of a table is no heading of anything."""
    for number, token in enumerate(state.tokens[:-2]):
        if token.type == "th_open" and not state.tokens[number + 1].content.strip():
            token.tag = state.tokens[number + 2].tag = "td"


def _bare_urls(state: StateCore) -> None:
    """Addresses in running text become links."""
    for token in state.tokens:
        if token.type == "inline" and "://" in token.content:
            token.children = list(_with_links(token.children or []))


def _with_links(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        if token.type in ("link_open", "link_close"):
            depth += token.nesting
        elif token.type == "html_inline":
            named = _HTML_LINK.match(token.content)
            depth += 0 if named is None else -1 if named[1] else 1
        if token.type != "text" or depth > 0:
            yield token
            continue
        yield from _cut_at_urls(token.content)


def _cut_at_urls(text: str) -> Iterator[Token]:
    at = 0
    for found in _BARE_URL.finditer(text):
        yield _text(text[at : found.start()])
        yield Token("link_open", "a", 1, attrs={"href": found[0]})
        yield _text(found[0])
        yield Token("link_close", "a", -1)
        at = found.end()
    yield _text(text[at:])


def _text(content: str) -> Token:
    token = Token("text", "", 0)
    token.content = content
    return token


class _Renderer(RendererHTML):
    """What differs from the parser's own HTML. Methods are named for the tokens."""

    def table_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """A wide table scrolls by itself, by keyboard too."""
        return '<div class="scroll-x" tabindex="0" role="region" aria-label="Table"><table>\n'

    def table_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """The end of it."""
        return "</table></div>\n"

    def fence(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """Code in colour, if its language is named and known."""
        _check_time(env)
        language = (tokens[at].info.split() or [""])[0].strip("{}.")
        return f'<pre tabindex="0"><code>{block(tokens[at].content, language)}</code></pre>\n'

    def code_block(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """Indented code."""
        return f'<pre tabindex="0"><code>{escape(tokens[at].content)}</code></pre>\n'

    def link_open(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """Remembers that a picture here stands in a link."""
        env["links_open"] += 1
        return self.renderToken(tokens, at, options, env)

    def link_close(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """The end of it."""
        env["links_open"] = max(0, env["links_open"] - 1)
        return self.renderToken(tokens, at, options, env)

    def image(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """A picture of this hub, or a link to one elsewhere."""
        token = tokens[at]
        alt = self.renderInlineAsText(token.children or [], options, env)
        title = str(token.attrs.get("title") or "")
        return _picture(str(token.attrs.get("src") or ""), alt, title, env)

    def html_inline(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """HTML as it was written, its outside pictures excepted."""
        return _without_outside_images(tokens[at].content, env)

    def html_block(self, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
        """The same."""
        return _without_outside_images(tokens[at].content, env)


def _picture(source: str, alt: str, title: str, env: MutableMapping[str, Any]) -> str:
    if env["links"].image(source) is not None:
        named = f' title="{escape(title)}"' if title else ""
        return f'<img src="{escape(source)}" alt="{escape(alt)}"{named}>'
    return _outside(source, alt, env)


def _outside(source: str, alt: str, env: MutableMapping[str, Any]) -> str:
    shown = escape(alt.strip() or source.split("?", 1)[0].rstrip("/").rsplit("/", 1)[-1][:80] or "picture")
    if env["links_open"]:
        return f'<span class="outside">{shown}</span>'
    return f'<a class="outside" href="{escape(source)}">{shown}</a>'


def _without_outside_images(html: str, env: MutableMapping[str, Any]) -> str:
    def replaced(found: re.Match[str]) -> str:
        tag = found[0]
        if tag[:2] == "</":
            env["links_open"] = max(0, env["links_open"] - 1)
        elif tag[:4].lower() != "<img":
            env["links_open"] += 1
        else:
            source = _attribute(_SRC, tag)
            if source and env["links"].image(source) is None:
                return _outside(source, _attribute(_ALT, tag), env)
            return tag if _ALT.search(tag) else tag.replace(tag[:4], f'{tag[:4]} alt=""', 1)
        return tag

    return _HTML_IMAGE.sub(replaced, html)


def _attribute(pattern: re.Pattern[str], tag: str) -> str:
    found = pattern.search(tag)
    return next((value for value in found.groups() if value is not None), "") if found else ""


def _make() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "maxNesting": 30}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"]).use(footnote_plugin)
    parser.block.ruler.before("table", "clock", _block_clock, {"alt": []})
    parser.inline.ruler.before("text", "clock", _inline_clock)
    parser.core.ruler.after("block", "alerts", _alerts)
    parser.core.ruler.after("inline", "bare_urls", _bare_urls)
    parser.core.ruler.push("headings", _headings)
    parser.core.ruler.push("empty_headers", _empty_headers)
    parser.core.ruler.push("tasks", _tasks)
    return parser


_parser = _make()
