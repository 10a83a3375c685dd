"""How people come in: the first start, invitations, links, attempts, second factors, sessions."""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
import time
from base64 import b32decode
from collections.abc import Callable

import httpx
import pytest

from tests.acceptance.hub import PASSWORD, Hub, User
from tests.accounts.visitor import Visitor, errors, found

Visit = Callable[[Hub], Visitor]
NEW = {"password": PASSWORD, "password_again": PASSWORD}


def path_of(link: str) -> str:
    return "/" + link.split("/", 3)[3]


def test_first_start_prints_a_link_that_makes_the_first_administrator_and_dies(
    new_hub: Callable[..., Hub], visit: Visit
) -> None:
    hub = new_hub().start()
    try:
        assert httpx.get(f"{hub.url}/api/models", timeout=60).status_code == 200
        (link,) = re.findall(rf"Set up the first administrator at {hub.url}(/setup/\S+)", hub.log.read_text())
        first, second = visit(hub), visit(hub)
        assert first.get("/setup/wrong").status_code == 404
        refused = first.send(link, name="settings", **NEW)
        assert refused.status_code == 400
        assert "reserved" in errors(refused)
        first.send(link, name="Root", full_name="The Root", email="root@example.org", **NEW)
        assert first.name() == "Root"
        assert first.get("/admin/users").status_code == 200
        assert second.get(link).status_code == 404
        hub.restart()
        assert len(re.findall("Set up the first administrator", hub.log.read_text())) == 1
        second.sign_in("root@example.org")
        assert second.name() == "Root"
    finally:
        hub.stop()


def test_link_of_a_start_ends_with_the_next_start_and_with_an_administrator_by_the_command_line(
    new_hub: Callable[..., Hub], visit: Visit
) -> None:
    hub = new_hub().start()
    try:
        hub.restart()
        first, second = re.findall(rf"administrator at {hub.url}(/setup/\S+)", hub.log.read_text())
        assert visit(hub).get(first).status_code == 404
        assert visit(hub).get(second).status_code == 200
        hub.user("root", "--admin")
        assert visit(hub).get(second).status_code == 404
    finally:
        hub.stop()


@pytest.fixture(scope="module")
def root(server: Hub) -> User:
    """An administrator."""
    return server.user("the-root", "--admin")


@pytest.fixture
def admin(server: Hub, root: User, visit: Visit) -> Visitor:
    """The administrator's browser."""
    visitor = visit(server)
    visitor.sign_in(root.name)
    return visitor


def test_nobody_signs_up_where_it_is_closed(server: Hub, visit: Visit) -> None:
    visitor = visit(server)
    assert "closed" in visitor.get("/signup").text.lower()
    visitor.send(
        "/login",
        form="/signup",
        username="sneaky",
        email="s@example.org",
        password1=PASSWORD,
        password2=PASSWORD,
    )
    assert visitor.name() is None
    assert httpx.get(f"{server.url}/api/users/sneaky/overview", timeout=60).status_code == 404


def test_where_sign_up_is_open_anyone_makes_an_account(new_hub: Callable[..., Hub], visit: Visit) -> None:
    hub = new_hub(open_sign_up="1").start()
    try:
        visitor = visit(hub)
        weak = visitor.send(
            "/signup", username="ann", email="a@example.org", password1="12345678", password2="12345678"
        )
        assert "too common" in errors(weak)
        visitor.send("/signup", username="ann", email="a@example.org", password1=PASSWORD, password2=PASSWORD)
        assert visitor.name() == "ann"
        assert visitor.get("/admin/users").status_code == 403
        assert "administrator at" in hub.log.read_text()
    finally:
        hub.stop()


def test_administrator_invites_and_the_link_works_once(
    server: Hub, admin: Visitor, visit: Visit, unique: Callable[[str], str]
) -> None:
    link = path_of(
        found(r"http://[^<\s]+/invitations/[\w-]+", admin.send("/admin/users", do="invite", email=""))
    )
    guest, name = visit(server), unique("guest")
    mistyped = guest.send(link, name=name, password=PASSWORD, password_again="another one entirely")
    assert "not the same" in errors(mistyped)
    assert PASSWORD not in mistyped.text
    guest.send(link, name=name, **NEW)
    assert guest.name() == name
    assert guest.get("/admin/users").status_code == 403
    assert visit(server).get(link).status_code == 404


