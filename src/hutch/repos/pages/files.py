"""The pages of folders and files at a revision."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_safe

from hutch.cas.xet.links import files_behind
from hutch.core.errors import EntryNotFound, HutchError, RevisionNotFound
from hutch.git import trees
from hutch.git.history import read_commit
from hutch.git.last_commits import last_commits
from hutch.git.objects import SUBMODULE_MODE
from hutch.git.trees import Entry
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import blame as blame_pages
from hutch.repos.pages import browsing, highlighting, links
from hutch.repos.pages.card import readme, rendered
from hutch.repos.pages.shell import actor_of, base_url, of_repo, repo_page
from hutch.repos.reading import contents as reading
from hutch.repos.reading.contents import At


@require_safe
@of_repo()
def tree(request: HttpRequest, repo: RepoRow, revision: str, path: str = "") -> HttpResponseBase:
    """A folder: its entries with the commits that last changed them, and its README."""
    path = path.strip("/")
    try:
        here = at(request, repo, revision)
    except RevisionNotFound:
        if revision == repo.default_branch and not path:
            return repo_page(request, repo, "empty", "files", revision=revision)
        raise
    entry = trees.entry_at(here.git, here.commit, path)
    if entry.kind != "folder":
        return HttpResponseRedirect(links.page(repo, "blob", revision, path))
    page = browsing.folder_page(here, entry, _number(request))
    if page.number > 1 and not page.lines:
        raise EntryNotFound("This folder has no such page", field="page", value=page.number)
    shown = readme(here, path, base_url(request)) if page.number == 1 else None
    return repo_page(
        request, repo, "tree", "files", **revision_context(request, here, revision, path, "tree"), page=page, shown=shown,  # noqa: E501
        latest=_latest(here, path), chunked=_chunked(repo, [line.entry for line in page.lines]),
    )  # fmt: skip


@require_safe
@of_repo()
def blob(request: HttpRequest, repo: RepoRow, revision: str, path: str) -> HttpResponseBase:
    """A file: its text in colour, its picture or sound, or what is known of its bytes."""
    here = at(request, repo, revision)
    entry = trees.entry_at(here.git, here.commit, path)
    if entry.kind == "folder":
        return HttpResponseRedirect(links.page(repo, "tree", revision, path))
    content = browsing.content_of(here, entry)
    context = {
        **revision_context(request, here, revision, path, "blob"), "entry": entry, "content": content,
        "latest": _latest(here, path), "is_submodule": entry.mode == SUBMODULE_MODE,
        "chunked": _chunked(repo, [entry]), **_shown(request, here, entry, content),
    }  # fmt: skip
    return repo_page(request, repo, "blob", "files", **context)


def _chunked(repo: RepoRow, entries: list[Entry]) -> list[str]:
    """The objects among those entries that clients may fetch by their chunks."""
    oids = [entry.pointer.oid for entry in entries if entry.pointer is not None]
    return list(files_behind(repo.id, oids)) if oids else []


def _shown(request: HttpRequest, here: At, entry: Entry, content: browsing.Content) -> dict[str, Any]:
    if content.kind == "markdown" and "plain" not in request.GET:
        return {"card": rendered(here, entry.path, entry.oid, content.text, base_url(request))}
    if content.kind in ("text", "markdown"):
        language = highlighting.language_of(entry.path)
        lines = highlighting.lines_of_blob(entry.oid, content.text, language)
        return {
            "lines": lines[: browsing.MAX_LINES],
            "total_lines": len(lines),
            "plain": content.kind == "markdown",
        }
    return {"tensors": browsing.tensors_of(here, entry)}


@require_safe
@of_repo()
def blame(request: HttpRequest, repo: RepoRow, revision: str, path: str) -> HttpResponseBase:
    """A file's lines beside the commits that wrote them."""
    here = at(request, repo, revision)
    context = revision_context(request, here, revision, path, "blame")
    try:
        parts = blame_pages.parts(here, path)
    except HutchError as error:
        if isinstance(error, EntryNotFound):
            raise
        return repo_page(request, repo, "blame", "files", **context, problem=error.message)
    return repo_page(request, repo, "blame", "files", **context, parts=parts)


def at(request: HttpRequest, repo: RepoRow, revision: str) -> At:
    """The repository at a revision, for the visitor."""
    return reading.at(actor_of(request), repo.type, repo.full_name, revision)


def revision_context(request: HttpRequest, here: At, revision: str, path: str, verb: str) -> dict[str, Any]:
    """What the pages of a revision share: the refs to switch to, the way down to the path."""
    refs = reading.refs_of(actor_of(request), here.row.type, here.row.full_name)
    names = [line.name for line in refs["branches"]]
    return {
        "here": here, "revision": revision, "path": path, "verb": verb, "refs": refs, "crumbs": browsing.crumbs(path),
        "is_branch": revision in names or revision.startswith("refs/pr/"), "folder": path.rpartition("/")[0],
        "many_refs": len(names) + len(refs["tags"]) > 8,
    }  # fmt: skip


def _latest(here: At, path: str) -> dict[str, Any] | None:
    commit = (
        last_commits(here.git, here.commit, [path]).get(path) if path else read_commit(here.git, here.commit)
    )
    return {"commit": commit, "author": reading.authors_of([commit])[commit.id]} if commit else None


def _number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 and int(text) else 1
