"""The token routes and the members' routes over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.acceptance.hub import Hub, User


def call(hub: Hub, method: str, path: str, token: str | None = None, **more: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.request(method, hub.url + path, headers=headers, timeout=60, **more)


def test_fine_grained_token_is_made_shown_once_and_tells_what_it_may(server: Hub, user: User) -> None:
    scoped = [{"entity": {"type": "model", "name": f"{user.name}/x"}, "permissions": ["repo.content.read"]}]
    made = call(
        server, "POST", "/api/settings/tokens", user.token,
        json={"displayName": "narrow", "role": "fineGrained", "fineGrained": {"scoped": scoped}},
    )  # fmt: skip
    assert made.status_code == 201
    me = call(server, "GET", "/api/whoami-v2", made.json()["token"]).json()
    told = me["auth"]["accessToken"]
    assert told["role"] == "fineGrained"
    assert [(line["entity"]["name"], line["permissions"]) for line in told["fineGrained"]["scoped"]] == [
        (f"{user.name}/x", ["repo.content.read"])
    ]
    assert "email" not in me
    listed = call(server, "GET", "/api/settings/tokens", user.token)
    assert made.json()["token"] not in listed.text
    assert call(server, "DELETE", f"/api/settings/tokens/{made.json()['id']}", user.token).status_code == 200
    assert call(server, "GET", "/api/whoami-v2", made.json()["token"]).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"displayName": "x"},
        {"displayName": "x", "role": "king"},
        {"displayName": "x", "role": "read", "unknown": 1},
        {"displayName": "x", "role": "fineGrained"},
        {"displayName": "x", "role": "read", "fineGrained": {}},
        {"displayName": "x", "role": "read", "expiresAt": "yesterday"},
        {"displayName": "x", "role": "read", "expiresAt": "2001-01-01T00:00:00Z"},
        {"displayName": ["x"], "role": "read"},
    ],
)
def test_bad_body_is_refused_naming_the_field(server: Hub, user: User, body: dict[str, Any]) -> None:
    answer = call(server, "POST", "/api/settings/tokens", user.token, json=body)
    assert answer.status_code == 400
    assert answer.json()["field"]
    assert answer.headers["x-error-code"] == "BadRequest"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"null"])
def test_body_that_is_no_json_object_is_refused(server: Hub, user: User, content: bytes) -> None:
    assert call(server, "POST", "/api/settings/tokens", user.token, content=content).status_code == 400


def test_nobody_has_no_tokens(server: Hub) -> None:
    assert call(server, "GET", "/api/settings/tokens").status_code == 401
    assert (
        call(server, "POST", "/api/settings/tokens", json={"displayName": "x", "role": "read"}).status_code
        == 401
    )
    assert call(server, "DELETE", "/api/settings/tokens/1").status_code == 401


def test_token_of_somebody_else_is_not_found(server: Hub, user: User, unique: Callable[[str], str]) -> None:
    other = server.user(unique("other"))
    theirs = call(server, "GET", "/api/settings/tokens", other.token).json()[0]["id"]
    assert call(server, "DELETE", f"/api/settings/tokens/{theirs}", user.token).status_code == 404
    assert call(server, "GET", "/api/whoami-v2", other.token).status_code == 200


def test_role_of_a_member_is_changed_over_http(server: Hub, user: User, unique: Callable[[str], str]) -> None:
    other, name = server.user(unique("other")), unique("acme")
    server.cli("org", "create", name, "--member", f"{user.name}:admin", "--member", f"{other.name}:read")
    path = f"/api/organizations/{name}/members/{other.name}/role"
    assert call(server, "PUT", path, json={"role": "write"}).status_code == 401
    assert call(server, "PUT", path, other.token, json={"role": "admin"}).status_code == 403
    read = server.token(user.name, role="read", name="read")
    assert call(server, "PUT", path, read, json={"role": "write"}).status_code == 403
    assert call(server, "PUT", path, user.token, json={"role": "write"}).json()["role"] == "write"
    assert call(server, "PUT", path, user.token, json={"role": "king"}).json()["field"] == "role"
    assert (
        call(server, "PUT", path.replace(name, "no-such-org"), user.token, json={"role": "write"}).status_code
        == 404
    )
    leaked = call(
        server,
        "POST",
        f"/api/organizations/{name}/settings/tokens/revoke",
        user.token,
        json={"token": other.token},
    )
    assert leaked.status_code == 200
    assert call(server, "GET", "/api/whoami-v2", other.token).status_code == 401


def test_where_sign_in_is_required_nobody_learns_which_names_exist(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub(require_sign_in="1").start()
    try:
        ann = hub.user("ann")
        hub.cli("org", "create", "acme")
        for there, missing in (
            ("/api/users/ann/overview", "/api/users/bob/overview"),
            ("/api/organizations/acme/overview", "/api/organizations/none/overview"),
            ("/api/organizations/acme/members", "/api/organizations/none/members"),
            ("/api/avatars/ann", "/api/avatars/bob"),
            ("/avatars/ann", "/avatars/bob"),
        ):
            answers = [call(hub, "GET", path) for path in (there, missing)]
            assert [answer.status_code for answer in answers] == [401, 401]
            assert answers[0].content == answers[1].content
            assert call(hub, "GET", there, ann.token).status_code == 200
    finally:
        hub.stop()
