"""The upload page with its script: any number of files, of any size, over a line that breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.acceptance.seeding import Filled
from tests.acceptance.visiting import visitor

PIECE_BYTES = 32 << 20  # as the script cuts
LARGE_BYTES = 2 * PIECE_BYTES + 12_345


@pytest.fixture(scope="module")
def ada(browser: Browser, filled: Filled) -> Iterator[BrowserContext]:
    with visitor(browser, filled.hub.url, "ada") as context:
        yield context


@pytest.fixture
def repo(filled: Filled, unique: Callable[[str], str]) -> str:
    name = f"northlight/{unique('uploaded')}"
    filled.create("model", name)
    return name


@pytest.fixture
def page(ada: BrowserContext, repo: str) -> Iterator[Page]:
    opened = ada.new_page()
    opened.goto(f"/{repo}/upload/main")
    yield opened
    opened.close(run_before_unload=False)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of three pieces."""
    path = tmp_path_factory.mktemp("large") / "weights.bin"
    block = hashlib.sha256(b"block").digest() * 4096
    with path.open("wb") as file:
        for number in range(LARGE_BYTES // len(block) + 1):
            file.write(number.to_bytes(8, "big") + block)
        file.truncate(LARGE_BYTES)
    return path


def choose(page: Page, *paths: Path) -> None:
    """Chooses files by the button that the script shows."""
    with page.expect_file_chooser() as opened:
        page.get_by_role("button", name="choose files").click()
    opened.value.set_files(list(paths))


def commit(page: Page, filled: Filled, repo: str, folder: str = "") -> None:
    page.get_by_role("button", name="Commit these files").click()
    expect(page).to_have_url(f"{filled.hub.url}/{repo}/tree/main{folder}", timeout=90_000)


def tree(filled: Filled, repo: str) -> dict[str, dict[str, object]]:
    found = filled.api("GET", f"/api/models/{repo}/tree/main?recursive=true")
    return {each["path"]: each for each in found if each["type"] == "file"}


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_small_and_large_files_go_in_one_commit(
    filled: Filled, page: Page, repo: str, large: Path, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"a": 1}\n')
    (tmp_path / "empty.txt").write_text("")
    choose(page, large, tmp_path / "config.json", tmp_path / "empty.txt")
    page.get_by_label("Commit message").fill("All at once")
    commit(page, filled, repo)
    files = tree(filled, repo)
    assert files["weights.bin"]["lfs"]["oid"] == sha256(large)  # type: ignore[index]
    assert "lfs" not in files["config.json"]
    assert files["empty.txt"]["size"] == 0
    titles = [each["title"] for each in filled.api("GET", f"/api/models/{repo}/commits/main")]
    assert titles == ["All at once", "initial commit"]
    got = filled.api("GET", f"/{repo}/resolve/main/weights.bin")
    assert hashlib.sha256(got.content).hexdigest() == sha256(large)


def test_progress_is_told_for_each_file_and_for_all(page: Page, large: Path) -> None:
    choose(page, large)
    row = page.locator("[data-rows] li")
    expect(row.locator(".path")).to_have_text("weights.bin")
    expect(row.locator(".state")).to_have_text("sent", timeout=90_000)
    expect(page.locator("[data-total]")).to_contain_text("1 of 1 file ready, 67.1 MB of 67.1 MB sent")
    assert page.locator("[data-bar]").evaluate("bar => bar.value === bar.max")
    expect(page.locator("[data-status]")).to_have_text("All files are ready to be committed")


def test_folder_keeps_its_paths_and_goes_below_the_open_one(
    filled: Filled, page: Page, repo: str, tmp_path: Path
) -> None:
    (tmp_path / "set" / "deep").mkdir(parents=True)
    (tmp_path / "set" / "a.txt").write_text("a")
    (tmp_path / "set" / "deep" / "b.txt").write_text("b")
    page.goto(f"/{repo}/upload/main/data")
    with page.expect_file_chooser() as opened:
        page.get_by_role("button", name="choose a folder").click()
    opened.value.set_files(tmp_path / "set")
    expect(page.locator("[data-rows] li")).to_have_count(2)
    commit(page, filled, repo, "/data")
    assert {"data/set/a.txt", "data/set/deep/b.txt"} <= tree(filled, repo).keys()


def test_dropped_files_are_taken(filled: Filled, page: Page, repo: str) -> None:
    page.evaluate(
        """() => {
            const carried = new DataTransfer();
            carried.items.add(new File(["dropped"], "dropped.txt", {type: "text/plain"}));
            document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", {dataTransfer: carried, bubbles: true, cancelable: true}));
        }"""  # noqa: E501
    )
    expect(page.locator("[data-rows] .path")).to_have_text("dropped.txt")
    commit(page, filled, repo)
    assert "dropped.txt" in tree(filled, repo)


def test_upload_goes_on_after_the_line_broke(filled: Filled, page: Page, repo: str, large: Path) -> None:
    broken: list[str] = []

    def breaks_twice(route: Route) -> None:
        if len(broken) < 2:
            broken.append(route.request.headers["upload-offset"])
            route.abort("connectionreset")
        else:
            route.fallback()

    page.route(
        "**/_cas/uploads/**",
        lambda route: breaks_twice(route) if route.request.method == "PATCH" else route.fallback(),
    )
    choose(page, large)
    commit(page, filled, repo)
    assert len(broken) == 2
    assert tree(filled, repo)["weights.bin"]["lfs"]["oid"] == sha256(large)  # type: ignore[index]


def test_upload_goes_on_after_a_reload_where_it_was(
    filled: Filled, page: Page, repo: str, large: Path
) -> None:
    offsets: list[int] = []

    def noted(route: Route) -> None:
        offsets.append(int(route.request.headers["upload-offset"]))
        if len(offsets) == 2:
            return  # the second piece hangs, as on a line that is slow
        route.fallback()

    page.on("dialog", lambda dialog: dialog.accept())
    page.route(
        "**/_cas/uploads/**",
        lambda route: noted(route) if route.request.method == "PATCH" else route.fallback(),
    )
    choose(page, large)
    page.wait_for_function(
        "() => document.querySelector('[data-rows] progress')?.value >= 33554432", timeout=60_000
    )
    page.reload()
    expect(page.locator("[data-unfinished]")).to_contain_text("weights.bin: 33.6 MB of 67.1 MB")
    choose(page, large)
    commit(page, filled, repo)
    assert offsets[:2] == [0, PIECE_BYTES]
    assert offsets[2] == PIECE_BYTES, "what had arrived is not sent again"
    assert tree(filled, repo)["weights.bin"]["lfs"]["oid"] == sha256(large)  # type: ignore[index]


def test_unfinished_upload_can_be_forgotten(filled: Filled, page: Page, repo: str) -> None:
    filled.api(
        "POST", f"/api/models/{repo}/uploads", json={"path": "left.bin", "size": 10, "fingerprint": "x"}
    )
    page.reload()
    page.get_by_role("button", name="Forget the upload of left.bin").click()
    expect(page.locator("[data-unfinished]")).to_be_hidden()
    assert filled.api("GET", f"/api/models/{repo}/uploads") == {"uploads": []}


def test_upload_is_paused_and_goes_on(filled: Filled, page: Page, repo: str, large: Path) -> None:
    held: list[Route] = []
    page.route(
        "**/_cas/uploads/**",
        lambda route: (
            held.append(route) if route.request.method == "PATCH" and not held else route.fallback()
        ),
    )
    choose(page, large)
    while not held:
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("[data-rows] .state")).to_have_text("paused")
    page.get_by_role("button", name="Go on").click()
    commit(page, filled, repo)
    assert tree(filled, repo)["weights.bin"]["lfs"]["oid"] == sha256(large)  # type: ignore[index]


