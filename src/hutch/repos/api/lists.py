"""JSON routes that list repositories of every owner, and what their tags are."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router

from hutch.core import paging
from hutch.core.errors import NotOffered
from hutch.repos.api.query import actor_of, answer, page, switch, words
from hutch.repos.api.shapes import Shape, flag
from hutch.repos.cards.tasks import TASKS
from hutch.repos.models import RepoType
from hutch.repos.reading import listing

router = Router()
# Filters of the public hub for which nothing is known here: better refused than passed over.
_UNKNOWN_FILTERS = ("apps", "num_parameters", "linked", "benchmark")
_QUICK_LIMIT = 5
_TRENDING_LIMIT = 10


@router.get("/api/models-tags-by-type", summary="The tags of models, by what they speak of")
def model_tags(request: HttpRequest) -> HttpResponse:
    return answer(listing.tags_by_type(actor_of(request), "model"))


@router.get("/api/datasets-tags-by-type", summary="The tags of datasets, by what they speak of")
def dataset_tags(request: HttpRequest) -> HttpResponse:
    return answer(listing.tags_by_type(actor_of(request), "dataset"))


@router.get("/api/quicksearch", summary="The first few repositories of each type whose name has a text")
def quick_search(request: HttpRequest) -> HttpResponse:
    limit = paging.limit_of(request.GET.get("limit"), _QUICK_LIMIT, 50)
    types = words(request, "type") or [type_.value for type_ in RepoType]
    wanted = listing.Wanted(search=[request.GET.get("q", "")], sort="downloads", limit=limit)
    found: dict[str, object] = {"q": request.GET.get("q", "")}
    for type_ in RepoType:
        if type_.value in types:
            rows = listing.find(actor_of(request), type_.value, wanted).rows
            found[f"{type_.value}s"] = [{"_id": f"{row.pk:024x}", "id": row.full_name} for row in rows]
    return answer(found)


@router.get("/api/trending", summary="The repositories that moved last")
def trending(request: HttpRequest) -> HttpResponse:
    limit = paging.limit_of(request.GET.get("limit"), _TRENDING_LIMIT, 20)
    types = (
        [request.GET["type"]]
        if request.GET.get("type") in ("model", "dataset", "space")
        else ["model", "dataset", "space"]
    )
    told: list[Shape] = []
    for type_ in types:
        properties = [*listing.LISTED[type_], "author", "lastModified"]
        found = listing.find(actor_of(request), type_, listing.Wanted(limit=limit), properties)
        told += [{"repoType": type_, "repoData": shape} for shape in listing.shapes(found, properties)]
    told.sort(key=lambda line: line["repoData"]["lastModified"], reverse=True)
    return answer({"recentlyTrending": told[:limit]})


@router.get("/api/tasks", summary="The tasks that models are for")
def tasks(request: HttpRequest) -> HttpResponse:
    shapes = {
        task: {"id": task, "label": task.replace("-", " ").capitalize(), "widgetModels": []}
        for task in sorted(TASKS)
    }
    return answer(shapes)


@router.get("/api/agent-harnesses", summary="Marks by which clients would report a coding agent: none")
def agent_harnesses(request: HttpRequest) -> HttpResponse:
    return answer({"standardEnvVars": [], "harnesses": {}})


@router.api_operation(
    ["HEAD"], "/api/telemetry/{tail:topic}", summary="Clients' telemetry: answered, never kept"
)
def telemetry(request: HttpRequest, topic: str) -> HttpResponse:
    return HttpResponse(status=200)


@router.get("/api/{kinds:kind}", summary="Repositories of a type: filtered, sorted, a page at a time")
def repositories(request: HttpRequest, kind: str) -> HttpResponse:
    asked = request.GET
    for field in _UNKNOWN_FILTERS:
        if asked.get(field):
            raise NotOffered(f"Hutch cannot filter by {field}", field=field, value=asked[field])
    properties = listing.listed_properties(
        kind,
        words(request, "expand"),
        full=switch(request, "full"),
        card=switch(request, "cardData"),
        config=switch(request, "config"),
    )
    # Nothing is served by a provider of inference yet, so nothing is found among what is.
    if asked.get("inference") or asked.get("inference_provider"):
        return answer([])
    found = listing.find(actor_of(request), kind, _wanted(request, kind), properties)
    return page(request, listing.shapes(found, properties), found.cursor)


def _wanted(request: HttpRequest, kind: str) -> listing.Wanted:
    asked = request.GET
    filters = [*words(request, "filter"), *words(request, "tags"), *words(request, "library")]
    filters += [
        f"{field}:{name}"
        for field in ("models", "datasets")
        for name in words(request, field)
        if kind == "space"
    ]
    return listing.Wanted(
        author=asked.get("author", ""),
        search=[*asked.getlist("search"), *asked.getlist("search[]")],
        filters=filters,
        pipeline_tag=asked.get("pipeline_tag", ""),
        sdk=asked.get("sdk", ""),
        gated=flag(asked["gated"], "gated") if "gated" in asked else None,
        sort=asked.get("sort") or "lastModified",
        ascending=asked.get("direction") in ("1", "asc"),
        limit=paging.limit_of(asked.get("limit"), listing.DEFAULT_LIMIT, listing.MOST),
        cursor=asked.get("cursor", ""),
    )
