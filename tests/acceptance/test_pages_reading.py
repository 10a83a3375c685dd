"""What the pages of repositories show to those who read, and what they keep from others."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from tests.acceptance.seeding import Filled

MODEL = "/northlight/aurora-1b-instruct"
DATASET = "/datasets/northlight/harbour-logs"
HTML = {"Accept": "text/html"}


@pytest.fixture
def get(filled: Filled) -> Callable[[str], httpx.Response]:
    """A page as nobody gets it, redirects not followed."""
    return lambda address: httpx.get(filled.hub.url + address, headers=HTML, timeout=60)


Get = Callable[[str], httpx.Response]


def text_of(answer: httpx.Response) -> str:
    """What a page says, without its elements."""
    main = answer.text.partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/models/northlight/aurora-1b-instruct", MODEL),
        ("/models/northlight/aurora-1b-instruct/tree/main?page=1", f"{MODEL}/tree/main?page=1"),
        ("/NorthLight/Aurora-1B-Instruct", MODEL),
        (
            "/NorthLight/Aurora-1B-Instruct/blob/refs%2Fpr%2F1/README.md",
            f"{MODEL}/blob/refs%2Fpr%2F1/README.md",
        ),
        ("/models/mini-lm", "/mini-lm"),
        ("/Grace", "/grace"),
        (f"{MODEL}/tree/main/config.json", f"{MODEL}/blob/main/config.json"),
        (f"{MODEL}/blob/main/scripts", f"{MODEL}/tree/main/scripts"),
        (f"{MODEL}/compare/?base=main&head=long-context", f"{MODEL}/compare/main...long-context"),
    ],
)
def test_other_spelling_of_an_address_leads_to_the_page(get: Get, asked: str, leads_to: str) -> None:
    answer = get(asked)
    assert answer.status_code == 302
    assert answer.headers["Location"] == leads_to


def test_page_of_a_repository_that_moved_leads_to_where_it_is(filled: Filled, get: Get) -> None:
    filled.create("model", "ada/first-name")
    filled.api(
        "POST",
        "/api/repos/move",
        json={"fromRepo": "ada/first-name", "toRepo": "ada/second-name", "type": "model"},
    )
    assert get("/ada/first-name/tree/main").headers["Location"] == "/ada/second-name/tree/main"


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "/tree/main",
        "/blob/main/README.md",
        "/commits/main",
        "/settings",
        "/discussions",
        "/edit/main/README.md",
    ],
)
def test_private_repository_answers_nobody_and_strangers_as_if_it_did_not_exist(
    filled: Filled, get: Get, rest: str
) -> None:
    hidden, missing = get(f"/ada/private-notes{rest}"), get(f"/ada/no-such-notes{rest}")
    assert hidden.status_code == missing.status_code == 401
    assert text_of(hidden).replace("private-notes", "") == text_of(missing).replace("no-such-notes", "")
    names = [line for line in get("/models?author=ada").text.split('"') if "private-notes" in line]
    assert names == []


def test_missing_page_is_a_page_for_people_and_json_for_programs(filled: Filled, get: Get) -> None:
    page = get(f"{MODEL}/blob/main/no/such/file")
    assert (page.status_code, page.headers["X-Error-Code"]) == (404, "EntryNotFound")
    assert "<h1>Entry not found" in page.text
    told = httpx.get(f"{filled.hub.url}/a/b/c/d/e/f", timeout=30)
    assert (told.status_code, told.json()["code"]) == (404, "NotFound")
    assert get(f"{MODEL}/tree/no-such-branch").headers["X-Error-Code"] == "RevisionNotFound"
    assert get("/static/no-such-file.js").status_code == 404


def test_form_without_its_token_is_refused_by_a_page(filled: Filled) -> None:
    answer = httpx.post(f"{filled.hub.url}/new", headers=HTML, data={"name": "forged"}, timeout=30)
    assert answer.status_code == 403
    assert "no longer good" in answer.text


def test_address_with_wrong_method_is_refused(filled: Filled) -> None:
    assert httpx.put(f"{filled.hub.url}/models", headers=HTML, timeout=30).status_code in (403, 405)


def test_folder_tells_the_commit_that_last_changed_each_entry(get: Get) -> None:
    lines = dict(
        re.findall(
            r'<td class="name">.*?>([\w.]+)</a>.*?class="clip wide-only">(.*?)</td>',
            get(f"{MODEL}/tree/main").text,
            re.DOTALL,
        )
    )
    assert "Evaluate greedily" in lines["scripts"]
    assert "Write the card" in lines["README.md"]
    assert "last 2,000 steps" in lines["model.safetensors"]


def test_huge_folder_is_shown_a_page_at_a_time(get: Get) -> None:
    first, third = get(f"{DATASET}/tree/main/days").text, get(f"{DATASET}/tree/main/days?page=3").text
    assert first.count('<td class="name">') == 100
    assert "1 to 100 of 230" in first
    assert third.count('<td class="name">') == 30
    assert get(f"{DATASET}/tree/main/days?page=4").status_code == 404


def test_branch_with_a_slash_has_pages(filled: Filled, get: Get) -> None:
    filled.api("POST", "/api/models/northlight/aurora-embed/branch/feature%2Fshort", json={})
    page = get("/northlight/aurora-embed/tree/feature%2Fshort")
    assert page.status_code == 200
    assert "/northlight/aurora-embed/blob/feature%2Fshort/README.md" in page.text
    assert get("/northlight/aurora-embed/blob/feature%2Fshort/README.md").status_code == 200


def test_file_names_that_mean_something_elsewhere_are_shown_and_reached(filled: Filled, get: Get) -> None:
    names = [
        "a b.txt",
        "100%.txt",
        "what?.txt",
        "x#y.txt",
        "<b>.txt",
        "blåbær.txt",
        "dir/tree/main/blob.txt",
        "a&b='\".txt",
    ]
    filled.create("model", "ada/odd-names")
    filled.commit("model", "ada/odd-names", "Names", {name: f"I am {name}\n" for name in names})
    top = get("/ada/odd-names/tree/main").text
    assert "<b>.txt" not in top
    addresses = [
        found
        for found in re.findall(r'href="(/ada/odd-names/blob/main/[^"]+)"', top)
        if "gitattributes" not in found
    ]
    assert len(addresses) == len(names) - 1
    for address in addresses:
        page = get(address)
        assert page.status_code == 200, address
        assert "I am" in page.text
    assert "I am dir/tree/main/blob.txt" in get("/ada/odd-names/blob/main/dir/tree/main/blob.txt").text


def test_file_of_a_user_never_runs_in_a_page(filled: Filled, get: Get) -> None:
    filled.create("model", "ada/hostile")
    attack = "<script>alert(1)</script>"
    filled.commit("model", "ada/hostile", attack, {
        "README.md": f"{attack}\n\n<img src=x onerror=alert(1)>\n", "page.html": attack, "picture.svg": f"<svg onload=alert(1)>{attack}</svg>",  # noqa: E501
        "<script>alert(1)<": "x",
    }, description=attack)  # fmt: skip
    for rest in (
        "",
        "/tree/main",
        "/blob/main/page.html",
        "/blob/main/picture.svg",
        "/commits/main",
        "/commit/main",
        "/blame/main/page.html",
    ):
        answer = httpx.get(
            f"{filled.hub.url}/ada/hostile{rest}", headers=HTML, timeout=30, follow_redirects=True
        )
        assert answer.status_code == 200
        assert attack not in answer.text
        assert not re.search(r"<[a-z]+[^>]* on\w+=", answer.text)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_markdown_is_rendered_or_shown_as_source(get: Get) -> None:
    assert "<article" in get(f"{MODEL}/blob/main/README.md").text
    source = get(f"{MODEL}/blob/main/README.md?plain=1").text
    assert "<article" not in source
    assert 'id="L1"' in source


def test_card_with_broken_metadata_says_what_is_wrong_and_is_shown(filled: Filled, get: Get) -> None:
    filled.create("model", "ada/broken-card")
    filled.commit(
        "model", "ada/broken-card", "Card", {"README.md": "---\nlicense: [mit\n---\n\nStill readable.\n"}
    )
    page = text_of(get("/ada/broken-card"))
    assert "cannot be read (line" in page
    assert "Still readable." in page


def test_binary_file_is_told_of_by_size_and_hash(get: Get) -> None:
    page = text_of(get(f"{MODEL}/blob/main/model.safetensors"))
    assert "28 tensors" in page
    assert "model.layers.0.self_attn.q_proj.weight" in page
    assert re.search(r"\b[0-9a-f]{64}\b", page)


def test_blame_names_who_wrote_each_line(get: Get) -> None:
    page = get(f"{MODEL}/blame/main/scripts/evaluate.py").text
    assert page.count('class="line-number"') == 37
    assert "Evaluation script" in page
    assert "grace" in page


def test_commit_shows_lines_with_signs_and_large_objects_by_size(get: Get) -> None:
    text = get(get(f"{MODEL}/commit/long-context").headers["Location"]).text
    assert '<tr class="add">' in text
    assert '<td class="sign">+</td>' in text
    large = get(get(f"{MODEL}/commit/main").headers["Location"])
    assert re.search(r"Large object: 49\d kB → 57\d kB", text_of(large))


def test_comparison_shows_what_a_branch_has_and_refuses_nonsense(get: Get) -> None:
    assert "Stretch positions to 32k" in text_of(get(f"{MODEL}/compare/main...long-context"))
    assert "has nothing that" in text_of(get(f"{MODEL}/compare/main...main"))
    assert get(f"{MODEL}/compare/main...no-such").status_code == 404
    assert get(f"{MODEL}/compare/nonsense").status_code == 400


def test_history_goes_on_where_a_page_ends(filled: Filled, get: Get) -> None:
    filled.create("model", "ada/long-history")
    for number in range(45):
        filled.commit("model", "ada/long-history", f"Step number {number}", {"step.txt": f"{number}\n"})
    first = get("/ada/long-history/commits/main").text
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = get(f"/ada/long-history/commits/main{older[1].replace('&amp;', '&')}").text
    assert "Step number 44" in first
    assert "Step number 44" not in second
    assert "initial commit" in second
    assert 'rel="next"' not in second
    assert "Step number 3" in get("/ada/long-history/commits/main/step.txt").text


def test_list_is_narrowed_sorted_and_paged_by_its_address(get: Get) -> None:
    assert get("/models").text.count('class="repo-card"') == 30
    narrowed = get("/models?filter=license%3Amit&filter=safetensors").text
    assert "northlight/</span>aurora-embed" in narrowed
    assert "aurora-1b-instruct" not in narrowed
    assert "There is nothing" not in narrowed
    assert "Nothing matches these filters" in get("/models?filter=no-such-tag").text
    assert get("/models?sort=nonsense").status_code == 400
    assert get("/models?cursor=nonsense").status_code == 400
    second = re.search(r'rel="next" href="([^"]+)"', get("/models").text)
    assert second
    assert get(f"/models{second[1].replace('&amp;', '&')}").status_code == 200


def test_search_finds_all_kinds_and_the_account(get: Get) -> None:
    page = get("/search?q=northlight").text
    assert "Northlight Research" in page
    found = get("/search?q=harbour").text
    assert "harbour-logs" in found
    assert "sentiment-harbour" in found
    assert "No repository" in get("/search?q=no-such-thing-at-all").text


def test_profile_shows_only_what_the_visitor_may_see(filled: Filled, get: Get) -> None:
    assert "private-notes" not in get("/ada").text
    page = text_of(get("/northlight"))
    assert "Grace Okafor" in page
    assert "admin" not in page.split("Models")[0], "roles are for members"


def test_one_segment_name_is_a_model_s_page(get: Get) -> None:
    assert "A name of one part" in get("/mini-lm").text
    assert get("/mini-lm/tree/main").status_code == 200
    assert get("/mini-lm/blob/main/README.md").status_code == 200


def test_hub_that_wants_sign_in_shows_nobody_anything(new_hub: Callable[..., object]) -> None:
    hub = new_hub(require_sign_in="1").start()  # type: ignore[attr-defined]
    try:
        hub.user("solo")
        home = httpx.get(hub.url, headers=HTML, timeout=30)
        assert home.status_code == 200
        assert "for those who are signed in" in home.text
        for address in ("/models", "/solo", "/nobody-at-all", "/search?q=solo", "/solo/model"):
            assert httpx.get(hub.url + address, headers=HTML, timeout=30).status_code == 401, address
    finally:
        hub.stop()
