"""Odd text in queries, forms, cookies and headers: told by its field, on every database alike."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.acceptance.hub import PASSWORD, Hub
from tests.access.bodies import BODIES, FORM
from tests.access.caller import Answer, Caller
from tests.access.scene import Scene, forgery_proof, set_up, signed_in
from tests.access.table import Row, rows

NUL = "a\0b"
ODD = (NUL, "\ud800", "x" * 5000, "\u202e", "2" * 400, "-1", "", " ", "../x", "true", "\U0001f4a9", "%s", "'")
FORMS = [row for row in rows() if row.body.startswith("form_")]
# Once more in pieces, as browsers send what has files beside it.
EDGE = "----edge"


@pytest.fixture(scope="module")
def scene(new_hub: Callable[..., Hub]) -> Iterator[Scene]:
    """A scene of its own: among odd texts are some that change acme's settings."""
    with set_up(new_hub()) as ready:
        yield ready


@pytest.fixture(scope="module")
def spare(scene: Scene) -> dict[str, str]:
    """Last names of a repository and a bucket of olive's for which it does not matter what becomes of them."""
    return {thing: scene.copy(thing) for thing in ("userpublic", "userbucket")}


@pytest.fixture(scope="module")
def browser_of_root(scene: Scene) -> Iterator[Caller]:
    caller = signed_in(scene.hub, "olive")
    yield caller
    caller.close()


def encoded(fields: dict[str, str]) -> bytes:
    return urlencode(fields, errors="surrogatepass").encode()


def in_pieces(fields: dict[str, str]) -> tuple[bytes, str]:
    pieces = b"".join(
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode(
            "utf-8", "surrogatepass"
        )
        for name, value in fields.items()
    )
    return pieces + f"--{EDGE}--\r\n".encode(), f"multipart/form-data; boundary={EDGE}"


def names(answer: Answer, field: str) -> bool:
    return answer.status == 400 and json.loads(answer.body).get("field") == field and bool(answer.code)


@pytest.mark.parametrize("row", FORMS, ids=str)
def test_no_value_in_a_form_breaks_the_server(scene: Scene, spare: dict[str, str], row: Row) -> None:
    thing = row.spare_thing
    words, wrong = scene.words("root", thing, spare[thing]), []
    address, root = row.address.format(**words), scene.caller("root")
    fields = dict(parse_qsl(BODIES[row.body](words)[0].decode(), keep_blank_values=True))
    renames = row.body == "form_rename"  # of those whom the other tests of this scene know by name
    for name in fields:
        for odd in ODD:
            if renames and odd == "true":  # the one that is a name
                continue
            sent = fields | {name: odd}
            for body, kind in ((encoded(sent), FORM), in_pieces(sent)):
                answer = root("POST", address, body, kind)
                if answer.status >= 500 or (odd == NUL and not names(answer, name)):
                    wrong.append(f"{name}={odd[:50]!r} {kind}: {answer.status} {answer.body[:200]!r}")
    assert not wrong, "\n".join(wrong)
    for holder in ("users/root", "organizations/acme"):
        assert root("GET", f"/api/{holder}/overview").status == 200


@pytest.mark.parametrize("name", ["login", "password", "csrfmiddlewaretoken", "unknown"])
def test_nul_in_a_form_is_told_before_anybody_is_signed_in(scene: Scene, name: str) -> None:
    proof = forgery_proof(scene.caller("nobody"))
    fields = {"login": "olive", "password": PASSWORD} | {name: NUL}
    answer = scene.caller("nobody")("POST", "/login", encoded(fields), FORM, **proof)
    assert names(answer, name)
    page = scene.caller("nobody")("POST", "/login", encoded(fields), FORM, Accept="text/html", **proof)
    assert page.status == 400
    assert page.code == "BadRequest"
    assert page.headers["content-type"].startswith("text/html")


def test_nul_in_a_browsers_form_is_a_page_that_says_so(scene: Scene, browser_of_root: Caller) -> None:
    for address in ("/settings/profile", "/olive/n-userpublic/settings", "/settings/tokens"):
        body = encoded({"full_name": NUL, "do": NUL, "name": NUL})
        answer = browser_of_root("POST", address, body, FORM, Accept="text/html")
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert b"has a NUL" in answer.body


REPO = "/acme/n-orgpublic"
QUERIES = {
    "/api/models?search=%00": "search", "/api/models?author=a%00b&limit=1": "author", "/models?search=%00": "search",
    "/api/quicksearch?q=a%00": "q", "/search?q=%00": "q", "/api/models?a%00=1": "the name of a field",
    f"{REPO}.git/info/lfs/locks?path=%00": "path", f"{REPO}.git/info/lfs/locks?%00=": "the name of a field",
    f"{REPO}/resolve/main/f-orgpublic.txt?download=%00": "download",
    f"{REPO}/commits/main?cursor=%00": "cursor", f"/api/models{REPO}/tree/main?limit=%00": "limit",
}  # fmt: skip


