"""What the pages of a repository share: finding it for the visitor, its head with the tabs, where old names lead."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render

from hutch.accounts import lookup
from hutch.core.errors import Unauthorized
from hutch.core.permissions import Actor, allows
from hutch.repos.cards.tags import texts
from hutch.repos.changes import pull_lists
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import Repo
from hutch.repos.pages import links

_SHOWN_TAGS = 14
_PLAIN_PREFIXES = frozenset({"language", "size_categories", "format", "modality", "library"})
# the page's side column, or the first badges, tell these
_TOLD_ELSEWHERE = ("license:", "base_model:", "dataset:", "datasets:", "models:", "region:")


def actor_of(request: HttpRequest) -> Actor:
    """Whoever makes the request."""
    return request.actor  # type: ignore[attr-defined]


def base_url(request: HttpRequest) -> str:
    """The address under which the hub was called."""
    return str(request.META["hutch.scope"]["origin"].base_url)


def of_repo(
    action: str = "repo.read",
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A page of a repository: the view gets its row in place of type and name; an old name leads to the new one."""

    def wrap(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def found(request: HttpRequest, type_: str, name: str, **parts: Any) -> HttpResponseBase:
            repo = find_repo(actor_of(request), type_, name, "repo.view")
            moved = _elsewhere(request, repo, type_, name)
            if moved and request.method in ("GET", "HEAD"):
                return HttpResponseRedirect(moved)
            if action != "repo.view":
                find_repo(actor_of(request), type_, name, action)
            return view(request, repo, **parts)

        return found

    return wrap


def signed_in_for(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Sends nobody to sign in and back, where a page changes something."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **parts: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **parts)
        except Unauthorized:
            if not actor_of(request).is_nobody:
                raise
            return to_sign_in(request)

    return guarded


def to_sign_in(request: HttpRequest) -> HttpResponseRedirect:
    """Where nobody signs in, to come back here."""
    return HttpResponseRedirect("/login?" + urlencode({"next": request.get_full_path()}))


def _elsewhere(request: HttpRequest, repo: RepoRow, type_: str, name: str) -> str:
    raw = request.META["hutch.scope"]["routing_path"]
    if repo.full_name == name and not raw.startswith("/models/"):
        return ""
    named = name.count("/") + 1 + (1 if type_ != "model" or raw.startswith("/models/") else 0)
    rest = raw.split("/")[1 + named :]
    query = request.META.get("QUERY_STRING", "")
    return "/".join([links.page(repo), *rest]) + (f"?{query}" if query else "")


def full_row(repo: RepoRow) -> Repo:
    """The whole row of a repository that was found for the visitor."""
    return Repo.objects.select_related("namespace").prefetch_related("tags").get(pk=repo.id)


def repo_page(
    request: HttpRequest, repo: RepoRow, name: str, tab: str, *, status: int = 200, **context: Any
) -> HttpResponse:
    """A page under the repository's head: this room's, or another's as `room/name`; `tab` is the one that is marked."""
    context = {**head_of(request, repo), "tab": tab, "nav": f"{repo.type}s", **context}
    template = name if "/" in name else f"repos/{name}"
    return render(request, f"{template}.html", context, status=status)


def head_of(request: HttpRequest, repo: RepoRow) -> dict[str, Any]:
    """What the head of a repository's pages shows."""
    actor, row = actor_of(request), full_row(repo)
    owner = (
        lookup.namespaces_by_ids([repo.namespace_id]).get(repo.namespace_id) if repo.namespace_id else None
    )
    tags = _tags(row)
    return {
        "repo": repo, "row": row, "owner": owner, "shown_tags": tags[:_SHOWN_TAGS], "more_tags": tags[_SHOWN_TAGS:],
        "may_read": allows(actor, "repo.read", repo), "may_write": allows(actor, "repo.write", repo),
        "may_admin": allows(actor, "repo.admin", repo), "pull_counts": pull_lists.counts(repo),
    }  # fmt: skip


def _tags(row: Repo) -> list[dict[str, str]]:
    """Tags as links to the lists that they filter: task, library, licence first, then as they were found."""
    found: list[dict[str, str]] = []
    if row.pipeline_tag:
        found.append({"label": row.pipeline_tag.replace("-", " ").capitalize(), "key": "pipeline_tag",
                      "value": row.pipeline_tag, "icon": "task"})  # fmt: skip
    for name in texts(row.card.get("license")):
        found.append({"label": name, "key": "filter", "value": f"license:{name}", "icon": "scale"})
    for tag in sorted(row.tags.all(), key=lambda tag: tag.pk):
        if tag.tag != row.pipeline_tag and not tag.tag.startswith(_TOLD_ELSEWHERE):
            found.append({"label": _label(tag.tag), "key": "filter", "value": tag.tag, "icon": ""})
    return found


def _label(tag: str) -> str:
    prefix, colon, rest = tag.partition(":")
    if prefix == "task_categories":
        return rest.replace("-", " ").capitalize()
    return rest if colon and prefix in _PLAIN_PREFIXES and rest else tag
