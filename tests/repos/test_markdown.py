"""Cards of users: set as GitHub's dialect has it, resolved against the repository, and harmless whatever they hold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hutch.repos.pages.links import TextLinks
from hutch.repos.pages.markdown import MAX_DEPTH, render, render_blob


@dataclass(frozen=True)
class Named:
    type: str = "model"
    full_name: str = "acme/bert"


LINKS = TextLinks(Named(), "refs/pr/1", "docs", "http://hub.test")


def html(text: str, links: TextLinks = LINKS) -> str:
    return str(render(text, links).html)


class Seen(HTMLParser):
    """What a browser would make of it: elements with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))


FORBIDDEN_TAGS = {
    "script", "style", "iframe", "object", "embed", "form", "input", "button", "textarea", "select", "svg", "math",
    "link", "meta", "base", "template", "noscript", "frame", "applet", "marquee",
}  # fmt: skip


def assert_harmless(made: str) -> None:
    for tag, attributes in Seen(made).elements:
        assert tag not in FORBIDDEN_TAGS
        for name, value in attributes.items():
            shown = (value or "").strip().lower()
            assert not name.startswith("on"), (tag, name)
            assert name not in ("srcdoc", "formaction", "action", "background", "srcset", "ping", "target"), (
                name
            )
            if name in ("href", "src", "cite"):
                allowed = ("http://", "https://", "mailto:", "/", "#", "data:image/")
                assert shown.startswith(allowed) and not shown.startswith("//"), shown  # noqa: PT018
            if name == "src":
                assert not shown.startswith("http"), "a picture from elsewhere tells that host who looks"
            if name == "style":
                assert shown.removesuffix(";").replace(" ", "") in {
                    f"text-align:{side}" for side in ("left", "right", "center")
                }
            if name == "id":
                assert shown.startswith("c-")


def test_table_code_tasks_and_footnotes_are_set() -> None:
    made = html(
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n```python\nx = 1\n```\n\n- [x] done\n\n~~no~~ yes[^1]\n\n[^1]: why\n"
    )
    assert "<table>" in made
    assert "text-align:right" in made
    assert '<span class="k-mi">1</span>' in made
    assert 'aria-label="done"' in made
    assert "<s>no</s>" in made
    assert 'href="#c-fn1"' in made
    assert 'id="c-fn1"' in made


def test_heading_has_an_anchor_and_stands_below_the_page_s_own() -> None:
    made = html("# Use it\n\n# Use it\n\n[there](#use-it)")
    assert '<h2 id="c-use-it">' in made
    assert '<h2 id="c-use-it-1">' in made
    assert 'href="#c-use-it"' in made


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("a b.py", "/acme/bert/blob/refs%2Fpr%2F1/docs/a%20b.py"),
        ("../x/y.md#part", "/acme/bert/blob/refs%2Fpr%2F1/x/y.md#part"),
        ("./", "/acme/bert/tree/refs%2Fpr%2F1/docs"),
        ("sub/", "/acme/bert/tree/refs%2Fpr%2F1/docs/sub"),
        ("../../../../etc/passwd", "/acme/bert/blob/refs%2Fpr%2F1/etc/passwd"),
        ("/datasets/acme/d", "/datasets/acme/d"),
        ("http://hub.test/acme/other", "/acme/other"),
        ("https://huggingface.co/acme/bert/blob/main/q.md", "/acme/bert/blob/refs%2Fpr%2F1/q.md"),
        ("https://huggingface.co/other/repo", "https://huggingface.co/other/repo"),
        ("mailto:a@example.org", "mailto:a@example.org"),
        ("//evil.example", None),
        ("/\\evil.example", None),
        ("javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        ("\x01javascript:alert(1)", None),
        ("data:text/html,x", None),
        ("vbscript:x", None),
        ("file:///etc/passwd", None),
        ("http://[broken", None),
    ],
)
def test_link_leads_to_the_file_at_the_same_revision_or_nowhere(address: str, leads_to: str | None) -> None:
    assert LINKS.link(address) == leads_to


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("img/a.png", "/acme/bert/resolve/refs%2Fpr%2F1/docs/img/a.png"),
        ("https://huggingface.co/acme/bert/resolve/main/q.png", "/acme/bert/resolve/refs%2Fpr%2F1/q.png"),
        ("data:image/png;base64,AAAA", "data:image/png;base64,AAAA"),
        ("data:image/svg+xml;base64,AAAA", None),
        ("data:text/html;base64,AAAA", None),
        ("https://elsewhere.example/pixel.gif", None),
        ("//elsewhere.example/pixel.gif", None),
    ],
)
def test_picture_comes_from_this_hub_or_not_at_all(address: str, source: str | None) -> None:
    assert LINKS.image(address) == source


def test_picture_from_elsewhere_becomes_a_link_to_it() -> None:
    made = html(
        "![A chart](https://e.example/c.png)\n\n<img src='https://e.example/d.png'>\n\n[![badge](https://e.example/b.svg)](https://z.example)"
    )
    assert '<a class="outside" href="https://e.example/c.png"' in made
    assert ">d.png</a>" in made
    assert '<span class="outside">badge</span></a>' in made
    assert "<img" not in made