def test_password_link_sets_the_password_ends_sessions_and_works_once(
    server: Hub, admin: Visitor, visit: Visit, user: User
) -> None:
    old = visit(server)
    old.sign_in(user.name)
    link = path_of(
        found(
            r"http://[^<\s]+/password/link/[\w-]+", admin.send("/admin/users", do="link", username=user.name)
        )
    )
    guest = visit(server)
    weak = guest.send(link, password="12345678", password_again="12345678")
    assert weak.status_code == 400
    landed = guest.send(link, password="a whole new one", password_again="a whole new one")
    assert landed.url.path == "/login"
    assert old.name() is None
    assert "not correct" in errors(guest.sign_in(user.name))
    guest.sign_in(user.name, "a whole new one")
    assert guest.name() == user.name
    assert visit(server).get(link).status_code == 404


def test_invitation_to_an_organization_gives_its_role(
    server: Hub, visit: Visit, unique: Callable[[str], str], root: User
) -> None:
    owner, guest, name = server.user(unique("owner")), server.user(unique("guest")), unique("acme")
    server.cli("org", "create", name, "--member", f"{owner.name}:admin")
    host = visit(server)
    host.sign_in(owner.name)
    page = host.send(f"/organizations/{name}/settings/members", do="invite", role="write", email="")
    link = path_of(found(r"http://[^<\s]+/invitations/[\w-]+", page))
    stranger = visit(server)
    # the owner of an organisation may not let strangers into the hub
    assert 'name="password"' not in stranger.get(link).text
    assert stranger.send("/login", form=link, name=unique("new"), **NEW).url.path == "/login"
    stranger.sign_in(guest.name)
    stranger.send(link)
    roles = httpx.get(
        f"{server.url}/api/organizations/{name}/members",
        headers={"Authorization": f"Bearer {owner.token}"},
        timeout=60,
    )
    assert {row["user"]: row["role"] for row in roles.json()} == {owner.name: "admin", guest.name: "write"}
    assert visit(server).get(link).status_code == 404


