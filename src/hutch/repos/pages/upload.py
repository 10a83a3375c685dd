"""The page that takes files: any number and size by its script, small ones by a plain form."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from hutch.core.errors import BadRequest, Conflict, EntryNotFound, Forbidden, RevisionNotFound
from hutch.core.permissions import require
from hutch.git.paths import check_path
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import editing, forms, links
from hutch.repos.pages.editing import Said, Sent
from hutch.repos.pages.files import at, revision_context
from hutch.repos.pages.shell import actor_of, of_repo, repo_page, signed_in_for
from hutch.settings import current


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_for
@of_repo()
def upload(request: HttpRequest, repo: RepoRow, revision: str, folder: str = "") -> HttpResponseBase:
    """The form; by POST its files are committed."""
    actor = actor_of(request)
    require(actor, "repo.discuss", repo)
    if folder.strip("/"):
        check_path(folder.strip("/"))
    here = at(request, repo, revision)
    may_commit = editing.may_commit(actor, repo, revision)
    form = forms.Message(revision, request.POST or None, may_commit=may_commit)
    if request.method == "POST" and form.is_valid():
        done = _save(request, repo, revision, folder, form, may_commit)
        if done:
            return HttpResponseRedirect(done)
    context = revision_context(request, here, revision, folder.strip("/"), "upload")
    return repo_page(
        request, repo, "upload", "files", status=400 if form.errors else 200, **context, form=form,
        may_commit=may_commit, limit=current().max_request_bytes,
    )  # fmt: skip


def _save(
    request: HttpRequest, repo: RepoRow, revision: str, folder: str, form: forms.Message, may_commit: bool
) -> str:
    data = form.cleaned_data
    as_pull = not may_commit or data["way"] == "pull"
    try:
        files = [
            Sent(editing.joined(folder, file.name or ""), file.read())
            for file in request.FILES.getlist("files")
        ]
        summary = data["summary"].strip() or _summary(files)
        said = Said(summary=summary, description=data["description"].strip(), as_pull=as_pull)
        made = editing.save_files(actor_of(request), repo, revision, files, said)
    except (BadRequest, Conflict, Forbidden, EntryNotFound, RevisionNotFound) as error:
        forms.blame(form, error)
        return ""
    if made.pull_number is not None:
        return links.page(repo, "discussions", str(made.pull_number))
    messages.success(request, f"{len(files)} file{'' if len(files) == 1 else 's'} committed.")
    return links.page(repo, "tree", revision, folder)


def _summary(files: list[Sent]) -> str:
    return f"Upload {files[0].path}" if len(files) == 1 else f"Upload {len(files)} files"
