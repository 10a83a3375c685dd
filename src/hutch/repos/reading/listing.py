"""Lists of repositories: filtered, sorted, a page at a time, and never more than the actor may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Count, Q, QuerySet

from hutch.accounts.permissions import require_sight
from hutch.core import paging
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor
from hutch.repos.api.shapes import Shape
from hutch.repos.cards.tasks import TASKS
from hutch.repos.models import Repo, RepoTag, RepoType
from hutch.repos.reading import info
from hutch.repos.reading.info import Seen
from hutch.repos.visibility import visible_to

DEFAULT_LIMIT = 500
MOST = 1000
# What is trending nobody measures yet: what moves stands first.
SORTS = {
    "lastModified": "updated_at", "last_modified": "updated_at", "trendingScore": "updated_at",
    "trending_score": "updated_at", "trending": "updated_at", "createdAt": "created_at", "created_at": "created_at",
    "downloads": "downloads", "likes": "likes",
}  # fmt: skip
# ISO 639-1; `tf` and the like are no languages.
_LANGUAGES = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su "
    "sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu multilingual".split()
)
_HEAVY = {"cardData": "card", "siblings": "head_files", "config": "config"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list is asked for. Empty fields do not filter."""

    author: str = ""
    search: Sequence[str] = ()
    filters: Sequence[str] = ()
    pipeline_tag: str = ""
    sdk: str = ""
    gated: bool | None = None
    sort: str = "lastModified"
    ascending: bool = False
    limit: int = DEFAULT_LIMIT
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, and the cursor of the next page; None at the end."""

    rows: list[Repo]
    cursor: str | None


def find(actor: Actor, type_: str, wanted: Wanted, properties: Sequence[str] = ()) -> Page:
    """A page of the repositories of a type that `actor` may see. Raises BadRequest (sort, cursor), Unauthorized.

    Only what `properties` need is read from the table beside the small columns.
    """
    require_sight(actor)
    column = SORTS.get(wanted.sort)
    if column is None:
        known = ", ".join(sorted(SORTS))
        raise BadRequest(f"sort must be one of {known}", field="sort", value=wanted.sort, limit=known)
    query = filtered(visible_to(actor).filter(type=type_), wanted)
    if wanted.cursor:
        query = query.filter(_behind(wanted, column))
    sign = "" if wanted.ascending else "-"
    light = {field for name, field in _HEAVY.items() if name not in properties} - _needed(properties)
    query = query.select_related("namespace").prefetch_related("tags").defer(*light)
    rows = list(query.order_by(f"{sign}{column}", f"{sign}id")[: wanted.limit + 1])
    if len(rows) <= wanted.limit:
        return Page(rows, None)
    last = rows[wanted.limit - 1]
    value = getattr(last, column)
    position = value.isoformat() if isinstance(value, datetime) else value
    return Page(rows[: wanted.limit], paging.encode_cursor([column, wanted.ascending, position, last.pk]))


def _needed(properties: Sequence[str]) -> set[str]:
    from_card = {
        "baseModels",
        "datasets",
        "description",
        "model-index",
        "models",
        "paperswithcode_id",
        "widgetData",
    }
    return {"card"} if from_card & set(properties) else set()


def filtered(query: QuerySet[Repo], wanted: Wanted) -> QuerySet[Repo]:
    """Those of the repositories that the fields of `wanted` speak of; order and page are left to the caller."""
    if wanted.author:
        query = query.filter(namespace__lower_name=wanted.author.lower())
    for word in (word for text in wanted.search for word in text.lower().split()):
        query = query.filter(lower_full_name__contains=word)
    for tag in wanted.filters:
        query = query.filter(pk__in=RepoTag.objects.filter(tag=tag).values("repo_id"))
    if wanted.pipeline_tag:
        query = query.filter(pipeline_tag=wanted.pipeline_tag)
    if wanted.sdk:
        query = query.filter(sdk=wanted.sdk)
    if wanted.gated is not None:
        query = query.exclude(gated="") if wanted.gated else query.filter(gated="")
    return query


def _behind(wanted: Wanted, column: str) -> Q:
    position = paging.decode_cursor(wanted.cursor)
    broken = BadRequest("The cursor is not one that this list gave", field="cursor", value=wanted.cursor)
    if len(position) != 4 or position[:2] != [column, wanted.ascending] or not isinstance(position[3], int):
        raise broken
    value: Any = position[2]
    try:
        value = datetime.fromisoformat(str(value)) if column.endswith("_at") else int(str(value))
    except ValueError:
        raise broken from None
    step = "gt" if wanted.ascending else "lt"
    return Q(**{f"{column}__{step}": value}) | Q(**{column: value, f"id__{step}": position[3]})


def shapes(page: Page, properties: Sequence[str]) -> list[Shape]:
    """The JSON of a page; files as far as the row lists them (the first thousand)."""
    return [
        info.shape_of(_Listed(row, row.head_oid or None, None, shows_files=_is_readable(row)), properties)
        for row in page.rows
    ]


# A list tells of files only what everybody who sees the row may know: a protected Space keeps its own to itself.
def _is_readable(row: Repo) -> bool:
    return row.visibility != "protected"


class _Listed(Seen):
    """A row of a list: nothing of it is read from git."""

    @cached_property
    def files(self) -> list[str]:
        """The first thousand."""
        return self.row.head_files if self.shows_files else []


LISTED: dict[str, list[str]] = {
    "model": "createdAt downloads gated library_name likes pipeline_tag private tags".split(),
    "dataset": "author createdAt description disabled downloads gated lastModified likes private sha tags".split(),
    "space": "createdAt likes private sdk tags".split(),
    "kernel": "author createdAt downloads gated lastModified likes private sha tags".split(),
}
_FULL = "author cardData createdAt disabled gated lastModified likes private sha siblings tags".split()
LISTED_FULL: dict[str, list[str]] = {
    "model": [*[name for name in _FULL if name != "cardData"], "downloads", "library_name", "pipeline_tag"],
    "dataset": [*_FULL, "citation", "description", "downloads", "paperswithcode_id"],
    "space": [*_FULL, "datasets", "models", "sdk"],
    "kernel": [*_FULL, "downloads"],
}


def listed_properties(
    type_: str, expand: Sequence[str], *, full: bool, card: bool, config: bool
) -> list[str]:
    """What each row of a list tells. Raises BadRequest for an unknown `expand`."""
    if expand:
        return info.wanted_properties(type_, expand)
    names = LISTED_FULL[type_] if full else LISTED[type_]
    more = [name for name, asked in (("cardData", card), ("config", config)) if asked and name not in names]
    return [*names, *more]


def counts(actor: Actor, namespace_id: int) -> dict[str, int]:
    """How many repositories of each type in a namespace `actor` may see, as overviews tell it."""
    rows = visible_to(actor).filter(namespace_id=namespace_id).values("type").annotate(number=Count("id"))
    found = {row["type"]: row["number"] for row in rows.order_by("type")}
    return {f"num{type_.label}s": found.get(type_.value, 0) for type_ in RepoType}


def tags_by_type(actor: Actor, type_: str) -> dict[str, list[Shape]]:
    """The tags of all repositories of a type that `actor` may see, by what they speak of, most used first."""
    require_sight(actor)
    counted = (
        RepoTag.objects.filter(repo__in=visible_to(actor).filter(type=type_).values("pk"))
        .values("tag")
        .annotate(uses=Count("id"))
        .order_by("-uses", "tag")[:20_000]
    )
    found: dict[str, list[Shape]] = {}
    for row in counted:
        kind, label = _kind_of_tag(type_, row["tag"])
        found.setdefault(kind, []).append({"id": row["tag"], "label": label, "type": kind})
    return found


def _kind_of_tag(type_: str, tag: str) -> tuple[str, str]:
    prefix, colon, rest = tag.partition(":")
    if colon and prefix.replace("_", "").isalpha():
        return prefix, rest
    if type_ == "model" and tag in TASKS:
        return "pipeline_tag", tag
    if type_ == "model" and tag in _LANGUAGES:
        return "language", tag
    return "other", tag
