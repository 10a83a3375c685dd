"""The pages of history: commits, one commit, two revisions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_safe

from hutch.core.errors import EntryNotFound, NotFound
from hutch.core.permissions import allows
from hutch.git.history import Commit
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import diffs as diff_pages
from hutch.repos.pages import links
from hutch.repos.pages.files import at, revision_context
from hutch.repos.pages.shell import actor_of, of_repo, repo_page
from hutch.repos.reading import comparing
from hutch.repos.reading import contents as reading

COMMITS_PAGE = 40


@require_safe
@of_repo()
def commits(request: HttpRequest, repo: RepoRow, revision: str, path: str = "") -> HttpResponseBase:
    """The commits that a revision reaches, or those that changed a path, by day."""
    path = path.strip("/")
    here = at(request, repo, revision)
    rows, following = reading.commits_page(
        here, path, limit=COMMITS_PAGE, cursor=request.GET.get("cursor", "")
    )
    if path and not rows:
        raise EntryNotFound(f"No commit of {revision} has {path!r}", field="path", value=path)
    context = revision_context(request, here, revision, path, "commits")
    return repo_page(request, repo, "commits", "files", **context, days=by_day(rows), following=following)


def by_day(rows: Sequence[Commit]) -> list[dict[str, Any]]:
    """Commits with their authors, grouped by day."""
    authors = reading.authors_of(rows)
    return [
        {"day": day, "lines": [{"commit": commit, "author": authors[commit.id]} for commit in of_day]}
        for day, of_day in groupby(rows, key=lambda commit: commit.date.date())
    ]


@require_safe
@of_repo()
def commit(request: HttpRequest, repo: RepoRow, revision: str) -> HttpResponseBase:
    """One commit and what it changed."""
    here = at(request, repo, revision)
    if revision != here.commit:
        return HttpResponseRedirect(links.page(repo, "commit", here.commit))
    found, diff = comparing.commit_with_diff(here)
    parent = found.parents[0] if found.parents else None
    return repo_page(
        request, repo, "commit", "files", commit=found, author=reading.authors_of([found])[found.id],
        diff=diff_pages.shown(repo, diff, parent, found.id),
    )  # fmt: skip


@require_safe
@of_repo()
def compare(request: HttpRequest, repo: RepoRow, spec: str = "") -> HttpResponseBase:
    """Two revisions: the commits and changes of one since it left the other."""
    asked = request.GET
    if "base" in asked and "head" in asked:
        return HttpResponseRedirect(links.page(repo, "compare", f"{asked['base']}...{asked['head']}"))
    actor = actor_of(request)
    refs = reading.refs_of(actor, repo.type, repo.full_name)
    base, _, head = spec.partition("...") if "..." in spec else spec.partition("..")
    context: dict[str, Any] = {"refs": refs, "base": base or repo.default_branch, "head": head, "spec": spec}
    if spec:
        try:
            compared = comparing.compare(actor, repo.type, repo.full_name, spec)
        except NotFound as error:
            return repo_page(request, repo, "compare", "files", status=404, **context, problem=error.message)
        diff = comparing.changes(compared)
        context |= {
            "compared": compared, "days": by_day(compared.commits),
            "diff": diff_pages.shown(repo, diff, compared.old, compared.head),
            "may_open": _is_proposal(refs, base, head, spec) and allows(actor, "repo.discuss", repo),
        }  # fmt: skip
    return repo_page(request, repo, "compare", "files", **context)


def _is_proposal(refs: dict[str, list[reading.RefLine]], base: str, head: str, spec: str) -> bool:
    branches = {line.name for line in refs["branches"]}
    return "..." in spec and base in branches and head in branches and base != head
