"""The pages of accounts in a real browser: readable by everybody, on a phone too, and passkeys that work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.hub import PASSWORD, Hub, User

WIDTHS = {"desk": 1280, "phone": 390}


@pytest.fixture
def hub_name(server: Hub) -> str:
    """The hub under a name: an address made of numbers can have no passkeys."""
    return f"http://localhost:{server.port}"


@pytest.fixture(params=list(WIDTHS))
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    """A browser window, wide and narrow."""
    opened = browser.new_context(viewport={"width": WIDTHS[request.param], "height": 900})
    yield opened
    opened.close()


def sign_in(page: Page, url: str, name: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Login").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{url}/")


def look(page: Page, url: str, name: str) -> list[str]:
    """What axe finds on a page, and whether it is wider than the window; the picture is kept where it is asked for."""
    answer = page.goto(url)
    assert answer is not None
    assert answer.status == 200, f"{url} answered {answer.status}"
    if folder := os.environ.get("HUTCH_TEST_SCREENSHOTS"):
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(folder) / f"accounts-{name}-{width}.png", full_page=True)
    found = Axe().run(page)
    wrong = [f"{url}: {row['id']}: {row['nodes'][0]['html'][:200]}" for row in found.response["violations"]]
    if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
        wrong.append(f"{url} is wider than the window")
    return wrong


def test_pages_of_the_entrance_have_no_violations(server: Hub, user: User, context: BrowserContext) -> None:
    page = context.new_page()
    reset = "/" + server.cli("user", "passwd", user.name, "--link").split("/", 3)[3]
    paths = {"login": "/login", "signup": "/signup", "ask": "/password/reset", "password": reset}
    assert [line for name, path in paths.items() for line in look(page, server.url + path, name)] == []


def test_pages_of_settings_have_no_violations(
    server: Hub, unique: Callable[[str], str], context: BrowserContext
) -> None:
    root, acme = server.user(unique("root"), "--admin"), unique("acme")
    server.cli("org", "create", acme, "--full-name", "Acme", "--member", f"{root.name}:admin")
    page = context.new_page()
    sign_in(page, server.url, root.name)
    device = httpx.post(f"{server.url}/oauth/device", data={"client_id": "a test"}, timeout=60).json()[
        "user_code"
    ]
    paths = {
        "profile": "/settings/profile", "account": "/settings/account", "tokens": "/settings/tokens",
        "email": "/settings/email", "password-change": "/settings/password", "sessions": "/settings/sessions",
        "two-factor": "/settings/two-factor", "passkeys": "/settings/passkeys", "new-org": "/organizations/new",
        "org-profile": f"/organizations/{acme}/settings/profile",
        "members": f"/organizations/{acme}/settings/members",
        "teams": f"/organizations/{acme}/settings/teams", "users": "/admin/users",
        "device": f"/device?user_code={device}",
        "logout": "/logout",
    }  # fmt: skip
    assert [line for name, path in paths.items() for line in look(page, server.url + path, name)] == []


def test_token_is_made_in_a_browser_and_works(server: Hub, user: User, browser: Browser) -> None:
    page = browser.new_page()
    sign_in(page, server.url, user.name)
    page.goto(f"{server.url}/settings/tokens")
    page.get_by_label("Name", exact=True).fill("from a page")
    page.get_by_label("Read", exact=True).check()
    page.get_by_role("button", name="Make the token").click()
    token = page.locator("#new-token").inner_text()
    me = httpx.get(
        f"{server.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}, timeout=60
    ).json()
    assert me["auth"]["accessToken"]["displayName"] == "from a page"
    page.goto(f"{server.url}/settings/tokens")
    assert token not in page.content()
    page.get_by_role("button", name="Revoke from a page").click()
    again = httpx.get(f"{server.url}/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}, timeout=60)
    assert again.status_code == 401
    page.close()


def test_passkey_is_added_and_signs_in_alone(hub_name: str, user: User, browser: Browser) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }},
    )  # fmt: skip
    sign_in(page, hub_name, user.name)
    page.goto(f"{hub_name}/settings/passkeys/new")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/settings/two-factor/codes")
    page.goto(f"{hub_name}/settings/passkeys")
    assert "My laptop" in page.content()
    context.clear_cookies()
    page.goto(f"{hub_name}/login")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{hub_name}/")
    page.goto(f"{hub_name}/settings/account")
    assert user.name in page.content()
    context.close()


def test_pages_work_without_scripts(
    server: Hub, user: User, browser: Browser, unique: Callable[[str], str]
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    sign_in(page, server.url, user.name)
    name = unique("plain")
    page.goto(f"{server.url}/organizations/new")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Create the organization").click()
    page.wait_for_url(f"**/organizations/{name}/settings/members")
    page.get_by_role("button", name="Make the link").click()
    assert f"{server.url}/invitations/" in page.content()
    page.goto(f"{server.url}/organizations/{name}/settings/teams")
    page.get_by_label("Name of the team").fill("core")
    page.get_by_role("button", name="Make the team").click()
    page.get_by_label("User name to put into core").fill(user.name)
    page.get_by_role("button", name="Put in").click()
    assert page.get_by_role("button", name=f"Take {user.name} out of core").is_visible()
    page.get_by_role("button", name="Delete the team core").click()
    assert "There are no teams yet" in page.content()
    context.close()
