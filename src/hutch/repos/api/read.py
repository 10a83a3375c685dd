"""JSON routes about what a revision holds: tree, paths, commits, refs, differences."""

from __future__ import annotations

import html
import json
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Router

from hutch.core import clock, paging
from hutch.core.errors import BadRequest
from hutch.git.history import Commit
from hutch.repos.api.query import actor_of, answer, base_url, page, switch, words
from hutch.repos.api.shapes import Shape, flag, readable
from hutch.repos.reading import comparing
from hutch.repos.reading import contents as reading
from hutch.repos.reading.contents import MOST_PATHS, Author, RefLine
from hutch.repos.wires import content_types

router = Router()
_MOST_COMMITS = 100
_BROKEN_BODY = "The body must be a form or JSON with `paths`, a list of texts, and perhaps `expand`"


@router.get("/api/{kinds:kind}/{repoid:repo_id}/tree/{rev:revision}", summary="The root folder of a revision")
def root_tree(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    return tree(request, kind, repo_id, revision, "")


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/tree/{rev:revision}/{tail:path}", summary="A folder of a revision"
)
def tree(request: HttpRequest, kind: str, repo_id: str, revision: str, path: str) -> HttpResponse:
    expand = switch(request, "expand")
    most = reading.TREE_LIMIT_EXPANDED if expand else reading.TREE_LIMIT
    found = reading.tree_page(
        reading.at(actor_of(request), kind, repo_id, revision),
        path,
        recursive=switch(request, "recursive"),
        expand=expand,
        limit=paging.limit_of(request.GET.get("limit"), most, most),
        cursor=request.GET.get("cursor", ""),
    )
    return page(request, found.lines, found.cursor)


@router.post(
    "/api/{kinds:kind}/{repoid:repo_id}/paths-info/{rev:revision}", summary="Files and folders by path"
)
def paths_info(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    paths, expand = _asked_paths(request)
    here = reading.at(actor_of(request), kind, repo_id, revision)
    return answer(reading.paths_info(here, paths, expand=expand))


# Clients send a form; the public hub's documentation speaks of JSON.
def _asked_paths(request: HttpRequest) -> tuple[list[str], bool]:
    try:
        if "json" in request.META.get("CONTENT_TYPE", ""):
            body = json.loads(request.body)
            paths, expand = body["paths"], body.get("expand", False)
        else:
            form = parse_qs(request.body.decode(), keep_blank_values=True, max_num_fields=MOST_PATHS + 10)
            paths, expand = form.get("paths", []), form.get("expand", ["false"])[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise BadRequest(_BROKEN_BODY, field="paths", limit=MOST_PATHS) from None
    if isinstance(paths, str):
        paths = [paths]
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise BadRequest(_BROKEN_BODY, field="paths", limit=MOST_PATHS)
    return paths, expand if isinstance(expand, bool) else flag(str(expand), "expand")


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/treesize/{rev:revision}", summary="Bytes of all files of a revision"
)
def root_size(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    return tree_size(request, kind, repo_id, revision, "")


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/treesize/{rev:revision}/{tail:path}",
    summary="Bytes of a folder's files",
)
def tree_size(request: HttpRequest, kind: str, repo_id: str, revision: str, path: str) -> HttpResponse:
    here = reading.at(actor_of(request), kind, repo_id, revision)
    return answer({"path": path.strip("/"), "size": reading.folder_size(here, path)})


@router.get("/api/{kinds:kind}/{repoid:repo_id}/commits/{rev:revision}", summary="The commits of a revision")
def commits(request: HttpRequest, kind: str, repo_id: str, revision: str) -> HttpResponse:
    expand = words(request, "expand")
    if set(expand) - {"formatted"}:
        raise BadRequest("commits know expand=formatted only", field="expand", value=expand[0])
    found, cursor = reading.commits_page(
        reading.at(actor_of(request), kind, repo_id, revision),
        request.GET.get("path", ""),
        limit=paging.limit_of(request.GET.get("limit"), reading.COMMITS_LIMIT, _MOST_COMMITS),
        cursor=request.GET.get("cursor", ""),
    )
    authors = reading.authors_of(found)
    shapes = [
        _commit_shape(request, commit, authors[commit.id], formatted="formatted" in expand)
        for commit in found
    ]
    return page(request, shapes, cursor)


def _commit_shape(request: HttpRequest, commit: Commit, author: Author, *, formatted: bool) -> Shape:
    person: Shape = {"user": author.username or author.name}
    if author.username:
        person["avatar"] = f"{base_url(request)}/avatars/{author.username}"
    shape: Shape = {
        "id": commit.id,
        "title": commit.title,
        "message": commit.message,
        "authors": [person],
        "date": clock.iso(commit.date),
    }
    if formatted:
        shape["formatted"] = {"title": html.escape(commit.title), "message": _as_html(commit.message)}
    return shape


def _as_html(text: str) -> str:
    return html.escape(text).replace("\n", "<br>\n")


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/refs", summary="Branches, tags, converted data and pull requests"
)
def refs(request: HttpRequest, kind: str, repo_id: str) -> HttpResponse:
    found = reading.refs_of(actor_of(request), kind, repo_id)
    if not switch(request, "include_prs"):
        found.pop("pullRequests")
    return answer({name: [_ref_shape(line) for line in lines] for name, lines in found.items()})


def _ref_shape(line: RefLine) -> dict[str, Any]:
    return {"name": readable(line.name), "ref": readable(line.ref), "targetCommit": line.commit}


@router.get(
    "/api/{kinds:kind}/{repoid:repo_id}/compare/{tail:spec}",
    summary="What one revision has that another lacks",
)
def compare(request: HttpRequest, kind: str, repo_id: str, spec: str) -> HttpResponse | StreamingHttpResponse:
    compared = comparing.compare(actor_of(request), kind, repo_id, spec)
    if not switch(request, "raw"):
        return answer(comparing.compared_shape(compared, comparing.changes(compared)))
    text = content_types.ContentType(content_types.TEXT, is_shown=True)
    headers = dict(content_types.safety_headers(text, "changes.diff", as_download=False))
    return StreamingHttpResponse(comparing.raw(compared), content_type=text.media_type, headers=headers)
