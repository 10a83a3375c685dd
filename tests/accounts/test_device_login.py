"""`hf auth login` in a browser: the device flow, by the real client and by hand."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import Hub, User
from tests.accounts.oauth_client import Device, who
from tests.accounts.visitor import Visitor


@pytest.fixture
def browser_of(server: Hub, user: User, visit: Callable[[Hub], Visitor]) -> Visitor:
    """The user's browser, signed in."""
    visitor = visit(server)
    visitor.sign_in(user.name)
    return visitor


@pytest.fixture
def login(server: Hub, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`hf auth login` of a signed-out client, waiting for its user."""
    client = Client("current", python_of("current"), tmp_path, server.url)
    process = subprocess.Popen(
        [str(client.python.with_name("hf")), "auth", "login"],
        env={**client.environment, "PYTHONUNBUFFERED": "1"}, cwd=tmp_path,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    yield process
    process.kill()
    process.wait()


def test_hf_auth_login_is_approved_in_a_browser(
    server: Hub, user: User, browser_of: Visitor, login: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert login.stdout is not None
    said = ""
    while not (shown := re.search(rf"{server.url}/device\?user_code=([A-Z-]+)", said)):
        line = login.stdout.readline()
        assert line, f"hf auth login ended: {said}"
        said += line
    page = browser_of.get(shown.group(0).removeprefix(server.url))
    assert shown.group(1) in page.text
    browser_of.send(
        shown.group(0).removeprefix(server.url), form="/device", user_code=shown.group(1), choice="approve"
    )
    rest, _ = login.communicate(timeout=60)
    assert login.returncode == 0, said + rest
    token = (tmp_path / "hf" / "token").read_text()
    assert token.startswith("hf_oauth_")
    stored = (tmp_path / "hf" / "stored_tokens").read_text()
    assert f"[oauth-{user.name}]" in stored
    assert "refresh_token = hf_refresh_" in stored
    signed_in = Client("current", python_of("current"), tmp_path, server.url)
    assert signed_in.call("import huggingface_hub as h; result = h.whoami()['auth']['type']") == "oauth"
    renewed = signed_in.call(
        """
        from huggingface_hub.utils import _auth, _oauth_device
        fields = next(iter(_auth._read_stored_tokens_full().values()))
        answer = _oauth_device.refresh_access_token(fields["refresh_token"])
        result = [answer["access_token"] != fields["hf_token"], answer["refresh_token"] != fields["refresh_token"],
                  answer["expires_in"] > _auth._OAUTH_REFRESH_MARGIN, answer["access_token"]]
        """
    )
    assert renewed[:3] == [True, True, True]
    assert who(server.url, renewed[3]).json()["name"] == user.name


def test_answer_before_approval_is_pending_and_then_the_token_comes_once(
    server: Hub, user: User, browser_of: Visitor
) -> None:
    device = Device(server.url)
    assert device.told["verification_uri"] == f"{server.url}/device"
    pending = device.poll()
    assert (pending.status_code, pending.json()["error"]) == (400, "authorization_pending")
    browser_of.send(
        f"/device?user_code={device.told['user_code'].lower()}",
        form="/device",
        user_code=device.told["user_code"],
        choice="approve",
    )
    given = device.poll()
    assert given.status_code == 200
    assert given.headers["cache-control"] == "no-store"
    assert who(server.url, given.json()["access_token"]).json()["name"] == user.name
    assert device.poll().json()["error"] == "invalid_grant"


def test_device_that_polls_too_fast_is_slowed_down(server: Hub) -> None:
    device = Device(server.url)
    assert [device.poll().json()["error"] for _ in range(3)] == [
        "authorization_pending",
        "slow_down",
        "slow_down",
    ]


def test_denied_device_gets_nothing(server: Hub, browser_of: Visitor) -> None:
    device = Device(server.url)
    code = device.told["user_code"]
    assert (
        "Denied"
        in browser_of.send(f"/device?user_code={code}", form="/device", user_code=code, choice="deny").text
    )
    assert device.poll().json()["error"] == "access_denied"
    again = browser_of.send(f"/device?user_code={code}", form="/device", user_code=code, choice="approve")
    assert again.status_code == 404
    assert device.poll().json()["error"] == "access_denied"


def test_code_of_one_client_is_of_no_use_to_another(server: Hub, browser_of: Visitor) -> None:
    device, thief = Device(server.url), Device(server.url, "thief")
    thief.told["device_code"] = device.told["device_code"]
    code = device.told["user_code"]
    browser_of.send(f"/device?user_code={code}", form="/device", user_code=code, choice="approve")
    assert thief.poll().json()["error"] == "invalid_grant"
    assert "access_token" in device.poll().json()


def test_page_of_the_code_asks_to_sign_in_and_comes_back(
    server: Hub, user: User, visit: Callable[[Hub], Visitor]
) -> None:
    device = Device(server.url)
    visitor = visit(server)
    asked = visitor.get(f"/device?user_code={device.told['user_code']}")
    assert asked.url.path == "/login"
    landed = visitor.send(
        f"/login?{asked.url.query.decode()}",
        login=user.name,
        password="correct horse battery staple",
        next=asked.url.params["next"],
    )
    assert landed.url.path == "/device"
    assert device.told["user_code"] in landed.text


def test_token_cannot_approve_a_device(server: Hub, user: User) -> None:
    device = Device(server.url)
    answer = httpx.post(
        f"{server.url}/device", data={"user_code": device.told["user_code"], "choice": "approve"},
        headers={"Authorization": f"Bearer {user.token}"}, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 400
    assert device.poll().json()["error"] == "authorization_pending"


@pytest.mark.parametrize(
    ("path", "fields", "error"),
    [
        ("/oauth/device", {}, "invalid_client"),
        ("/oauth/device", {"client_id": "x" * 201}, "invalid_client"),
        ("/oauth/token", {"grant_type": "password"}, "unsupported_grant_type"),
        ("/oauth/token", {}, "unsupported_grant_type"),
        ("/oauth/token", {"grant_type": "refresh_token", "refresh_token": "hf_refresh_x"}, "invalid_grant"),
        ("/oauth/token", {"grant_type": "refresh_token"}, "invalid_grant"),
    ],
)
def test_malformed_request_gets_the_error_of_the_standard(
    server: Hub, path: str, fields: dict[str, str], error: str
) -> None:
    answer = httpx.post(f"{server.url}{path}", data=fields, timeout=60)
    assert answer.status_code in (400, 401)
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


def test_userinfo_speaks_openid(server: Hub, user: User) -> None:
    told = httpx.get(
        f"{server.url}/oauth/userinfo", headers={"Authorization": f"Bearer {user.token}"}, timeout=60
    ).json()
    assert told["preferred_username"] == user.name
    assert told["sub"]
    assert httpx.post(f"{server.url}/oauth/userinfo", timeout=60).status_code == 401