def test_file_with_a_bad_name_is_told_of_and_the_others_go(
    filled: Filled, page: Page, repo: str, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("good")
    (tmp_path / "bad\\name.txt").write_text("bad")
    choose(page, tmp_path / "good.txt", tmp_path / "bad\\name.txt")
    failed = page.locator("[data-rows] li.failed")
    expect(failed).to_contain_text("backslash")
    page.get_by_role("button", name="Commit these files").click()
    expect(page.locator("[data-problem]")).to_contain_text("take it off the list")
    failed.get_by_role("button", name="Take bad\\name.txt off the list").click()
    commit(page, filled, repo)
    assert "good.txt" in tree(filled, repo)


def test_commit_without_files_says_what_is_missing(page: Page) -> None:
    page.get_by_role("button", name="Commit these files").click()
    expect(page.locator("[data-problem]")).to_contain_text("Choose at least one file")


def test_reader_s_files_become_a_pull_request(
    browser: Browser, filled: Filled, repo: str, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("proposed")
    with visitor(browser, filled.hub.url, "tomas") as context:
        page = context.new_page()
        page.goto(f"/{repo}/upload/main")
        choose(page, tmp_path / "note.txt")
        page.get_by_role("button", name="Propose these files").click()
        expect(page).to_have_url(f"{filled.hub.url}/{repo}/discussions/1")
    assert "note.txt" not in tree(filled, repo)


def test_many_files_go_in_one_commit(filled: Filled, page: Page, repo: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"part-{number:03d}.txt" for number in range(450)]
    for path in paths:
        path.write_text(path.name)
    choose(page, *paths)
    expect(page.locator("[data-total]")).to_contain_text("450 of 450 files ready", timeout=60_000)
    commit(page, filled, repo)
    assert len(tree(filled, repo)) == 451
