"""The pages that write, change and delete a small text file."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from hutch.core.errors import (
    BadRequest,
    Conflict,
    EntryNotFound,
    Forbidden,
    HutchError,
    PayloadTooLarge,
    RevisionNotFound,
    StaleParent,
)
from hutch.core.permissions import require
from hutch.git import trees
from hutch.git.paths import check_path
from hutch.repos.changes.commits import Made
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import browsing, editing, forms, links
from hutch.repos.pages.card import rendered
from hutch.repos.pages.editing import Said
from hutch.repos.pages.files import at, revision_context
from hutch.repos.pages.shell import actor_of, base_url, of_repo, repo_page, signed_in_for
from hutch.repos.reading.contents import At

_FIELDS = {"parentCommit": "parent"}
_form = require_http_methods(["GET", "HEAD", "POST"])


@_form
@signed_in_for
@of_repo()
def new(request: HttpRequest, repo: RepoRow, revision: str, folder: str = "") -> HttpResponseBase:
    """A form for a file that is not there yet."""
    here = _open(request, repo, revision)
    name = request.GET.get("path", "")
    if folder.strip("/"):
        check_path(folder.strip("/"))
    start = f"{folder.strip('/')}/{name}" if folder.strip("/") else name
    return _edit(request, here, revision, "", start, "")


@_form
@signed_in_for
@of_repo()
def edit(request: HttpRequest, repo: RepoRow, revision: str, path: str) -> HttpResponseBase:
    """A form for a text file that is there."""
    here = _open(request, repo, revision)
    try:
        entry = trees.entry_at(here.git, here.commit, path)
    except EntryNotFound:  # the link for a card that is missing
        return HttpResponseRedirect(
            f"{links.page(repo, 'new', revision)}?{urlencode({'path': check_path(path)})}"
        )
    content = browsing.content_of(here, entry)
    if not content.is_editable or entry.pointer is not None:
        raise BadRequest(
            f"{path!r} is no text that a page can edit: change it by git or by the client",
            field="path",
            value=path,
        )
    return _edit(request, here, revision, path, path, content.text)


def _edit(
    request: HttpRequest, here: At, revision: str, was: str, start: str, original: str
) -> HttpResponseBase:
    may_commit = editing.may_commit(actor_of(request), here.row, revision)
    initial = {"path": start, "content": original, "parent": here.commit}
    form = forms.Edit(_branch(revision), request.POST or None, may_commit=may_commit, initial=initial)
    stale = ""
    if request.method == "POST" and form.is_valid():
        path = form.cleaned_data["path"].strip()
        text = editing.as_typed(form.cleaned_data["content"], original)
        said = _said(request, form, may_commit, f"{'Update' if was else 'Create'} {path}")
        made = _tried(
            form, lambda: editing.save_text(actor_of(request), here.row, revision, path, text, said, was=was)
        )
        if isinstance(made, Made):
            return _after(request, here.row, revision, made, path)
        stale = made
    context = revision_context(request, here, revision, start, "edit")
    return repo_page(
        request, here.row, "edit", "files", status=409 if stale else 400 if form.errors else 200, **context,
        form=form, was=was, stale=stale, may_commit=may_commit, seen=form["parent"].value(),
    )  # fmt: skip


@_form
@signed_in_for
@of_repo()
def delete(request: HttpRequest, repo: RepoRow, revision: str, path: str) -> HttpResponseBase:
    """Asks whether a file or folder shall go, and lets it go."""
    here = _open(request, repo, revision)
    entry = trees.entry_at(here.git, here.commit, path.rstrip("/"))
    may_commit = editing.may_commit(actor_of(request), repo, revision)
    form = forms.Message(_branch(revision), request.POST or None, may_commit=may_commit)
    if request.method == "POST" and form.is_valid():
        said = _said(request, form, may_commit, f"Delete {entry.path}")
        is_folder = entry.kind == "folder"
        made = _tried(
            form,
            lambda: editing.delete(actor_of(request), repo, revision, entry.path, said, is_folder=is_folder),
        )
        if isinstance(made, Made):
            return _after(request, repo, revision, made, "")
        if made:
            form.add_error(None, "The branch has moved on meanwhile: look at it again before you delete.")
    context = revision_context(request, here, revision, entry.path, "delete")
    return repo_page(
        request,
        repo,
        "delete_file",
        "files",
        status=400 if form.errors else 200,
        **context,
        form=form,
        entry=entry,
    )


@require_POST
@signed_in_for
@of_repo()
def preview(request: HttpRequest, repo: RepoRow, revision: str) -> HttpResponse:
    """The Markdown that is being written, as it would be shown."""
    here = at(request, repo, revision)
    text = editing.as_typed(request.POST.get("content", ""))
    card = rendered(
        here,
        request.POST.get("path", "") or "README.md",
        f"preview {hash(text)}",
        text,
        base_url(request),
        revision,
    )
    name = "_preview" if request.headers.get("HX-Request") else "preview"
    if name == "_preview":
        return render(request, "repos/_preview.html", {"card": card})
    return repo_page(request, repo, name, "files", card=card)


def _open(request: HttpRequest, repo: RepoRow, revision: str) -> At:
    require(actor_of(request), "repo.discuss", repo)
    return at(request, repo, revision)


def _branch(revision: str) -> str:
    return revision.removeprefix("refs/heads/")


def _said(request: HttpRequest, form: forms.Message, may_commit: bool, default: str) -> Said:
    data = form.cleaned_data
    parent = request.POST.get("overwrite") or data.get("parent", "")
    return Said(
        summary=data["summary"].strip() or default, description=data["description"].strip(), parent=parent,
        as_pull=not may_commit or data["way"] == "pull",
    )  # fmt: skip


def _tried(form: forms.Message, verb: Callable[[], Made]) -> Made | str:
    """What was made; or the branch's new head, where it has moved on; or '' with the refusal in the form."""
    try:
        return verb()
    except StaleParent as error:
        return str(error.limit or "")
    except (BadRequest, Conflict, Forbidden, EntryNotFound, RevisionNotFound, PayloadTooLarge) as error:
        forms.blame(form, _without_line(error), **_FIELDS)
        return ""


# A page has no lines of a commit's body.
def _without_line(error: HutchError) -> HutchError:
    named, _, rest = error.message.partition(": ")
    if named.startswith("line ") and rest:
        error.message = rest
    return error


def _after(request: HttpRequest, repo: RepoRow, revision: str, made: Made, path: str) -> HttpResponseRedirect:
    if made.pull_number is not None:
        return HttpResponseRedirect(links.page(repo, "discussions", str(made.pull_number)))
    messages.success(request, "Committed.")
    return HttpResponseRedirect(
        links.page(repo, "blob", revision, path) if path else links.page(repo, "tree", revision)
    )
