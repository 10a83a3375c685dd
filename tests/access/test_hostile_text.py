"""Whatever people write into names, cards, commits and comments: pages show it, and browsers run none of it."""

# ruff: noqa: E501  (hostile text reads better unbroken)

from __future__ import annotations

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import quote, urlencode

import pytest
import yaml

from tests.access.bodies import FORM, JSON
from tests.access.caller import Caller
from tests.access.scene import Scene, signed_in

# An element and an attribute that nobody but a hostile user writes.
EVIL = "'\"><hostile-element onhostile=1 x='\"></textarea></title></script><hostile-element>"
LINES = f"""{EVIL}
[a](javascript:hostile) [b](data:text/html,hostile) ![c](javascript:hostile) <javascript:hostile>
<a href="java&#115;cript:hostile">a</a> <img src=x onhostile=1> <svg onhostile=1><script>hostile</script></svg>
<form action=/hostile><button>b</button></form> <iframe src=/hostile></iframe> <base href=//hostile/> <style>hostile</style>
<meta http-equiv=refresh content="0;url=//hostile"> <link rel=stylesheet href=//hostile> <object data=//hostile></object>
<a href="//hostile/x">p</a> <a href="/\\hostile">q</a> <a href="\\\\hostile">r</a> <div style="position:fixed">d</div>
<math><mtext><form><mglyph><style></math><img src onhostile=1>
```hostile"><hostile-element>
{EVIL}
```
"""
CARD = {
    "license": EVIL, "tags": [EVIL, f"base_model:{EVIL}"], "library_name": EVIL, "pipeline_tag": EVIL, "language": EVIL,
    "base_model": [EVIL, "javascript:hostile", "../../hostile"], "datasets": [EVIL, "//hostile"], "title": EVIL, "emoji": EVIL,
    "widget": [{"text": EVIL, "src": "javascript:hostile"}], "license_link": "javascript:hostile", "extra_gated_prompt": EVIL,
    "model-index": [
        {"name": EVIL, "results": [
            {"task": {"type": EVIL, "name": EVIL}, "dataset": {"type": EVIL, "name": EVIL},
             "metrics": [{"type": EVIL, "value": EVIL, "name": EVIL}], "source": {"url": "javascript:hostile", "name": EVIL}},
        ]},
    ],
}  # fmt: skip
FILES = [
    "a\"b'c.txt", "<hostile-element onhostile=1>.md", "&lt;hostile-element&gt;.py", "x\u2028\u202ey.txt", "a;b%0d%0ac.txt",
    "\u00fcber \".svg", "page.html", "picture.svg", "sheet.css", "script.js", "paper.xml", "without-ending", "a.xhtml",
    "a.html.gguf.txt", "{{7*7}}${7*7}.json", "javascript:hostile", "table.csv", "notebook.ipynb",
]  # fmt: skip
BRANCH = "b'\"><hostile-element/onhostile=1>"
# Only these may be shown where they stand: a browser runs nothing in them.
SHOWN = ("text/plain", "image/png", "image/jpeg", "image/gif", "image/webp", "audio/", "video/")
_HARMFUL = ("javascript:", "vbscript:", "data:text", "//", "/\\", "\\")
_ADDRESSES = ("href", "src", "action", "formaction", "data", "poster", "srcset", "cite")


