"""Lists: filters, order, pages, and that nobody finds what they may not see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from hutch.core import clock
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from tests.repos.conftest import Api
from tests.repos.door import commit_files
from tests.repos.test_read_api import pages

Make = Callable[..., RepoRow]


def ids(api: Api, query: str = "", kind: str = "models", **more: Any) -> list[str]:
    return [line["id"] for told in pages(api, f"/api/{kind}?{query}", **more) for line in told.json]


@pytest.fixture
def several(ann: Actor, bob: Actor, make_repo: Make) -> list[str]:
    """Seven models with different numbers; names from the newest to the oldest."""
    made = []
    for number in range(7):
        owner = bob if number % 3 == 0 else ann
        repo = make_repo(owner, f"{'Bert' if number % 2 else 'gpt'}-{number}")
        Repo.objects.filter(pk=repo.id).update(
            updated_at=clock.now() - timedelta(hours=number // 2),  # some equal
            created_at=clock.now() - timedelta(days=number),
            downloads=number % 3,
            likes=number,
        )
        made.append(repo.full_name)
    return made


def test_each_type_has_its_own_list(api: Api, ann: Actor, make_repo: Make) -> None:
    for type_ in ("model", "dataset", "space", "kernel"):
        make_repo(ann, f"a-{type_}", type=type_, **({"sdk": "static"} if type_ == "space" else {}))
    for type_ in ("model", "dataset", "space", "kernel"):
        assert ids(api, kind=f"{type_}s") == [f"ann/a-{type_}"]


def test_private_repositories_are_listed_to_their_own_only(
    api: Api,
    ann: Actor,
    bob: Actor,
    make_repo: Make,
    make_org: Callable[..., str],
    again: Callable[[Actor], Actor],
) -> None:
    make_org("acme", ann=Role.WRITE)
    ann = again(ann)
    make_repo(ann, "open")
    make_repo(ann, "secret", visibility="private")
    make_repo(ann, "inner", namespace="acme", visibility="private")
    assert ids(api, actor=NOBODY) == ids(api, actor=bob) == ["ann/open"]
    assert sorted(ids(api, actor=ann)) == ["acme/inner", "ann/open", "ann/secret"]
    for query in ("search=secret", "author=acme", "filter=x", "sort=likes"):
        assert not {"ann/secret", "acme/inner"} & set(ids(api, query, actor=bob))
    assert "secret" not in api("GET", "/api/quicksearch?q=secret", actor=bob).body.decode().replace(
        '"q":"secret"', ""
    )
    assert b"secret" not in api("GET", "/api/trending", actor=bob).body


@pytest.mark.parametrize("sort", ["lastModified", "createdAt", "downloads", "likes", "trendingScore"])
@pytest.mark.parametrize("direction", ["", "&direction=-1", "&direction=1"])
def test_pages_make_the_whole_in_every_order(api: Api, several: list[str], sort: str, direction: str) -> None:
    whole = ids(api, f"sort={sort}{direction}")
    assert sorted(whole) == sorted(several)
    for limit in (1, 2, 3, 6, 7):
        assert ids(api, f"sort={sort}{direction}&limit={limit}") == whole


def test_order_is_what_was_asked_for(api: Api, several: list[str]) -> None:
    assert ids(api, "sort=likes") == list(reversed(several))
    assert ids(api, "sort=likes&direction=1") == several
    assert ids(api, "sort=createdAt") == several
    told = api("GET", "/api/models?sort=downloads").json
    assert [line["downloads"] for line in told] == [2, 2, 1, 1, 0, 0, 0]


def test_repositories_made_between_two_pages_disturb_neither(
    api: Api, ann: Actor, several: list[str], make_repo: Make
) -> None:
    found = pages(api, "/api/models?sort=createdAt&limit=3")
    seen = [line["id"] for line in next(found).json]
    make_repo(ann, "newcomer")
    seen += [line["id"] for told in found for line in told.json]
    assert seen == several


def test_author_search_and_filters(api: Api, ann: Actor, several: list[str], make_repo: Make) -> None:
    assert set(ids(api, "author=BOB")) == {name for name in several if name.startswith("bob/")}
    assert set(ids(api, "search=BERT")) == {name for name in several if "Bert" in name}
    assert set(ids(api, "search=ann&search=bert-1")) == {"ann/Bert-1"}
    assert ids(api, "search=ann%20bert-1") == ["ann/Bert-1"]
    assert ids(api, "search=%25") == []
    assert ids(api, "search=_ert") == []
    tagged = make_repo(ann, "tagged")
    commit_files(
        ann, tagged, {"README.md": "---\nlicense: mit\ntags: [one, two]\npipeline_tag: fill-mask\n---\n"}
    )
    for query in (
        "filter=one",
        "filter=one&filter=two",
        "filter=one,license:mit",
        "filter=fill-mask",
        "pipeline_tag=fill-mask",
    ):
        assert ids(api, query) == ["ann/tagged"], query
    assert ids(api, "filter=one&filter=three") == []


def test_gated_repositories_are_told_apart(api: Api, ann: Actor, several: list[str], make_repo: Make) -> None:
    make_repo(ann, "gate", gated="auto")
    assert ids(api, "gated=true") == ["ann/gate"]
    assert set(ids(api, "gated=False")) == set(several)
    told = {line["id"]: line["gated"] for line in api("GET", "/api/models").json}
    assert (told["ann/gate"], told[several[0]]) == ("auto", False)


def test_list_tells_more_when_asked(api: Api, ann: Actor, make_repo: Make) -> None:
    commit = commit_files(ann, make_repo(ann, "bert"), {"README.md": "---\nlicense: mit\n---\n"})
    plain = api("GET", "/api/models").json[0]
    assert "siblings" not in plain
    assert "cardData" not in plain
    full = api("GET", "/api/models?full=True&cardData=True&config=True").json[0]
    assert full["sha"] == commit
    assert full["cardData"] == {"license": "mit"}
    assert full["siblings"] == [{"rfilename": ".gitattributes"}, {"rfilename": "README.md"}]
    only = api("GET", "/api/models?expand=cardData&expand=sha").json[0]
    assert set(only) == {"_id", "id", "modelId", "cardData", "sha"}


@pytest.mark.parametrize(
    "query",
    ["sort=colour", "limit=0", "limit=many", "cursor=x", "full=perhaps", "gated=perhaps"],
)
def test_bad_query_is_refused_by_name(api: Api, several: list[str], query: str) -> None:
    told = api("GET", f"/api/models?{query}")
    assert (told.status, told.json["field"]) == (400, query.split("=", maxsplit=1)[0])


def test_cursor_of_another_order_is_refused(api: Api, several: list[str]) -> None:
    link = api("GET", "/api/models?sort=likes&limit=2").headers["Link"]
    cursor = link.split("cursor=")[1].split(">")[0]
    assert api("GET", f"/api/models?sort=downloads&limit=2&cursor={cursor}").status == 400


def test_filter_that_nothing_is_known_for_is_refused_not_passed_over(api: Api, several: list[str]) -> None:
    for field in ("apps", "num_parameters"):
        told = api("GET", f"/api/models?{field}=x")
        assert (told.status, told.json["field"]) == (501, field)
    assert api("GET", "/api/models?inference_provider=all").json == []


def test_next_page_keeps_the_query(api: Api, several: list[str]) -> None:
    link = api("GET", "/api/models?author=ann&search=b&filter=&limit=1&sort=likes").headers["Link"]
    assert link.startswith(f"<{api.base_url}/api/models?")
    for part in ("author=ann", "search=b", "limit=1", "sort=likes", "cursor="):
        assert part in link


def test_tags_are_told_by_what_they_speak_of(api: Api, ann: Actor, bob: Actor, make_repo: Make) -> None:
    text = "---\nlicense: mit\nlanguage: en\npipeline_tag: fill-mask\ntags: [fun]\n---\n"
    commit_files(ann, make_repo(ann, "one"), {"README.md": text})
    commit_files(
        ann, make_repo(ann, "two", visibility="private"), {"README.md": "---\ntags: [hidden]\n---\n"}
    )
    commit_files(
        ann, make_repo(ann, "data", type="dataset"), {"README.md": "---\nsize_categories: n<1K\n---\n"}
    )
    told = api("GET", "/api/models-tags-by-type", actor=bob).json
    assert told["license"] == [{"id": "license:mit", "label": "mit", "type": "license"}]
    assert [line["id"] for line in told["pipeline_tag"]] == ["fill-mask"]
    assert [line["id"] for line in told["language"]] == ["en"]
    assert "hidden" not in [line["id"] for lines in told.values() for line in lines]
    data = api("GET", "/api/datasets-tags-by-type").json
    assert data["size_categories"] == [
        {"id": "size_categories:n<1K", "label": "n<1K", "type": "size_categories"}
    ]


def test_overview_counts_what_the_asker_may_see(api: Api, ann: Actor, bob: Actor, make_repo: Make) -> None:
    make_repo(ann, "one")
    make_repo(ann, "two", visibility="private")
    make_repo(ann, "three", type="dataset")
    for actor, models in ((ann, 2), (bob, 1)):
        told = api("GET", "/api/users/ann/overview", actor=actor).json
        assert (told["numModels"], told["numDatasets"], told["numSpaces"]) == (models, 1, 0)


def test_quick_search_finds_parts_of_names(api: Api, ann: Actor, several: list[str], make_repo: Make) -> None:
    make_repo(ann, "bertology", type="dataset")
    told = api("GET", "/api/quicksearch?q=bert").json
    assert {line["id"] for line in told["models"]} == {name for name in several if "Bert" in name}
    assert [line["id"] for line in told["datasets"]] == ["ann/bertology"]
    assert "models" not in api("GET", "/api/quicksearch?q=bert&type=dataset").json


def test_small_addresses_that_clients_call(api: Api, ann: Actor, make_repo: Make) -> None:
    make_repo(ann, "bert")
    assert api("HEAD", "/api/telemetry/some/topic").status == 200
    assert api("GET", "/api/agent-harnesses").json == {"standardEnvVars": [], "harnesses": {}}
    assert all("widgetModels" in details for details in api("GET", "/api/tasks").json.values())
    assert api("GET", "/api/models/ann/bert/likers").json == []
    assert [line["repoData"]["id"] for line in api("GET", "/api/trending").json["recentlyTrending"]] == [
        "ann/bert"
    ]


def test_list_costs_as_many_queries_for_many_as_for_one(
    api: Api, ann: Actor, make_repo: Make, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for number in range(12):
        make_repo(ann, f"r{number}")
    with django_assert_max_num_queries(4):
        assert len(api("GET", "/api/models?full=true&limit=10").json) == 10
