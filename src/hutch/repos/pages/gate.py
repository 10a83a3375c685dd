"""Asking for the files of a gated repository, on its page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_POST

from hutch.core.errors import BadRequest, NotFound
from hutch.repos import access_requests
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import links
from hutch.repos.pages.shell import actor_of, of_repo, signed_in_for


@require_POST
@signed_in_for
@of_repo("repo.view")
def ask(request: HttpRequest, repo: RepoRow) -> HttpResponseBase:
    """Sends the request, or takes it back."""
    actor, takes_back = actor_of(request), request.POST.get("do") == "cancel"
    try:
        if takes_back:
            access_requests.cancel(actor, repo)
            messages.success(request, "Your request is taken back.")
        else:
            asked = access_requests.ask(actor, repo)
            told = (
                "You have access now."
                if asked.status == "accepted"
                else "Your request is sent to the owners."
            )
            messages.success(request, told)
    except (BadRequest, NotFound) as error:
        messages.error(request, error.message)
    return HttpResponseRedirect(links.page(repo))
