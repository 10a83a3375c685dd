"""The pages of a bucket: its folders. Making, naming and settings are those of every repository."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_safe

from hutch.buckets import listing
from hutch.buckets.models import BucketFile
from hutch.cas import usage
from hutch.core.errors import EntryNotFound
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import links
from hutch.repos.pages import settings as repo_settings
from hutch.repos.pages.shell import actor_of, base_url, of_repo, repo_page

PAGE = 100
View = Callable[..., HttpResponseBase]


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a folder. `url` is the folder's page, or the file itself."""

    entry: listing.Entry
    name: str
    url: str

    @property
    def is_file(self) -> bool:
        """Else it is a folder."""
        return isinstance(self.entry, BucketFile)


@require_safe
def folder(request: HttpRequest, namespace: str, name: str, path: str = "") -> HttpResponseBase:
    """A folder of a bucket, the root by default."""
    view: View = of_repo()(_folder)
    return view(request, type_="bucket", name=f"{namespace}/{name}", path=path)


def settings(request: HttpRequest, namespace: str, name: str) -> HttpResponseBase:
    """Who may see it, roles, its name, its end."""
    return repo_settings.of_repository(request, type_="bucket", name=f"{namespace}/{name}")


def _folder(request: HttpRequest, repo: RepoRow, path: str) -> HttpResponseBase:
    path = path.strip("/")
    here = listing.folder_at(repo, path) if path else None
    if path and here is None:
        return _of_file(repo, path)
    cursor = request.GET.get("cursor", "")
    page = listing.tree(repo, f"{path}/" if path else "", recursive=False, limit=PAGE, cursor=cursor)
    info = listing.info(actor_of(request), repo)
    context: dict[str, Any] = {
        "path": path, "here": here, "info": info, "crumbs": _crumbs(repo, path),
        "measured": None if path else usage.of(repo.id),
        "lines": [_line(repo, entry) for entry in page.entries], "base_url": base_url(request),
        "above": _url(repo, "tree", path.rpartition("/")[0]), "cursor": cursor, "next_cursor": page.cursor,
    }  # fmt: skip
    return repo_page(request, repo, "buckets/folder", "files", **context)


# The address of a folder that turns out to be a file leads to the file, as it does in repositories.
def _of_file(repo: RepoRow, path: str) -> HttpResponseBase:
    for file in listing.files_at(repo, [path]):
        return HttpResponseRedirect(_url(repo, "resolve", file.path))
    raise EntryNotFound(f"Entry not found: {path[:200]!r}", field="path", value=path)


def _line(repo: RepoRow, entry: listing.Entry) -> Line:
    verb = "resolve" if isinstance(entry, BucketFile) else "tree"
    return Line(entry, entry.path.rpartition("/")[2], _url(repo, verb, entry.path))


def _url(repo: RepoRow, verb: str, path: str) -> str:
    return f"{links.page(repo, verb)}/{quote(path)}" if path else links.page(repo)


def _crumbs(repo: RepoRow, path: str) -> list[tuple[str, str]]:
    parts = path.split("/") if path else []
    return [(name, _url(repo, "tree", "/".join(parts[: number + 1]))) for number, name in enumerate(parts)]