def test_guessing_a_password_is_stopped_whatever_the_host_says(
    new_hub: Callable[..., Hub], visit: Visit
) -> None:
    hub = new_hub(rate_limit_attempts="3").start()
    try:
        hub.user("ann")
        guesser = visit(hub)
        for number in range(4):
            guesser.pose_as(f"name-{number}.localhost:{hub.port}")
            guesser._http.cookies.clear()
            last = guesser.send("/login", login="ann", password=f"guess number {number}")
        assert "Too many failed" in errors(last)
        fresh = visit(hub)
        assert "Too many failed" in errors(fresh.sign_in("ann"))
        assert fresh.name() is None
    finally:
        hub.stop()


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    digest = hmac.new(b32decode(secret), struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    start = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[start : start + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def secret_of(page: str) -> str:
    """The secret that a page of activation shows."""
    shown = re.search(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page)
    assert shown, page
    return shown.group(1)


def test_second_factor_is_asked_for_and_recovery_codes_work_once(
    server: Hub, user: User, visit: Visit, admin: Visitor
) -> None:
    owner = visit(server)
    owner.sign_in(user.name)
    owner.send(
        "/settings/two-factor/app/activate", password=PASSWORD
    )  # lands on the page that asks for it again

    secrets: list[str] = []

    def read(page: str) -> str:
        secrets.append(secret_of(page))
        return code_of(secrets[-1])

    wrong = owner.send("/settings/two-factor/app/activate", code="000000")
    assert "Incorrect code" in errors(wrong)
    owner.send("/settings/two-factor/app/activate", code=read)
    codes = re.findall(
        r"^([0-9a-f]{8})$", owner.get("/settings/two-factor/codes/download").text, re.MULTILINE
    )
    assert len(codes) == 10
    kept = b"".join(path.read_bytes() for path in server.data.glob("hutch.sqlite3*"))
    assert secrets[0].encode() not in kept

    guest = visit(server)
    asked = guest.sign_in(user.name)
    assert asked.url.path == "/login/two-factor"
    assert guest.name() is None
    assert "Incorrect code" in errors(guest.send("/login/two-factor", code="123456"))
    guest.send("/login/two-factor", code=codes[0])
    assert guest.name() == user.name
    again = visit(server)
    again.sign_in(user.name)
    again.send("/login/two-factor", code=codes[0])
    assert again.name() is None
    # whoever has lost all of it asks an administrator
    admin.send("/admin/users", do="reset-mfa", username=user.name)
    last = visit(server)
    last.sign_in(user.name)
    assert last.name() == user.name


def test_other_sessions_are_seen_and_ended(server: Hub, user: User, visit: Visit) -> None:
    here, there = visit(server), visit(server)
    here.sign_in(user.name)
    there.sign_in(user.name)
    assert here.get("/settings/sessions").text.count("127.0.0.1") == 2
    here.send("/settings/sessions")
    assert there.name() is None
    assert here.name() == user.name


def test_change_of_the_password_needs_the_old_one_and_ends_other_sessions(
    server: Hub, user: User, visit: Visit
) -> None:
    here, there = visit(server), visit(server)
    here.sign_in(user.name)
    there.sign_in(user.name)
    wrong = here.send(
        "/settings/password", oldpassword="wrong", password1="a whole new one", password2="a whole new one"
    )
    assert errors(wrong)
    here.send(
        "/settings/password", oldpassword=PASSWORD, password1="a whole new one", password2="a whole new one"
    )
    assert (here.name(), there.name()) == (user.name, None)


def test_signing_out_needs_a_form_of_this_site(server: Hub, user: User, visit: Visit) -> None:
    visitor = visit(server)
    visitor.sign_in(user.name)
    visitor.get("/logout")
    forged = visitor._http.post("/logout", headers={"Origin": "http://evil.example"})
    assert forged.status_code == 403
    assert visitor.name() == user.name
    visitor.send("/logout")
    assert visitor.name() is None


def test_forged_change_by_a_session_is_refused_in_the_api_too(server: Hub, user: User, visit: Visit) -> None:
    visitor = visit(server)
    visitor.sign_in(user.name)
    forged = visitor._http.post(
        "/api/settings/tokens",
        json={"displayName": "x", "role": "write"},
        headers={"Origin": "http://evil.example"},
    )
    assert forged.status_code == 403


def test_session_does_not_speak_beside_a_token(
    server: Hub, user: User, visit: Visit, unique: Callable[[str], str]
) -> None:
    other = server.user(unique("other"))
    visitor = visit(server)
    visitor.sign_in(user.name)
    both = visitor._http.get("/api/whoami-v2", headers={"Authorization": f"Bearer {other.token}"})
    assert both.json()["name"] == other.name
    for path in ("/api/whoami-v2", "/settings/tokens", "/login"):
        wrong = visitor._http.get(path, headers={"Authorization": "Bearer hf_wrong"})
        assert wrong.status_code == 401
        assert wrong.json()["error"] == "Invalid credentials in Authorization header"


def test_redirect_after_signing_in_stays_on_this_site(server: Hub, user: User, visit: Visit) -> None:
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"):
        visitor = visit(server)
        visitor._http.follow_redirects = False
        sent = visitor.send("/login", login=user.name, password=PASSWORD, next=target)
        assert sent.status_code == 302
        assert "evil" not in sent.headers["location"]
        assert "javascript" not in sent.headers["location"]


def test_disabled_user_is_out_at_once(server: Hub, user: User, visit: Visit) -> None:
    visitor = visit(server)
    visitor.sign_in(user.name)
    server.cli("user", "disable", user.name)
    assert visitor.name() is None
    visitor.sign_in(user.name)
    assert visitor.name() is None
    bearer = {"Authorization": f"Bearer {user.token}"}
    assert httpx.get(f"{server.url}/api/whoami-v2", headers=bearer, timeout=60).status_code == 401
