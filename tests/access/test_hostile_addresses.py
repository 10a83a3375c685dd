"""Addresses that try to leave their place: every parameter of every route, in every spelling, is answered plainly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from hutch import routes
from hutch.accounts.names import RESERVED
from tests.access.bodies import BODIES, JSON
from tests.access.listed import listed_patterns
from tests.access.scene import Scene
from tests.access.table import Row, rows

HOSTILE = (
    "..", "%2e%2e", "..%2f..%2f..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd", "..%5c..%5cwin.ini", "%00", "a%00b", "..%00",
    "%c0%ae%c0%ae%c0%af", "%ff%fe", "%ED%A0%80", "%0d%0aX-Evil:1", "%252e%252e%252f", "%zz", "%", "a" * 5000,
    "9" * 5000, "-1", "%E2%84%AA", ".git", "--upload-pack=x", "%22%3E%3Cscript%3E", "a%2f" * 300, "%20", "~parquet",
    "main%5E%7Btree%7D",
)  # fmt: skip
# Their names stand in bodies, or they end a session.
_LEFT_OUT = ("account_logout", "/api/repos/delete", "/api/repos/move")


def addresses(address: str, turn: int) -> Iterator[str]:
    """The address with each of its parts in turn replaced by hostile words: a fourth of them, by turns."""
    path, mark, query = address.partition("?")
    parts = path.split("/")[1:]
    for at in range(len(parts)):
        for word in HOSTILE[(turn + at) % 4 :: 4]:
            yield "/" + "/".join([*parts[:at], word, *parts[at + 1 :]]) + mark + query


@pytest.mark.parametrize("actor", ["root", "nobody"])
def test_no_spelling_of_an_address_leads_elsewhere_or_breaks_the_server(scene: Scene, actor: str) -> None:
    asked, wrong = set(), []
    tried = [row for row in rows() if row.route not in _LEFT_OUT and row.body != "form_delete"]
    for turn, row in enumerate(tried):
        words = scene.words(actor, "orgpublic")
        body, kind = BODIES[row.body](words)
        for address in addresses(row.address.format(**words), turn):
            if (row.method, address) in asked:
                continue
            asked.add((row.method, address))
            answer = scene.caller(actor)(
                row.method, address, body, kind, Accept="text/html" if row.is_page else "*/*"
            )
            if answer.status >= 500 or b"root:" in answer.body or "x-evil" in answer.headers:
                wrong.append(f"{row.method} {address[:200]}: {answer.status} {answer.body[:200]!r}")
            if str(scene.hub.data).encode() in answer.body:
                wrong.append(f"{row.method} {address[:200]} tells where the data lie")
    assert len(asked) > 1000
    assert not wrong, "\n".join(wrong)


QUERIES = {
    "/api/models": "limit cursor sort search author filter expand full direction pipeline_tag",
    "/api/quicksearch": "q limit type",
    "/api/models/acme/n-orgpublic": "expand blobs securityStatus",
    "/api/models/acme/n-orgpublic/tree/main": "recursive expand limit cursor",
    "/api/models/acme/n-orgpublic/commits/main": "path limit cursor expand",
    "/api/models/acme/n-orgpublic/discussions": "p status type author",
    "/api/models/acme/n-orgpublic/lfs-files": "limit cursor",
    "/api/organizations/acme/members": "limit cursor",
    "/acme/n-orgpublic.git/info/lfs/locks": "path id limit cursor",
    "/acme/n-orgpublic.git/info/refs": "service",
    "/models": "search author filter sort cursor pipeline_tag",
    "/search": "q",
    "/acme/n-orgpublic/tree/main": "page",
    "/acme/n-orgpublic/commits/main": "page cursor",
    "/acme/n-orgpublic/discussions": "before status",
    "/acme/n-orgpublic/settings": "before",
    "/acme/n-orgpublic/new/main": "path",
    "/new": "owner",
    "/device": "user_code",
    "/admin/users": "q",
    "/login": "next",
}
VALUES = (
    *HOSTILE,
    "1e999",
    "NaN",
    "true",
    "[]",
    "99999999999999999999",
    "0",
    "'%20or%201=1--",
    "%F0%9F%92%A9",
    "\\",
)


@pytest.mark.parametrize("path", QUERIES)
def test_no_value_in_a_query_breaks_the_server(scene: Scene, path: str) -> None:
    wrong = []
    for name in QUERIES[path].split():
        for value in VALUES:
            for query in (f"{name}={value}", f"{name}[]={value}", f"{name}={value}&{name}={value}"):
                answer = scene.caller("root")("GET", f"{path}?{query}", Accept="text/html")
                if answer.status >= 500 or str(scene.hub.data).encode() in answer.body:
                    wrong.append(f"{query[:100]}: {answer.status} {answer.body[:200]!r}")
    assert not wrong, "\n".join(wrong)


ODD_TEXTS = ("\ud800", "a\0b", "\u202e", "a" * 100_000, "", " ", "../x", "a/b/c", "\U0001f4a9")
ODD_VALUES = (*ODD_TEXTS, 0, -1, 2**70, 1e308, True, None, [], {}, [["a"]], {"a": {}})
BODIES_OF = [
    row
    for row in rows()
    if row.body != "-" and row.needs and row.address.startswith(("/api/", "/{prefix}{repo}.git"))
]


@pytest.fixture(scope="module")
def spare(scene: Scene) -> dict[str, str]:
    """Last names of a repository and a bucket of olive's for which it does not matter what becomes of them."""
    return {thing: scene.copy(thing) for thing in ("userpublic", "userbucket")}


