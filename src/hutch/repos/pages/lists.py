"""Lists of repositories, and the search over all kinds of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hutch.accounts import lookup
from hutch.accounts.lookup import NamespaceCard
from hutch.accounts.permissions import require_sight
from hutch.core.permissions import Actor
from hutch.repos.cards import facets
from hutch.repos.cards.facets import Group
from hutch.repos.models import Repo, RepoType
from hutch.repos.pages.shell import actor_of
from hutch.repos.reading import listing
from hutch.repos.reading.listing import Wanted
from hutch.repos.visibility import visible_to

PAGE = 30
_FOUND_OF_A_KIND = 8
_SHOWN_CHOICES = 7
_SORTS = {
    "lastModified": "Recently updated", "createdAt": "Newest", "downloads": "Most downloads", "likes": "Most likes",
}  # fmt: skip


@require_safe
def repos(request: HttpRequest, type_: str) -> HttpResponseBase:
    """The repositories of a type, narrowed and sorted, a page at a time."""
    actor = actor_of(request)
    require_sight(actor)
    wanted = _wanted(request.GET)
    page = listing.find(actor, type_, wanted)
    context = {
        "type_": type_, "nav": f"{type_}s", "wanted": wanted, "rows": page.rows, "cursor": page.cursor,
        "total": listing.filtered(visible_to(actor).filter(type=type_), wanted).count(),
        "groups": _groups(request.GET, facets.groups(actor, type_, wanted)), "chosen": _chosen(request.GET),
        "sorts": [_Sort(name, label, _with(request.GET, sort=name), name == wanted.sort) for name, label in _SORTS.items()],  # noqa: E501
        "sort_label": _SORTS.get(wanted.sort, wanted.sort), "search_text": "", "kept": _kept(request.GET),
        "next_page": _with(request.GET, cursor=page.cursor) if page.cursor else "",
    }  # fmt: skip
    return render(request, "repos/list.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponseBase:
    """All kinds of repositories, and the account, whose names have these words."""
    actor = actor_of(request)
    require_sight(actor)
    text = request.GET.get("q", "").strip()[:200]
    found = []
    if text:
        for type_ in RepoType.values:
            wanted = Wanted(search=[text], sort="downloads", limit=_FOUND_OF_A_KIND)
            page = listing.find(actor, type_, wanted)
            if page.rows:
                found.append({"type": type_, "rows": page.rows, "has_more": page.cursor is not None})
    context = {
        "search_text": text,
        "found": found,
        "account": lookup.namespace_by_name(text) if text else None,
    }
    return render(request, "repos/search.html", context)


@dataclass(frozen=True, slots=True)
class _Sort:
    name: str
    label: str
    query: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class _Line:
    """A value to narrow by, with the query that turns it on or off."""

    label: str
    count: int
    query: str
    is_on: bool


def _wanted(query: QueryDict) -> Wanted:
    return Wanted(
        author=query.get("author", ""), search=query.getlist("search"), filters=[f for f in query.getlist("filter") if f],  # noqa: E501
        pipeline_tag=query.get("pipeline_tag", ""), sdk=query.get("sdk", ""), sort=query.get("sort", "lastModified"),
        cursor=query.get("cursor", ""), limit=PAGE,
    )  # fmt: skip


def _groups(query: QueryDict, groups: list[Group]) -> list[dict[str, Any]]:
    shown = []
    for group in groups:
        lines = [
            _Line(c.label, c.count, _toggled(query, c.key, c.value), c.value in query.getlist(c.key))
            for c in group.choices
        ]
        shown.append({"title": group.title, "first": lines[:_SHOWN_CHOICES], "rest": lines[_SHOWN_CHOICES:]})
    return shown


def _chosen(query: QueryDict) -> list[_Line]:
    keys = ("pipeline_tag", "sdk", "filter", "author", "search")
    named = [(key, value) for key in keys for value in query.getlist(key) if value]
    return [
        _Line(value.removeprefix("license:"), 0, _toggled(query, key, value), True) for key, value in named
    ]


def _toggled(query: QueryDict, key: str, value: str) -> str:
    changed = query.copy()
    changed.pop("cursor", None)
    present = changed.getlist(key)
    if value in present:
        changed.setlist(key, [each for each in present if each != value])
    elif key == "filter":
        changed.appendlist(key, value)
    else:
        changed[key] = value
    return f"?{changed.urlencode()}"


def _with(query: QueryDict, **values: str) -> str:
    changed = query.copy()
    changed.pop("cursor", None)
    for key, value in values.items():
        changed[key] = value
    return f"?{changed.urlencode()}"


def _kept(query: QueryDict) -> list[tuple[str, str]]:
    """What the search form sends along."""
    return [
        (key, value) for key, values in query.lists() if key not in ("search", "cursor") for value in values
    ]


def newest(actor: Actor, type_: str, count: int, author: str = "") -> list[Repo]:
    """The repositories of a type, perhaps of one owner, that were updated last."""
    return listing.find(actor, type_, Wanted(author=author, limit=count)).rows


def by_kind(actor: Actor, owner: NamespaceCard, count: int) -> list[dict[str, Any]]:
    """The repositories of an owner by kind, those without any left out."""
    shown = []
    for type_ in RepoType.values:
        page = listing.find(actor, type_, Wanted(author=owner.name, limit=count))
        if page.rows:
            total = visible_to(actor).filter(type=type_, namespace_id=owner.namespace_id).count()
            shown.append(
                {"type": type_, "rows": page.rows, "total": total, "has_more": page.cursor is not None}
            )
    return shown