@pytest.mark.parametrize(("address", "field"), QUERIES.items())
def test_nul_in_a_query_is_told_by_its_field(scene: Scene, address: str, field: str) -> None:
    assert names(scene.caller("root")("GET", address), field)
    page = scene.caller("root")("GET", address, Accept="text/html")
    assert (page.status, page.code) == (400, "BadRequest")


def test_a_page_that_tells_of_a_nul_is_a_page(scene: Scene) -> None:
    for address in ("/models?search=%00", "/acme/n-orgpublic/commits/main?cursor=%00"):
        answer = scene.caller("nobody")("GET", address, Accept="text/html")
        assert (answer.status, answer.code) == (400, "BadRequest")
        assert answer.headers["content-type"].startswith("text/html")
        assert b"has a NUL" in answer.body
        assert b"sign in" not in answer.body


@pytest.mark.parametrize(
    "charset", ["hex", "unicode_escape", "utf-7", "utf-16", "idna", "rot13", "undefined", "no-such", "utf-8;a*=x'y'%ff"]
)  # fmt: skip
def test_no_charset_of_a_client_is_used_to_read_its_query_or_form(scene: Scene, charset: str) -> None:
    root = scene.caller("root")
    for query in ("search=\\x00", "search=%61%ff", "search=%00%61", "search=\\ud800"):
        asked = root("GET", f"/api/models?{query}", Content_Type=f"text/plain; charset={charset}")
        assert asked.status == (400 if query == "search=%00%61" else 200)
    for body in (b"full_name=%5Cx00", b"full_name=%61%ff", b"full_name=a+AAA-"):
        answer = root("POST", "/settings/profile", body, f"{FORM}; charset={charset}")
        assert answer.status < 500
        assert answer.status == 302 or names(answer, "Content-Type")


@pytest.mark.parametrize(
    "name", ["name*=hex'x'%61", "name*=unicode_escape''%5Cx00", 'name="a\0b"', "name*=x", "name"]
)
def test_no_part_of_a_form_with_an_odd_head_breaks_the_server(scene: Scene, name: str) -> None:
    body = f"--{EDGE}\r\nContent-Disposition: form-data; {name}\r\n\r\nx\r\n--{EDGE}--\r\n".encode()
    answer = scene.caller("root")("POST", "/settings/profile", body, f"multipart/form-data; boundary={EDGE}")
    assert answer.status < 500, answer.body


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"&".join(b"f%d=1" % number for number in range(1500)), FORM),
        (
            b'--edge\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 1500,
            "multipart/form-data; boundary=edge",
        ),
        (b"x", "multipart/form-data"),
        (b"x", "multipart/form-data; boundary=" + "a" * 300),
    ],
    ids=["many fields", "many pieces", "no boundary", "a long boundary"],
)
def test_form_that_cannot_be_parsed_is_refused_as_all_else(scene: Scene, body: bytes, kind: str) -> None:
    for accept in ("*/*", "text/html"):
        answer = scene.caller("root")("POST", "/settings/profile", body, kind, Accept=accept)
        assert (answer.status, answer.code) == (400, "BadRequest"), answer.body
    many = scene.caller("root")("GET", f"/api/models?{'&'.join('a=1' for _ in range(1500))}")
    assert (many.status, many.code) == (400, "BadRequest")


@pytest.mark.parametrize(
    "value", ['"a\\000b"', '"\\355\\240\\200"', "x", "a" * 5000, "'", '"\\377"', "\xff" * 32]
)
def test_odd_session_cookie_is_nobodys(scene: Scene, value: str) -> None:
    for address, status in {
        "/": 200, "/settings/profile": 302, f"{REPO}/resolve/main/f-orgpublic.txt": 200,
        "/acme/n-orgprivate/resolve/main/f-orgprivate.txt": 404,
    }.items():  # fmt: skip
        cookie = {"Cookie": f"hutch_session={value}", "Accept": "text/html"}
        answer = scene.caller("nobody")("GET", address, **cookie)
        assert answer.status == status, answer.body


@pytest.mark.parametrize(
    "header",
    ["User-Agent", "Referer", "X-Request-Id", "Accept-Language", "Origin", "Accept", "If-None-Match"],
)
def test_no_header_breaks_a_sign_in_or_a_change(scene: Scene, header: str) -> None:
    for value in ("x" * 5000, "\xff\xfe", "\x80", "", '"', "\t"):
        words = {header.replace("-", "_"): value}
        proof = forgery_proof(scene.caller("nobody")) | words
        fields = encoded({"login": "olive", "password": PASSWORD})
        signed = scene.caller("nobody")("POST", "/login", fields, FORM, **proof)
        assert signed.status in (302, 403), signed.body
        assert scene.caller("nobody")("GET", "/", **words).status == 200
        made = scene.caller("olive")(
            "PUT",
            "/api/models/olive/n-userpublic/settings",
            b'{"private": false}',
            "application/json",
            **words,
        )
        assert made.status == 200, made.body