@pytest.mark.parametrize(
    "row", [row for row in BODIES_OF if row.body not in ("commit", "flush", "ls_refs", "paths")], ids=str
)
def test_no_value_in_a_json_body_breaks_the_server(scene: Scene, spare: dict[str, str], row: Row) -> None:
    thing = row.spare_thing
    wrong, words = [], scene.words("root", thing, spare[thing])
    address, body = row.address.format(**words), json.loads(BODIES[row.body](words)[0])
    unknown = {**body, "unknown-field": 1}
    hostile = [body | {name: odd} for name in body for odd in ODD_VALUES] + [
        unknown,
        [],
        [body],
        "x",
        1,
        None,
    ]
    for sent in hostile:
        if row.route == "/api/repos/delete":
            sent = {**sent, "name": "absent"} if isinstance(sent, dict) else sent
        answer = scene.caller("root")(row.method, address, json.dumps(sent).encode(), JSON)
        if answer.status >= 500 and answer.code != "NotOffered":
            wrong.append(f"{str(sent)[:150]}: {answer.status} {answer.body[:200]!r}")
    for raw in (b"{", b"\xff", b'{"a":' + b"[" * 100_000, b'{"a":' + b"9" * 5000 + b"}", b"\x1f\x8b"):
        answer = scene.caller("root")(row.method, address, raw, JSON)
        if answer.status != 400 or not answer.code:
            wrong.append(f"{raw[:20]!r}: {answer.status} {answer.code!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("cursor", ["WyJhIl0", "x" * 5000, "%00", "AAAA", quote("é")])
def test_cursors_that_this_hub_did_not_give_are_refused(scene: Scene, cursor: str) -> None:
    for path in (
        "/api/models",
        "/api/models/acme/n-orgpublic/tree/main",
        "/api/models/acme/n-orgpublic/commits/main",
    ):
        answer = scene.caller("root")("GET", f"{path}?cursor={cursor}")
        assert (answer.status, answer.code) == (400, "BadRequest")


def test_no_account_can_have_the_first_word_of_an_address() -> None:
    """`/settings` would be that person's page."""
    first = {pattern.split("/", 1)[0] for pattern in listed_patterns()}
    first |= {wire.pattern.pattern.split("/")[1] for wire in routes.WIRES}
    words = {word for word in first if word and word.replace("-", "").replace("_", "").isalnum()}
    assert {"settings", "login", "api", "models", "organizations", "search"} <= words
    assert sorted(word for word in words if word not in RESERVED) == []
