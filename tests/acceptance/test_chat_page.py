"""The chat page as a person uses it, with scripts and without."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.hub import Hub
from tests.acceptance.talking import Talking, with_models
from tests.acceptance.test_pages_look import fits, violations
from tests.acceptance.visiting import PHONE, visitor

FRANCE = "What is the capital of France?"


@pytest.fixture(scope="module")
def talking(new_hub: Callable[..., Hub]) -> Iterator[Talking]:
    hub = new_hub().start()
    yield with_models(hub)
    hub.stop()


@pytest.fixture(scope="module")
def ann(browser: Browser, talking: Talking) -> Iterator[BrowserContext]:
    with visitor(browser, talking.hub.url, "ann") as context:
        context.set_default_timeout(60_000)
        yield context


@pytest.fixture
def page(ann: BrowserContext, talking: Talking) -> Iterator[Page]:
    opened = ann.new_page()
    trouble: list[str] = []
    opened.on("pageerror", lambda error: trouble.append(str(error)))
    opened.goto(f"/chat?model={talking.private}")
    yield opened
    opened.close()
    assert trouble == []


def say(page: Page, text: str, **parameters: str) -> None:
    """Sends a message, its answer the likeliest one."""
    page.get_by_text("System prompt and parameters").click()
    for name, value in {"temperature": "0", "max_tokens": "40", **parameters}.items():
        page.fill(f"#{name}", value)
    page.get_by_text("System prompt and parameters").click()
    page.fill("#say", text)
    page.press("#say", "Enter")


def whole(page: Page, answers: int) -> None:
    """Waits for so many answers, the last of them kept."""
    expect(page.locator(".turn.assistant[data-turn]")).to_have_count(answers, timeout=60_000)
    expect(page.locator("[data-stop]")).to_be_hidden()


def test_a_model_answers_on_its_page_and_the_conversation_is_kept(page: Page) -> None:
    say(page, FRANCE)
    whole(page, 1)
    answer = page.locator(".turn.assistant .prose").first
    expect(answer).to_contain_text("Paris")
    expect(page.locator(".figures-line").first).to_contain_text(
        re.compile(r"8 tokens, [\d.]+ a second, the first after")
    )
    expect(page).to_have_url(re.compile(r"/chat/[0-9a-f]{24}$"))
    page.reload()
    expect(answer).to_contain_text("Paris")
    expect(page.locator(".talks a[aria-current=page]")).to_have_text(FRANCE)
    say(page, "And of Italy?")
    whole(page, 2)
    expect(page.locator(".turn.assistant .prose").last).to_contain_text("Rome")


def test_an_answer_is_stopped_and_what_was_said_is_kept(page: Page) -> None:
    say(page, "Write a long story about a fox.", max_tokens="4000")
    expect(page.locator(".coming")).to_be_visible()
    expect(page.locator(".waiting")).to_have_count(0, timeout=60_000)
    page.locator("[data-stop]").click()
    whole(page, 1)
    expect(page.locator(".figures-line")).to_contain_text("stopped")
    expect(page.locator(".turn.assistant .prose")).not_to_be_empty()


def test_a_question_is_edited_and_both_branches_stay(page: Page) -> None:
    say(page, FRANCE)
    whole(page, 1)
    page.locator(".edit summary").click()
    page.locator(".edit textarea").fill("What is the capital of Italy?")
    page.locator(".edit button").click()
    expect(page.locator(".turn.assistant[data-turn] .prose")).to_contain_text("Rome", timeout=60_000)
    expect(page.locator(".turn.user .beside")).to_contain_text("2 of 2")
    page.get_by_label("The one before").click()
    expect(page.locator(".turn.assistant .prose")).to_contain_text("Paris")
    page.get_by_role("button", name="Answer again").click()
    expect(page.locator(".turn.assistant .beside")).to_contain_text("2 of 2", timeout=60_000)


def test_what_cannot_be_done_is_said_and_the_message_is_not_lost(page: Page) -> None:
    page.fill("#model", "ann/nothing")
    say(page, "Hello there")
    expect(page.get_by_role("alert")).to_contain_text("Repository not found")
    expect(page.locator("#say")).to_have_value("Hello there")
    assert page.locator(".turn").count() == 0


def test_hostile_words_stay_words(page: Page) -> None:
    say(page, 'Repeat: <img src=x onerror="document.title=1"><script>document.title=2</script>')
    whole(page, 1)
    assert page.locator(".turns script, .turns img, .turns [onerror]").count() == 0
    assert page.title() not in ("1", "2")


def test_conversations_are_searched_and_deleted(page: Page) -> None:
    say(page, "What is a zygodactyl bird?")
    whole(page, 1)
    page.fill("#talk-search", "zygodactyl")
    page.press("#talk-search", "Enter")
    expect(page.locator(".talks li")).to_have_count(1)
    page.locator(".talks li a").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_label("Delete this conversation").click()
    expect(page).to_have_url(re.compile(r"/chat$"))
    page.goto("/chat?q=zygodactyl")
    expect(page.locator(".talks li")).to_have_count(0)


def test_the_page_is_accessible_and_fits_a_phone(page: Page) -> None:
    say(page, "Write a list of three colours in Python.")
    whole(page, 1)
    assert violations(page) == []
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.emulate_media(color_scheme="dark")
    assert violations(page) == []
    assert fits(page)


def test_it_works_without_scripts(browser: Browser, talking: Talking) -> None:
    with visitor(browser, talking.hub.url, "ann", scripts=False) as context:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/chat?model={talking.private}")
        page.get_by_text("System prompt and parameters").click()
        page.fill("#temperature", "0")
        page.fill("#max_tokens", "40")
        page.fill("#say", FRANCE)
        page.locator("[data-send]").click()
        page.wait_for_url(re.compile(r"/chat/[0-9a-f]{24}$"))
        assert page.locator(".turn.assistant .prose").inner_text() != ""
        page.get_by_role("button", name="Answer again").click()
        expect(page.locator(".turn.assistant .beside")).to_contain_text("2 of 2")


def test_a_conversation_is_its_users_alone(page: Page, talking: Talking) -> None:
    say(page, FRANCE)
    whole(page, 1)
    address = page.url
    bob = {"Authorization": f"Bearer {talking.bob.token}"}
    assert httpx.get(address, headers=bob).status_code == 404
    name = address.rpartition("/")[2]
    body = {"model": talking.public, "conversation": name, "text": "Mine?"}
    assert httpx.post(f"{talking.hub.url}/chat/say", data=body, headers=bob).status_code == 404
    assert httpx.get(address, follow_redirects=False).status_code == 302
    assert httpx.post(f"{talking.hub.url}/chat/say", data=body).status_code == 401


def test_nobody_is_sent_to_sign_in_and_back(browser: Browser, talking: Talking) -> None:
    with visitor(browser, talking.hub.url) as context:
        page = context.new_page()
        page.goto(f"/chat?model={talking.public}")
        expect(page).to_have_url(re.compile(r"/login\?next="))


def test_a_form_of_another_site_says_nothing_in_ones_name(page: Page, talking: Talking) -> None:
    cookies = "; ".join(f"{each['name']}={each['value']}" for each in page.context.cookies())
    answer = httpx.post(
        f"{talking.hub.url}/chat/say",
        data={"model": talking.private, "text": "forged"},
        headers={"Cookie": cookies, "Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 401
    own = {"Cookie": cookies, "Origin": talking.hub.url}
    without_token = httpx.post(
        f"{talking.hub.url}/chat/say", data={"model": talking.private, "text": "x"}, headers=own
    )
    assert without_token.status_code == 403
