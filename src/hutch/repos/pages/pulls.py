"""The pages of pull requests: which there are, one with its discussion and changes, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.permissions import allows
from hutch.git import refs as git_refs
from hutch.repos.changes import pull_lists, pulls
from hutch.repos.errors import MergeConflict
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, PullEvent
from hutch.repos.pages import diffs as diff_pages
from hutch.repos.pages import forms, links, markdown
from hutch.repos.pages.history import by_day
from hutch.repos.pages.links import TextLinks
from hutch.repos.pages.shell import actor_of, base_url, of_repo, repo_page, signed_in_for
from hutch.repos.reading import comparing
from hutch.repos.reading import contents as reading


@require_safe
@of_repo()
def discussions(request: HttpRequest, repo: RepoRow) -> HttpResponseBase:
    """The pull requests of a repository, open or closed."""
    is_open = request.GET.get("status") != "closed"
    before = request.GET.get("before", "")
    rows, following = pull_lists.page(
        repo,
        is_open=is_open,
        before=int(before) if before.isascii() and before.isdigit() and len(before) < 10 else None,
    )
    return repo_page(request, repo, "pulls", "pulls", rows=rows, following=following, is_open=is_open)


@require_POST
@signed_in_for
@of_repo()
def open_pull(request: HttpRequest, repo: RepoRow) -> HttpResponseBase:
    """Opens a pull request of one branch on another."""
    actor = actor_of(request)
    base, head = request.POST.get("base", ""), request.POST.get("head", "")
    there = reading.at(actor, repo.type, repo.full_name, head)
    title = request.POST.get("title", "").strip() or f"Merge {head} into {base}"
    try:
        number = pulls.open_pull(
            actor, repo, base_ref=git_refs.HEADS + base, head=there.commit, title=title,
            description=request.POST.get("description", ""),
        )  # fmt: skip
    except (BadRequest, Conflict) as error:
        messages.error(request, error.message)
        return HttpResponseRedirect(links.page(repo, "compare", f"{base}...{head}"))
    return HttpResponseRedirect(links.page(repo, "discussions", str(number)))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_for
@of_repo()
def discussion(request: HttpRequest, repo: RepoRow, number: int) -> HttpResponseBase:
    """A pull request; by POST what its buttons do."""
    pull = pulls.find_pull(repo, number)
    if request.method == "POST":
        _act(request, repo, number)
        return HttpResponseRedirect(links.page(repo, "discussions", str(number)))
    actor = actor_of(request)
    context: dict[str, Any] = {
        "pull": pull, "events": _events(request, repo, pull), "form": forms.Comment(),
        "may_speak": allows(actor, "repo.discuss", repo) and not actor.is_nobody,
        "may_change": allows(actor, "repo.write", repo) or (pull.author_id == actor.user_id and not actor.is_nobody),
        "is_open": pull.status in (Pull.Status.OPEN, Pull.Status.DRAFT), "revision": pulls.ref_of(number),
    }  # fmt: skip
    return repo_page(request, repo, "pull", "pulls", **context, **_changes(request, repo, pull))


def _act(request: HttpRequest, repo: RepoRow, number: int) -> None:
    actor, text = actor_of(request), request.POST.get("text", "")
    verbs: dict[str, Callable[[], Any]] = {
        "comment": lambda: pulls.comment(actor, repo, number, text),
        "close": lambda: pulls.set_status(actor, repo, number, "closed", text),
        "open": lambda: pulls.set_status(actor, repo, number, "open", text),
        "merge": lambda: pulls.merge(actor, repo, number, text),
        "title": lambda: pulls.set_title(actor, repo, number, request.POST.get("title", "")),
    }
    try:
        verbs.get(request.POST.get("do", ""), verbs["comment"])()
    except MergeConflict as error:
        messages.error(
            request, f"Both sides changed {', '.join(error.paths[:5])}: merge the branch by git, and push."
        )
    except (BadRequest, Conflict, Forbidden) as error:
        messages.error(request, error.message)


def _events(request: HttpRequest, repo: RepoRow, pull: Pull) -> list[dict[str, Any]]:
    text_links = TextLinks(repo, pulls.ref_of(pull.number), "", base_url(request))
    shown = []
    for event in pull_lists.events(pull):
        raw = str(event.data.get("latest", {}).get("raw", "")) if event.kind == PullEvent.Kind.COMMENT else ""
        html = markdown.render(raw, text_links).html if raw.strip() else ""
        shown.append({"event": event, "html": html})
    return shown


def _changes(request: HttpRequest, repo: RepoRow, pull: Pull) -> dict[str, Any]:
    base = (
        pull.merged_onto_oid
        if pull.status == Pull.Status.MERGED and pull.merged_onto_oid
        else pull.base_branch
    )
    try:
        compared = comparing.compare(
            actor_of(request), repo.type, repo.full_name, f"{base}...{pulls.ref_of(pull.number)}"
        )
    except NotFound as error:
        return {"problem": error.message}
    diff = diff_pages.shown(repo, comparing.changes(compared), compared.old, compared.head)
    return {"days": by_day(compared.commits), "diff": diff, "compared": compared}
