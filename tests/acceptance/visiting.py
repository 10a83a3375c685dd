"""A person at a browser, looking at a hub's pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.hub import PASSWORD

WIDE, PHONE = (1280, 900), (390, 844)


@contextmanager
def visitor(
    browser: Browser,
    url: str,
    who: str = "",
    *,
    size: tuple[int, int] = WIDE,
    scheme: str = "light",
    scripts: bool = True,
) -> Iterator[BrowserContext]:
    """A browser of somebody's own (nobody's without `who`), signed in by the page itself."""
    context = browser.new_context(
        base_url=url, viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=scripts, reduced_motion="reduce",
    )  # fmt: skip
    context.set_default_timeout(30_000)
    if who:
        page = context.new_page()
        sign_in(page, who)
        page.close()
    yield context
    context.close()


def sign_in(page: Page, who: str) -> None:
    """Goes through the page for it."""
    page.goto("/login")
    page.fill("input[name=login]", who)
    page.fill("input[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)
