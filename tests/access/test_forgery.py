"""What another site's page, a stolen link or a chosen header could make a browser do for somebody: nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, urlencode, urljoin, urlsplit

import pytest

from tests.acceptance.hub import PASSWORD, Hub
from tests.access.bodies import BODIES, FORM, JSON
from tests.access.caller import Caller
from tests.access.scene import Scene, signed_in
from tests.access.table import Row, rows

FOREIGN = ("http://evil.example", "null", "http://127.0.0.1:1", "https://evil.example:8443")


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Caller]:
    """olive's browser, in which she has signed in."""
    caller = signed_in(scene.hub, "olive")
    yield caller
    caller.close()


def unsafe_rows() -> list[Row]:
    """What changes something and is looked at by Django: for a session a token against forgery is needed."""
    return [row for row in rows() if not row.is_safe and row.needs and not is_wire(row)]


def is_wire(row: Row) -> bool:
    return ".git/" in row.address or row.address.startswith(("/_cas/", "/v1/", "/chat/say"))


@pytest.mark.parametrize("origin", ["", *FOREIGN])
def test_session_without_its_token_changes_nothing(scene: Scene, browser: Caller, origin: str) -> None:
    cookie = {"Cookie": browser.headers["Cookie"]} | ({"Origin": origin} if origin else {})
    forged, before, wrong = Caller(scene.hub.port, cookie), scene.state(), []
    for row in unsafe_rows():
        words = scene.words("olive", row.things[0])
        body, kind = BODIES[row.body](words)
        answer = forged(row.method, row.address.format(**words), body, kind or FORM, Accept="text/html")
        if answer.status not in (403, 405):
            wrong.append(f"{row}: {answer.status}")
    forged.close()
    assert not wrong, "\n".join(wrong)
    assert scene.state() == before


@pytest.mark.parametrize("origin", FOREIGN)
def test_token_against_forgery_does_not_help_a_foreign_page(
    scene: Scene, browser: Caller, origin: str
) -> None:
    before = scene.state()
    body = urlencode({"full_name": "Forged", "bio": ""}).encode()
    answer = browser("POST", "/settings/profile", body, FORM, Origin=origin, Accept="text/html")
    assert answer.status == 403
    assert scene.state() == before


@pytest.mark.parametrize("how", ["cookie", "password"])
@pytest.mark.parametrize(
    "mark", [{"Origin": origin} for origin in FOREIGN] + [{"Sec_Fetch_Site": "same-site"}]
)
def test_foreign_page_speaks_for_nobody_at_a_wire(
    scene: Scene, browser: Caller, how: str, mark: dict[str, str]
) -> None:
    """Git's and LFS's addresses look for no token: neither a cookie nor a password that the browser kept counts."""
    word = base64.b64encode(f"olive:{scene.tokens['olive']}".encode()).decode()
    kept = {"Cookie": browser.headers["Cookie"]} if how == "cookie" else {"Authorization": f"Basic {word}"}
    forged, before = Caller(scene.hub.port, kept), scene.state()
    for row in (row for row in rows() if not row.is_safe and row.needs and is_wire(row)):
        words = scene.words("olive", "userprivate")
        body, kind = BODIES[row.body](words)
        assert forged(row.method, row.address.format(**words), body, kind, **mark).status == 401, str(row)
    forged.close()
    assert scene.state() == before


def test_password_that_the_browser_kept_is_no_licence_for_a_foreign_page_in_the_api(scene: Scene) -> None:
    kept = Caller.with_password(scene.hub.port, "olive", scene.tokens["olive"])
    body, before = json.dumps({"name": "forged"}).encode(), scene.state()
    assert kept("POST", "/api/repos/create", body, "text/plain", Origin="http://evil.example").status == 401
    assert scene.state() == before
    kept.close()


def test_own_pages_and_programs_are_not_taken_for_foreign_ones(scene: Scene, browser: Caller) -> None:
    own = f"http://127.0.0.1:{scene.hub.port}"
    body = json.dumps({"path": "own", "size": 1}).encode()
    address = "/api/models/olive/n-userpublic/uploads"
    assert browser("POST", address, body, JSON, Origin=own).status == 200
    batch, kind = BODIES["batch_download"](scene.words("olive", "userprivate"))
    lfs = "/datasets/olive/n-userprivate.git/info/lfs/objects/batch"
    git = Caller.with_password(scene.hub.port, "olive", scene.tokens["olive"])
    assert git("POST", lfs, batch, kind).status == 200
    script = scene.caller("olive")
    assert (
        script("POST", lfs, batch, kind, Origin="http://elsewhere.example").status == 200
    )  # its token it sent itself
    git.close()


def test_cookies_are_kept_from_scripts_and_from_other_sites(scene: Scene) -> None:
    caller = Caller(scene.hub.port)
    token = re.search(r"hutch_csrf=(\w+)", caller("GET", "/login", Accept="text/html").headers["set-cookie"])
    assert token
    fields = urlencode({"login": "olive", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}).encode()
    done = caller("POST", "/login", fields, FORM, Cookie=f"hutch_csrf={token[1]}", Accept="text/html")
    cookies = done.headers["set-cookie"]
    caller.close()
    assert done.status == 302
    assert "HttpOnly" in cookies
    assert "SameSite=Lax" in cookies
    assert "Domain=" not in cookies