class Seen(HTMLParser):
    """What a browser would make of a page, as far as it could harm."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.harm: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if "hostile" in tag or tag in ("iframe", "object", "embed", "base"):
            self.harm.append(f"<{tag}>")
        is_inert = known.get("type") == "application/json"
        if tag == "script" and not is_inert and not (known.get("src") or "").startswith("/static/"):
            self.harm.append(f"a script: {known}")
        if tag == "link" and not (known.get("href") or "").startswith("/"):
            self.harm.append(f"a link: {known}")
        if tag == "meta" and "http-equiv" in known:
            self.harm.append(f"a meta: {known}")
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        flat = "".join(value.split()).lower()
        if name.startswith("on"):
            self.harm.append(f"<{tag} {name}>")
        elif name in _ADDRESSES and flat.startswith(_HARMFUL):
            self.harm.append(f"<{tag} {name}={value!r}>")


@pytest.fixture(scope="module")
def browser_of_olive(scene: Scene) -> Iterator[Caller]:
    caller = signed_in(scene.hub, "olive")
    yield caller
    caller.close()


@pytest.fixture(scope="module")
def pages(scene: Scene, browser_of_olive: Caller) -> list[str]:
    """Every page that shows what olive wrote, once olive has written it all."""
    olive, form = scene.caller("olive"), browser_of_olive

    def send(method: str, path: str, body: bytes, kind: str) -> dict[str, object]:
        done = olive(method, path, body, kind)
        assert done.status == 200, done.body
        return json.loads(done.body)  # type: ignore[no-any-return]

    for type_ in ("model", "dataset"):
        send("POST", "/api/repos/create", json.dumps({"name": "hostile", "type": type_}).encode(), JSON)
    card = f"---\n{yaml.safe_dump(CARD)}---\n{LINES}"
    lines: list[tuple[str, object]] = [("header", {"summary": EVIL, "description": LINES})]
    lines += [("file", {"path": name, "content": f"<html>{EVIL}", "encoding": "utf-8"}) for name in FILES]
    lines += [("file", {"path": "README.md", "content": card, "encoding": "utf-8"})]
    lines += [("file", {"path": "folder/README.md", "content": card, "encoding": "utf-8"})]
    body = "\n".join(json.dumps({"key": key, "value": value}) for key, value in lines).encode()
    commit = send("POST", "/api/models/olive/hostile/commit/main", body, "application/x-ndjson")["commitOid"]
    send("POST", "/api/datasets/olive/hostile/commit/main", body, "application/x-ndjson")
    send("POST", f"/api/models/olive/hostile/branch/{quote(BRANCH, safe='')}", b"{}", JSON)
    send(
        "POST",
        "/api/models/olive/hostile/tag/main",
        json.dumps({"tag": f"t{BRANCH}", "message": EVIL}).encode(),
        JSON,
    )
    pull = {"title": EVIL[:200], "description": LINES, "pullRequest": True}
    number = send("POST", "/api/models/olive/hostile/discussions", json.dumps(pull).encode(), JSON)["num"]
    said = json.dumps({"comment": LINES}).encode()
    send("POST", f"/api/models/olive/hostile/discussions/{number}/comment", said, JSON)
    for path, fields in (
        ("/settings/profile", {"full_name": EVIL, "bio": EVIL}),
        ("/organizations/new", {"name": "hostiles", "full_name": EVIL}),
        ("/organizations/hostiles/settings/profile", {"full_name": EVIL, "bio": LINES}),
        ("/organizations/hostiles/settings/teams", {"do": "create", "name": EVIL[:96]}),
    ):
        assert form("POST", path, urlencode(fields).encode(), FORM).status == 302, path
    assert (
        form("POST", "/settings/tokens", urlencode({"name": EVIL[:96], "role": "read"}).encode(), FORM).status
        == 200
    )
    at, evil = "/olive/hostile", quote(EVIL, safe="")
    return [
        "/", "/olive", "/hostiles", at, f"/datasets{at}", "/models", "/datasets", f"/models?search={evil}&filter={evil}",
        f"/models?author={evil}&pipeline_tag={evil}&sdk={evil}", f"/search?q={evil}", "/search?q=hostile",
        f"{at}/tree/main", f"{at}/tree/main/folder", f"{at}/tree/{quote(BRANCH, safe='')}", f"{at}/commits/main",
        f"{at}/commits/main/folder", f"{at}/commit/{commit}", f"{at}/compare/main...{quote(BRANCH, safe='')}",
        f"{at}/discussions", f"{at}/discussions/{number}", f"{at}/settings", f"{at}/new/main?path={evil}",
        f"{at}/upload/main/{quote(EVIL.replace('/', ''), safe='')}", f"{at}/edit/main/README.md", f"{at}/blame/main/README.md",
        f"{at}/delete/main/{quote(FILES[1])}", f"{at}/blob/main/{evil}", f"{at}/tree/{evil}", f"/olive/{evil}", f"/{evil}",
        *(f"{at}/blob/main/{quote(name)}" for name in FILES), f"{at}/edit/main/{quote(FILES[1])}",
        "/settings/profile", "/settings/tokens", "/settings/account", "/settings/sessions", f"/new?owner={evil}",
        "/organizations/hostiles/settings/members", "/organizations/hostiles/settings/teams",
        "/organizations/hostiles/settings/profile", f"/login?next={evil}", f"/device?user_code={evil}",
        f"/confirm-email/{evil}", f"/setup/{evil}", f"/invitations/{evil}",
    ]  # fmt: skip


def test_no_page_lets_what_people_wrote_become_markup(
    scene: Scene, browser_of_olive: Caller, pages: list[str]
) -> None:
    found = []
    for caller in (browser_of_olive, scene.caller("nobody")):
        for path in pages:
            answer = caller("GET", path, Accept="text/html")
            if answer.status >= 500:
                found.append(f"{path}: {answer.status}")
            if "text/html" in answer.headers.get("content-type", ""):
                found += [f"{path}: {harm}" for harm in Seen(answer.body.decode()).harm]
    assert not found, "\n".join(found)


def test_every_page_forbids_scripts_that_are_not_the_hubs_own(
    browser_of_olive: Caller, pages: list[str]
) -> None:
    for path in pages:
        answer = browser_of_olive("GET", path, Accept="text/html")
        policy = answer.headers.get("content-security-policy", "")
        assert "script-src 'self';" in policy or answer.status == 302, path
        assert "frame-ancestors 'none'" in policy or answer.status == 302, path
        assert answer.headers["x-content-type-options"] == "nosniff", path


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("verb", ["resolve", "raw"])
def test_file_is_sent_so_that_no_browser_runs_it(
    scene: Scene, pages: list[str], name: str, verb: str
) -> None:
    for caller in (scene.caller("nobody"), scene.caller("olive")):
        for more in ("", "?download=true"):
            answer = caller("GET", f"/olive/hostile/{verb}/main/{quote(name)}{more}")
            assert answer.status == 200
            assert answer.headers["content-security-policy"] == "sandbox; default-src 'none'"
            assert answer.headers["x-content-type-options"] == "nosniff"
            how = answer.headers["content-disposition"]
            assert how.startswith(("inline; filename=", "attachment; filename="))
            assert how.count('"') == 2
            assert how.startswith("attachment") or (
                not more and answer.headers["content-type"].startswith(SHOWN)
            )


def test_formatted_commit_messages_of_the_api_are_escaped(scene: Scene, pages: list[str]) -> None:
    answer = scene.caller("olive")("GET", "/api/models/olive/hostile/commits/main?expand[]=formatted")
    formatted = json.loads(answer.body)[0]["formatted"]
    assert Seen(formatted["title"] + formatted["message"]).harm == []
    assert "&lt;hostile-element" in formatted["title"]
