"""Every page as it is looked at: by axe, on a phone, in the dark, without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.acceptance.seeding import Filled
from tests.acceptance.visiting import PHONE, visitor

MODEL = "/northlight/aurora-1b-instruct"
DATASET = "/datasets/northlight/harbour-logs"
BUCKET = "/buckets/northlight/aurora-checkpoints"
PAGES: dict[str, tuple[str, str]] = {
    "home of nobody": ("/", ""),
    "home of somebody": ("/", "ada"),
    "models": ("/models", ""),
    "models, narrowed": ("/models?filter=safetensors&pipeline_tag=text-generation&search=aurora", ""),
    "datasets": ("/datasets", "ada"),
    "spaces": ("/spaces", ""),
    "kernels, none": ("/kernels", ""),
    "search": ("/search?q=aurora", ""),
    "organization": ("/northlight", "ada"),
    "user": ("/grace", ""),
    "new model": ("/new", "ada"),
    "new space": ("/new-space", "ada"),
    "card": (MODEL, "ada"),
    "card of a data set": (DATASET, ""),
    "card of a space": ("/spaces/northlight/label-desk", ""),
    "card of an empty model": ("/ada/scratch", "ada"),
    "card behind a gate": ("/northlight/vision-preview", "tomas"),
    "files": (f"{MODEL}/tree/main", "ada"),
    "files in pages": (f"{DATASET}/tree/main/days?page=2", ""),
    "code": (f"{MODEL}/blob/main/scripts/evaluate.py", "ada"),
    "markdown": (f"{MODEL}/blob/main/README.md", ""),
    "picture": (f"{DATASET}/blob/main/harbour.png", ""),
    "sound": (f"{DATASET}/blob/main/horn.wav", ""),
    "tensors": (f"{MODEL}/blob/main/model.safetensors", ""),
    "table of values": (f"{DATASET}/blob/main/data/train.csv", ""),
    "blame": (f"{MODEL}/blame/main/scripts/evaluate.py", ""),
    "commits": (f"{MODEL}/commits/main", ""),
    "commit of large objects": (f"{MODEL}/commit/main", ""),
    "commit of text": (f"{MODEL}/commit/long-context", ""),
    "comparison": (f"{MODEL}/compare/main...long-context", "ada"),
    "pull requests": (f"{MODEL}/discussions", ""),
    "pull request": (f"{MODEL}/discussions/1", "ada"),
    "editor": (f"{MODEL}/edit/main/scripts/evaluate.py", "ada"),
    "new file": (f"{MODEL}/new/main", "ada"),
    "deletion": (f"{MODEL}/delete/main/config.json", "ada"),
    "upload": (f"{MODEL}/upload/main", "ada"),
    "settings": (f"{MODEL}/settings", "ada"),
    "buckets": ("/buckets", "ada"),
    "new bucket": ("/new-bucket", "ada"),
    "bucket": (BUCKET, "ada"),
    "bucket of a stranger": (BUCKET, ""),
    "folder of a bucket": (f"{BUCKET}/tree/logs", ""),
    "empty bucket": ("/buckets/ada/scratch-space", "ada"),
    "empty bucket of a stranger": ("/buckets/ada/scratch-space", ""),
    "settings of a bucket": (f"{BUCKET}/settings", "ada"),
    "chat": ("/chat", "ada"),
    "storage of the hub": ("/admin/storage", "ada"),
    "nothing": ("/nobody/nothing", ""),
}
# the error page says its own status
_EXPECTED_NOISE = "the server responded with a status of 4"
# what colours and width alone can change
_ON_A_PHONE = {"runOnly": ["color-contrast", "scrollable-region-focusable", "link-in-text-block"]}


@dataclass
class Looking:
    """Open contexts by who looks; opened when first asked for."""

    browser: Browser
    url: str
    stack: ExitStack
    opened: dict[str, BrowserContext] = field(default_factory=dict)

    def page(self, who: str) -> Page:
        if who not in self.opened:
            self.opened[who] = self.stack.enter_context(visitor(self.browser, self.url, who))
        return self.opened[who].new_page()


@pytest.fixture(scope="module")
def looking(browser: Browser, filled: Filled) -> Iterator[Looking]:
    with ExitStack() as stack:
        yield Looking(browser, filled.hub.url, stack)


def violations(page: Page, options: dict[str, list[str]] | None = None) -> list[str]:
    """What axe finds wrong."""
    found = Axe().run(page, options=options).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes'][:3]]}" for each in found]


def fits(page: Page) -> bool:
    """Whether nothing is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


