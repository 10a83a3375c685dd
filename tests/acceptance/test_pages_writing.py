"""What people change by the pages: new repositories, texts, settings, pull requests. Most of it without scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.acceptance.seeding import Filled
from tests.acceptance.visiting import visitor


@pytest.fixture(scope="module")
def ada(browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    """Ada's browser, which runs no scripts."""
    with visitor(browser, filled.hub.url, "ada", scripts=False) as context:
        yield context


@pytest.fixture(scope="module")
def tomas(browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    """The browser of Tomas, who only reads what is Northlight's; it runs no scripts."""
    with visitor(browser, filled.hub.url, "tomas", scripts=False) as context:
        yield context


@pytest.fixture
def page(ada: BrowserContext) -> Iterator[Page]:
    opened = ada.new_page()
    yield opened
    opened.close()


@pytest.fixture
def reader(tomas: BrowserContext) -> Iterator[Page]:
    opened = tomas.new_page()
    yield opened
    opened.close()


@pytest.fixture
def repo(filled: Filled, unique: Callable[[str], str]) -> str:
    """A model of Northlight's with one text, of the test's own."""
    name = f"northlight/{unique('written')}"
    filled.create("model", name)
    filled.commit("model", name, "Words", {"words.txt": "one\ntwo\nthree\n"})
    return name


def read(filled: Filled, name: str, path: str, revision: str = "main") -> str:
    answer = filled.api("GET", f"/{name}/resolve/{revision}/{path}")
    return answer if isinstance(answer, str) else answer.text


def test_new_model_is_made_with_licence_and_visibility(filled: Filled, page: Page) -> None:
    page.goto("/new?owner=northlight")
    expect(page.get_by_label("Owner")).to_have_value("northlight")
    page.get_by_label("Name").fill("from-the-page")
    page.get_by_label("Licence").fill("mit")
    page.get_by_label("Private").check()
    page.get_by_role("button", name="Create the model").click()
    expect(page).to_have_url(f"{filled.hub.url}/northlight/from-the-page")
    told = filled.api("GET", "/api/models/northlight/from-the-page")
    assert (told["private"], told["cardData"]["license"]) == (True, "mit")


def test_refused_name_is_explained_beside_its_field_and_the_form_stays_filled(page: Page) -> None:
    page.goto("/new")
    page.get_by_label("Name").fill("-not good-")
    page.get_by_label("Licence").fill("mit")
    page.get_by_role("button", name="Create the model").click()
    wrong = page.locator(".field.wrong")
    expect(wrong).to_have_count(1)
    expect(wrong.get_by_label("Name")).to_have_value("-not good-")
    expect(wrong).to_contain_text("letters, digits")
    expect(page.get_by_label("Licence")).to_have_value("mit")


def test_name_that_is_taken_is_refused(page: Page) -> None:
    page.goto("/new-dataset?owner=northlight")
    page.get_by_label("Name").fill("Harbour-Logs")
    page.get_by_role("button", name="Create the dataset").click()
    expect(page.locator(".field.wrong")).to_contain_text("already")


def test_new_space_has_a_kind_of_app(filled: Filled, page: Page) -> None:
    page.goto("/new-space")
    page.get_by_label("Name").fill("my-app")
    page.get_by_label("Gradio").check()
    page.get_by_role("button", name="Create the space").click()
    assert filled.api("GET", "/api/spaces/ada/my-app")["sdk"] == "gradio"


@pytest.mark.parametrize(
    "address",
    [
        "/new",
        "/northlight/aurora-1b-instruct/edit/main/config.json",
        "/northlight/aurora-1b-instruct/upload/main",
    ],
)
def test_nobody_is_sent_to_sign_in_and_back(browser: Browser, filled: Filled, address: str) -> None:
    with visitor(browser, filled.hub.url, scripts=False) as context:
        opened = context.new_page()
        opened.goto(address)
        assert opened.url.startswith(f"{filled.hub.url}/login?next=")
        assert address.replace("/", "%2F") in opened.url


def test_text_is_edited_and_committed(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/edit/main/words.txt")
    expect(page.get_by_label("Content")).to_have_value("one\ntwo\nthree\n")
    page.get_by_label("Content").fill("one\nzwei\nthree\n")
    page.get_by_label("Commit message").fill("Another two")
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/blob/main/words.txt")
    assert read(filled, repo, "words.txt") == "one\nzwei\nthree\n"
    assert filled.api("GET", f"/api/models/{repo}/commits/main")[0]["title"] == "Another two"


def test_line_ends_of_a_file_stay_as_they_were(filled: Filled, page: Page, repo: str) -> None:
    filled.commit("model", repo, "Windows", {"dos.txt": b"a\r\nb\r\n"})
    page.goto(f"/{repo}/edit/main/dos.txt")
    page.get_by_label("Content").fill("a\nb\nc\n")
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/blob/main/dos.txt")
    answer = filled.api("GET", f"/{repo}/resolve/main/dos.txt")
    assert answer.content == b"a\r\nb\r\nc\r\n"


def test_renaming_while_editing_moves_the_file(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/edit/main/words.txt")
    page.get_by_label("Path").fill("folder/numbers.txt")
    page.get_by_role("button", name="Commit", exact=True).click()
    assert read(filled, repo, "folder/numbers.txt") == "one\ntwo\nthree\n"
    names = [each["path"] for each in filled.api("GET", f"/api/models/{repo}/tree/main")]
    assert "words.txt" not in names


def test_text_survives_a_conflict_and_both_ways_out_work(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/edit/main/words.txt")
    filled.commit("model", repo, "Meanwhile", {"words.txt": "somebody else\n"}, who="grace")
    page.get_by_label("Content").fill("my long text\n")
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has moved on")
    expect(page.get_by_label("Content")).to_have_value("my long text\n")
    assert read(filled, repo, "words.txt") == "somebody else\n"
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="See what changed meanwhile").click()
    expect(opened.value.locator("tr.add")).to_contain_text("somebody else")
    opened.value.close()
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has moved on")
    page.get_by_label("Open a pull request with this change").check()
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/discussions/1")
    page.go_back()
    page.get_by_label("my text replaces it").check()
    page.get_by_label("Commit straight to main").check()
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/blob/main/words.txt")
    assert read(filled, repo, "words.txt") == "my long text\n"


def test_new_file_is_written_and_a_bad_path_refused(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/new/main/notes")
    page.get_by_label("Path").fill("notes/../../escape.txt")
    page.get_by_label("Content").fill("hello\n")
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page.locator(".field.wrong")).to_contain_text("'..'")
    expect(page.get_by_label("Content")).to_have_value("hello\n")
    page.get_by_label("Path").fill("notes/first.txt")
    page.get_by_role("button", name="Commit", exact=True).click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/blob/main/notes/first.txt")
    assert read(filled, repo, "notes/first.txt") == "hello\n"


def test_file_and_folder_are_deleted(filled: Filled, page: Page, repo: str) -> None:
    filled.commit("model", repo, "More", {"folder/a.txt": "a", "folder/b.txt": "b"})
    for path in ("words.txt", "folder"):
        page.goto(f"/{repo}/delete/main/{path}")
        page.get_by_role("button", name="Delete", exact=True).click()
    assert [each["path"] for each in filled.api("GET", f"/api/models/{repo}/tree/main")] == [".gitattributes"]


def test_large_or_binary_file_is_not_edited_by_a_page(page: Page) -> None:
    answer = page.goto("/northlight/aurora-1b-instruct/edit/main/model.safetensors")
    assert answer is not None
    assert answer.status == 400


def test_reader_proposes_a_change_and_a_writer_merges_it(
    filled: Filled, page: Page, reader: Page, repo: str
) -> None:
    reader.goto(f"/{repo}/edit/main/words.txt")
    assert reader.get_by_label("Commit straight to main").count() == 0
    reader.get_by_label("Content").fill("one\ntwo\nthree\nfour\n")
    reader.get_by_label("Commit message").fill("Count on")
    reader.get_by_role("button", name="Propose this change").click()
    expect(reader).to_have_url(f"{filled.hub.url}/{repo}/discussions/1")
    assert reader.get_by_role("button", name="Merge into main").count() == 0
    reader.get_by_label("Comment").fill("It goes on **forever**")
    reader.get_by_role("button", name="Comment").click()
    expect(reader.locator(".timeline strong")).to_have_text("forever")
    page.goto(f"/{repo}")
    page.get_by_role("link", name="Community").click()
    page.get_by_role("link", name="Count on").click()
    expect(page.locator("tr.add")).to_contain_text("four")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.locator(".pull-head .status")).to_contain_text("merged")
    assert read(filled, repo, "words.txt").endswith("four\n")
    expect(page.locator("tr.add")).to_contain_text("four")


def test_pull_request_of_a_branch_is_opened_closed_and_opened_again(
    filled: Filled, page: Page, repo: str
) -> None:
    filled.api("POST", f"/api/models/{repo}/branch/idea", json={})
    filled.commit("model", repo, "An idea", {"idea.txt": "x"}, revision="idea")
    page.goto(f"/{repo}/compare/main...idea")
    page.get_by_text("Open a pull request").first.click()
    page.get_by_label("Title").fill("Try this")
    page.get_by_role("button", name="Open a pull request").click()
    status = page.locator(".pull-head .status")
    expect(status).to_contain_text("open")
    page.get_by_role("button", name="Close").click()
    expect(status).to_contain_text("closed")
    page.get_by_role("button", name="Open again").click()
    expect(status).to_contain_text("open")


def test_merge_of_what_both_sides_changed_is_refused_by_name(filled: Filled, page: Page, repo: str) -> None:
    filled.commit("model", repo, "Proposal", {"words.txt": "A\n"}, who="tomas", create_pr=True)
    filled.commit("model", repo, "Meanwhile", {"words.txt": "B\n"})
    page.goto(f"/{repo}/discussions/1")
    page.get_by_role("button", name="Merge into main").click()
    expect(page.get_by_role("status")).to_contain_text("words.txt")
    assert read(filled, repo, "words.txt") == "B\n"


def test_settings_change_visibility_and_default_branch(filled: Filled, page: Page, repo: str) -> None:
    filled.api("POST", f"/api/models/{repo}/branch/next", json={})
    page.goto(f"/{repo}/settings")
    page.get_by_label("Private").check()
    page.get_by_role("button", name="Save the visibility").click()
    expect(page.get_by_role("status")).to_contain_text("private")
    page.get_by_label("Default branch").select_option("next")
    page.get_by_label("Protected branches").fill("main\nrelease/*")
    page.get_by_role("button", name="Save the branches").click()
    expect(page.get_by_label("Protected branches")).to_have_value("main\nrelease/*")
    page.goto(f"/{repo}")
    page.get_by_role("link", name="Files").click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/tree/next")
    assert filled.api("GET", f"/api/models/{repo}")["private"] is True


def test_bad_pattern_of_a_branch_is_explained_at_its_field(page: Page, repo: str) -> None:
    page.goto(f"/{repo}/settings")
    page.get_by_label("Protected branches").fill("a..b")
    page.get_by_role("button", name="Save the branches").click()
    expect(page.locator("#branches .wrong")).to_contain_text("'..'")


def test_repository_is_renamed_and_its_old_name_leads_on(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/settings")
    page.get_by_label("New name").fill("ada/renamed by the page")
    page.get_by_role("button", name="Rename").click()
    expect(page.locator("#name .wrong")).to_contain_text("letters, digits")
    page.get_by_label("New name").fill("ada/renamed-by-the-page")
    page.get_by_role("button", name="Rename").click()
    expect(page).to_have_url(f"{filled.hub.url}/ada/renamed-by-the-page/settings#name")
    page.goto(f"/{repo}/blob/main/words.txt")
    expect(page).to_have_url(f"{filled.hub.url}/ada/renamed-by-the-page/blob/main/words.txt")


def test_repository_is_deleted_only_by_its_name_typed(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/settings")
    page.get_by_label(f"Type {repo} to confirm").fill("something else")
    page.get_by_role("button", name="Delete for good").click()
    expect(page.locator("#delete .wrong")).to_contain_text("not the name")
    page.get_by_label(f"Type {repo} to confirm").fill(repo)
    page.get_by_role("button", name="Delete for good").click()
    expect(page).to_have_url(f"{filled.hub.url}/northlight")
    answer = page.goto(f"/{repo}")
    assert answer is not None
    assert answer.status == 404


def test_role_is_given_and_taken_on_one_repository(
    filled: Filled, page: Page, reader: Page, repo: str
) -> None:
    page.goto(f"/{repo}/settings")
    page.get_by_label("For", exact=True).select_option("user")
    page.locator("#roles").get_by_label("Name").fill("nobody-at-all")
    page.get_by_role("button", name="Give the role").click()
    expect(page.locator("#roles .wrong")).to_contain_text("no user")
    page.locator("#roles").get_by_label("Name").fill("tomas")
    page.locator("#roles").get_by_label("Role").select_option("write")
    page.get_by_role("button", name="Give the role").click()
    reader.goto(f"/{repo}/edit/main/words.txt")
    expect(reader.get_by_label("Commit straight to main")).to_be_checked()
    page.get_by_role("button", name="Take the role from tomas").click()
    reader.goto(f"/{repo}/edit/main/words.txt")
    assert reader.get_by_label("Commit straight to main").count() == 0


def test_gate_is_asked_at_and_opened(browser: Browser, filled: Filled, page: Page) -> None:
    filled.create("model", "ada/behind-a-gate", gated="manual")
    filled.commit(
        "model", "ada/behind-a-gate", "Secret", {"secret.txt": "x", "README.md": "# For partners\n"}
    )
    with visitor(browser, filled.hub.url, "grace", scripts=False) as context:
        asker = context.new_page()
        answer = asker.goto("/ada/behind-a-gate/tree/main")
        assert answer is not None
        assert answer.status == 403
        asker.goto("/ada/behind-a-gate")
        expect(asker.get_by_text("For partners")).to_be_visible()
        asker.get_by_role("button", name="Ask for access").click()
        expect(asker.get_by_text("have not answered yet")).to_be_visible()
        page.goto("/ada/behind-a-gate/settings")
        page.get_by_role("button", name="Let grace in").click()
        asker.goto("/ada/behind-a-gate/blob/main/secret.txt")
        expect(asker.locator("td.text")).to_have_text("x")


def test_large_object_is_deleted_for_good(filled: Filled, page: Page, repo: str) -> None:
    filled.commit("model", repo, "Large", {"large.bin": b"\0" * 5000}, large=("large.bin",))
    page.goto(f"/{repo}/settings")
    page.get_by_label("large.bin").check()
    page.get_by_role("button", name="Delete the chosen objects for good").click()
    expect(page.locator("#storage")).to_contain_text("no large objects")
    assert "large.bin" not in [each["path"] for each in filled.api("GET", f"/api/models/{repo}/tree/main")]


def test_settings_are_not_for_readers(reader: Page) -> None:
    answer = reader.goto("/northlight/aurora-1b-instruct/settings")
    assert answer is not None
    assert answer.status == 403
    reader.goto("/northlight/aurora-1b-instruct")
    assert reader.get_by_role("link", name="Settings").count() == 0


def test_files_are_committed_by_a_plain_form(filled: Filled, page: Page, repo: str) -> None:
    page.goto(f"/{repo}/upload/main/data")
    page.get_by_label("Choose files").set_input_files([
        {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"plain\n"},
        {"name": "weights.bin", "mimeType": "application/octet-stream", "buffer": bytes(range(256)) * 40},
    ])  # fmt: skip
    page.get_by_role("button", name="Commit these files").click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/tree/main/data")
    tree = {each["path"]: each for each in filled.api("GET", f"/api/models/{repo}/tree/main/data")}
    assert tree["data/weights.bin"]["lfs"]["size"] == 256 * 40
    assert "lfs" not in tree["data/notes.txt"]


def test_plain_form_without_files_says_so(page: Page, repo: str) -> None:
    page.goto(f"/{repo}/upload/main")
    page.get_by_role("button", name="Commit these files").click()
    expect(page.get_by_role("alert")).to_contain_text("at least one file")


def test_markdown_is_previewed_in_place_by_scripts(browser: Browser, filled: Filled, repo: str) -> None:
    with visitor(browser, filled.hub.url, "ada") as context:
        editor = context.new_page()
        editor.goto(f"/{repo}/new/main?path=README.md")
        editor.get_by_label("Content").fill("# A *title*\n\n<script>alert(1)</script>\n")
        editor.get_by_role("button", name="Preview as Markdown").click()
        expect(editor.locator("#preview h2")).to_contain_text("A title")
        assert editor.locator("#preview script").count() == 0
        editor.get_by_label("Content").press("Control+Enter")
        expect(editor).to_have_url(f"{filled.hub.url}/{repo}/blob/main/README.md")