def test_cookies_of_a_hub_behind_tls_never_go_over_plain_http(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub(public_url="https://hub.example").start()
    caller = Caller(hub.port)
    assert "; Secure" in caller("GET", "/login", Accept="text/html").headers["set-cookie"]
    caller.close()
    hub.stop()


def test_session_that_was_planted_is_not_the_one_that_is_signed_in(scene: Scene) -> None:
    planted = "a" * 32
    caller = Caller(scene.hub.port)
    page = caller("GET", "/login", Cookie=f"hutch_session={planted}", Accept="text/html")
    token = re.search(r"hutch_csrf=(\w+)", page.headers["set-cookie"])
    assert token
    fields = urlencode({"login": "olive", "password": PASSWORD, "csrfmiddlewaretoken": token[1]}).encode()
    cookie = f"hutch_csrf={token[1]}; hutch_session={planted}"
    done = caller("POST", "/login", fields, FORM, Cookie=cookie, Accept="text/html")
    assert done.status == 302
    assert f"hutch_session={planted}" not in done.headers["set-cookie"]
    assert caller("GET", "/api/whoami-v2", Cookie=f"hutch_session={planted}").status == 401
    caller.close()


def test_session_ends_with_its_sign_out_and_its_cookie_is_good_for_nothing(scene: Scene) -> None:
    caller = signed_in(scene.hub, "olive")
    assert caller("GET", "/api/whoami-v2").status == 200
    assert caller("POST", "/logout", b"", FORM, Accept="text/html").status == 302
    assert caller("GET", "/api/whoami-v2").status == 401
    assert caller("GET", "/datasets/olive/n-userprivate/resolve/main/README.md").status == 404
    caller.close()


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example/", "https:evil.example",
        "javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "http:///evil.example", "%2f%2fevil.example",
        "http://127.0.0.1@evil.example/", "/%09/evil.example", "///evil.example", "\x01//evil.example",
    ],
)  # fmt: skip
def test_redirect_after_signing_in_never_leaves_the_hub(scene: Scene, target: str) -> None:
    caller = Caller(scene.hub.port)
    page = caller("GET", f"/login?next={quote(target, safe='')}", Accept="text/html")
    token = re.search(r"hutch_csrf=(\w+)", page.headers["set-cookie"])
    assert token
    fields = {"login": "olive", "password": PASSWORD, "csrfmiddlewaretoken": token[1], "next": target}
    done = caller(
        "POST", f"/login?next={quote(target, safe='')}", urlencode(fields).encode(), FORM,
        Cookie=f"hutch_csrf={token[1]}", Accept="text/html",
    )  # fmt: skip
    caller.close()
    assert done.status == 302
    assert urlsplit(urljoin("http://hub/login", done.headers["location"].replace("\\", "/"))).netloc == "hub"


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example",
        "/%2f%2fevil.example",
        "/\\evil.example/x",
        "//evil.example/%2e%2e",
        "/%5cevil.example",
    ],
)
def test_no_address_redirects_to_another_host(scene: Scene, browser: Caller, path: str) -> None:
    for caller in (browser, scene.caller("nobody")):
        answer = caller("GET", path, Accept="text/html")
        assert re.match(r"/(?![/\\])", answer.headers.get("location", "/"))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "evil.example#localhost",
        "[::1",
        "a b",
        "",
    ],
)
def test_forged_host_never_stands_in_an_answer(scene: Scene, browser: Caller, host: str) -> None:
    words = scene.words("olive", "userpublic")
    batch, kind = BODIES["batch_download"](words)
    asked = [
        ("GET", "/api/models?limit=1", b"", ""), ("GET", "/api/whoami-v2", b"", ""),
        ("GET", "/api/avatars/olive", b"", ""), ("GET", "/olive/n-userpublic", b"", ""),
        ("POST", "/olive/n-userpublic.git/info/lfs/objects/batch", batch, kind),
        ("POST", "/oauth/device", b"client_id=x", FORM), ("GET", "/login", b"", ""), ("GET", "/nothing/here", b"", ""),
        ("POST", "/api/repos/create", json.dumps({"name": f"hosted{abs(hash(host))}"}).encode(), JSON),
    ]  # fmt: skip
    for method, path, body, type_ in asked:
        for forwarded in (
            {},
            {
                "X_Forwarded_Host": "evil.example",
                "X_Forwarded_Proto": "https",
                "Forwarded": "host=evil.example",
            },
        ):
            answer = scene.caller("olive")(
                method, path, body, type_, Host=host, Accept="text/html", **forwarded
            )
            assert answer.status < 500
            assert b"evil.example" not in answer.body, path
            assert not [value for value in answer.headers.values() if "evil.example" in value], path


@pytest.mark.parametrize("host", ["my_hub", "my_hub:8000", "hub.", "a" * 70])
def test_pages_open_under_any_name_that_the_network_knows_the_hub_by(scene: Scene, host: str) -> None:
    answer = scene.caller("nobody")("GET", "/login", Host=host, Accept="text/html")
    assert answer.status == 200