# Icons and pictures of which a part lies outside a box that hides what overflows.
_CUT_OFF = """() => [...document.querySelectorAll('svg, img')].filter(seen => {
    const own = seen.getBoundingClientRect()
    for (let box = seen.parentElement; own.width && box; box = box.parentElement) {
        const way = getComputedStyle(box).overflowX, around = box.getBoundingClientRect()
        if (way === 'auto' || way === 'scroll') return false
        if (way !== 'visible' && (own.left < around.left - 1 || own.right > around.right + 1)) return true
    }
    return false
}).map(seen => seen.closest('a, td, li, p, div').outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("name", PAGES)
def test_page_is_accessible_fits_and_asks_nobody_else(looking: Looking, name: str) -> None:
    address, who = PAGES[name]
    page = looking.page(who)
    trouble: list[str] = []
    asked: list[str] = []
    page.on("console", lambda said: trouble.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(address)
    assert answer is not None
    assert answer.status == (401 if name == "nothing" else 200)
    assert violations(page) == []
    assert fits(page)
    assert page.evaluate(_CUT_OFF) == []
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.emulate_media(color_scheme="dark")
    assert violations(page, _ON_A_PHONE) == []
    assert fits(page)
    assert page.evaluate(_CUT_OFF) == []
    assert [line for line in trouble if _EXPECTED_NOISE not in line] == []
    assert [url for url in asked if not url.startswith((looking.url, "data:"))] == []
    page.close()


def test_every_part_of_a_page_is_reached_by_the_keyboard(looking: Looking) -> None:
    page = looking.page("ada")
    page.goto(f"{MODEL}/tree/main")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "(document.activeElement.getAttribute('aria-label') || document.activeElement.textContent).trim()"
            )
        )
    assert {
        "Model card",
        "Branch or tag: main",
        "config.json",
        "Download config.json",
        "Add files",
    } <= reached
    page.close()


def test_menu_opens_by_the_keyboard_and_closes_by_escape(looking: Looking) -> None:
    page = looking.page("ada")
    page.goto(f"{MODEL}/tree/main")
    menu = page.locator("details.refs")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    assert menu.get_by_text("long-context").is_visible()
    page.keyboard.press("Escape")
    assert not menu.get_by_text("long-context").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.close()


def test_theme_that_was_chosen_stays(looking: Looking) -> None:
    page = looking.page("")
    page.goto("/models")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("[data-theme-switch]")
    dark = page.evaluate(ground)
    page.reload()
    assert page.evaluate(ground) == dark != light
    page.close()


@pytest.mark.parametrize(
    ("address", "button", "wanted"),
    [
        (MODEL, "Copy the name northlight/aurora-1b-instruct", "northlight/aurora-1b-instruct"),
        (f"{MODEL}/blob/main/model.safetensors", "Copy the SHA-256", None),
    ],
)
def test_copy_button_copies(looking: Looking, address: str, button: str, wanted: str | None) -> None:
    page = looking.page("")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(address)
    page.get_by_role("button", name=button).click()
    page.locator("button", has_text="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == wanted if wanted else len(copied) == 64
    page.close()


def test_picture_of_a_card_is_shown_and_a_link_to_its_heading_leads_there(looking: Looking) -> None:
    page = looking.page("")
    page.goto(f"{MODEL}#how-to-cite")
    page.wait_for_function("document.querySelector('.prose img').naturalWidth === 640")
    page.wait_for_function("scrollY > 0")
    page.close()


SCRIPTLESS: list[tuple[str, Callable[[Page], bool]]] = [
    (MODEL, lambda page: page.get_by_text("Aurora is a small language model").is_visible()),
    (
        f"{MODEL}/tree/main",
        lambda page: page.get_by_role("link", name="config.json", exact=True).is_visible(),
    ),
    ("/models?search=aurora", lambda page: page.get_by_text("aurora-embed").is_visible()),
]


@pytest.mark.parametrize(("address", "holds"), SCRIPTLESS)
def test_page_works_without_scripts(
    browser: Browser, filled: Filled, address: str, holds: Callable[[Page], bool]
) -> None:
    with visitor(browser, filled.hub.url, scripts=False) as context:
        page = context.new_page()
        page.goto(address)
        assert holds(page)