def test_picture_written_as_html_finds_its_file() -> None:
    made = html('<p align="center"><img src="logo.png" width="80"></p>')
    assert (
        '<p align="center"><img alt="" src="/acme/bert/resolve/refs%2Fpr%2F1/docs/logo.png" width="80"></p>'
        in made
    )


HOSTILE = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src=`x` onerror=alert(1)//`>",
    "<svg onload=alert(1)><animate attributeName=href values=javascript:alert(1)></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<a href='jav&#x09;ascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "[x](javascript&colon;alert(1))",
    "[x](<javascript:alert(1)>)",
    "![x](javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "<div style='position:fixed;inset:0;background:url(https://e.example)'>x</div>",
    "<td style='text-align:right;background:url(//e.example)'>x",
    "<style>body{display:none}</style>",
    "<link rel=stylesheet href=//e.example><meta http-equiv=refresh content='0;url=//e.example'><base href=//e.example>",  # noqa: E501
    "<form action=//e.example><input name=q><button>x</button></form>",
    "<p id=main class='site-head notice bad button'>x</p><a name=body>x</a><img name=cookie>",
    "<details ontoggle=alert(1) open>x</details>",
    "<table><td background=javascript:alert(1)>",
    "<video src=x onerror=alert(1)><source onerror=alert(1)></video>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<p title=\"<table><img src=x onerror=alert(1)>\">x</p>",
    "<p title='\"><img src=x onerror=alert(1)>'>x</p>",
    "```html\n<script>alert(1)</script>\n```",
    "```<script>alert(1)</script>\nx\n```",
    "# <img src=x onerror=alert(1)>",
    "[^1]\n\n[^1]: <script>alert(1)</script>",
    "> [!NOTE]\n> <script>alert(1)</script>",
    "<a href=\"https://x.example\"><img alt='\"><script>alert(1)</script>' src='https://e.example/x'></a>",
    "<img alt='<img src=x onerror=alert(1)>' src='https://e.example/x'>",
    "https://x.example/\"onmouseover=alert(1)",
    "| <script>alert(1)</script> |\n|---|\n| x |",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless(text: str) -> None:
    assert_harmless(html(text))


PIECES = [
    "<", ">", "\"", "'", "`", "*", "_", "[", "]", "(", ")", "!", "#", "\n", "\n\n", "|", "|---|", "- [x] ", "> ", "&lt;",  # noqa: E501
    "<img src=", "<a href=", "javascript:", "onerror=alert(1)", "</a>", "<table>", "<td>", "<svg>", "<style>", "</style>", "<!--",  # noqa: E501
    "-->", "<![CDATA[", "]]>", "https://e.example/x.png", "a.png", "[^1]", "[^1]: ", "```", "<div id=x class=button>", "\\", "\0", "&#106;",  # noqa: E501
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=40).map("".join))
def test_whatever_is_written_is_harmless(text: str) -> None:
    assert_harmless(html(text))


BOMBS = {
    "brackets": "[" * 400_000,
    "pictures": "![" * 200_000,
    "folders of quotes": "> " * 300_000,
    "nested lists": "".join("  " * n + "- a\n" for n in range(1000)),
    "deep elements": "<div>" * 200_000,
    "deep emphasis": "*a **b " * 60_000,
    "wide tables": ("|a" * 1000 + "\n" + "|-" * 1000 + "\n" + "|a\n" * 1000 + "\n") * 50,
    "headings": "# a\n" * 200_000,
    "backticks": "".join("`" * (n % 300) + "a" for n in range(3000)),
    "comments": "<!--" * 200_000,
    "entities": "&" * 500_000,
    "long line": "word " * 199_000,
    "code": "```python\n" + "f(" * 200_000 + "\n```",
}


@pytest.mark.parametrize("name", BOMBS)
def test_text_made_to_be_slow_is_set_or_shown_as_it_stands_in_bounded_time(name: str) -> None:
    began = time.thread_time()
    made = render(BOMBS[name], LINKS)
    assert (
        time.thread_time() - began < 20
    )  # the parser's own limit is 1.5 s of CPU; the rest is work on what it made
    if not made.is_whole:
        assert str(made.html).startswith("<pre")
    assert_harmless(str(made.html)[:200_000].rpartition("<")[0])


def test_nesting_is_limited_before_the_sanitiser_sees_it() -> None:
    assert render("<div>" * (MAX_DEPTH - 5), LINKS).is_whole
    assert not render("<div>" * (MAX_DEPTH + 5), LINKS).is_whole


def test_card_is_kept_by_its_blob_and_by_where_its_links_lead() -> None:
    first = render_blob("1" * 40, "[x](a.md)", LINKS)
    assert render_blob("1" * 40, "never parsed", LINKS) is first
    elsewhere = TextLinks(Named(full_name="acme/other"), "main")
    assert "/acme/other/blob/main/a.md" in render_blob("1" * 40, "[x](a.md)", elsewhere).html
