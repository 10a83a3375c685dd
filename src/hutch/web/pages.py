"""The home page, and what stands where a page is missing or has failed."""

from __future__ import annotations

import logging
import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hutch.accounts import lookup, profiles
from hutch.accounts.permissions import require_sight
from hutch.core.errors import BadRequest, Forbidden, HutchError, NotFound, Unauthorized
from hutch.core.permissions import Actor
from hutch.core.wires import error_answer
from hutch.repos.models import RepoType
from hutch.repos.pages.lists import newest
from hutch.web.middleware import error_page, wants_page

_NEWEST = 6
_OWN = 8
_NEWEST_FOR_MEMBERS = 6
log = logging.getLogger(__name__)


@require_safe
def home(request: HttpRequest) -> HttpResponseBase:
    """For nobody what this hub is; for the others what is theirs. Both see what is new."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if actor.is_nobody:
        return _welcome(request, actor)
    card = lookup.find_namespace(actor, actor.username)
    orgs = [row.organization for row in profiles.memberships(actor.user_id or 0)]
    own = [row for type_ in RepoType.values for row in newest(actor, type_, _OWN, author=actor.username)]
    context = {
        "card": card, "own": sorted(own, key=lambda row: row.updated_at, reverse=True)[:_OWN],
        "orgs": [{"name": org.namespace.name, "shown": org.full_name or org.namespace.name} for org in orgs],
        "kinds": _kinds(actor, _NEWEST_FOR_MEMBERS),
    }  # fmt: skip
    return render(request, "web/home.html", context)


def _welcome(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    try:
        require_sight(actor)
        kinds = _kinds(actor, _NEWEST)
    except Unauthorized:
        kinds = None
    return render(request, "web/welcome.html", {"kinds": kinds})


def _kinds(actor: Actor, count: int) -> list[dict[str, Any]]:
    found = [{"type": type_, "rows": newest(actor, type_, count)} for type_ in RepoType.values]
    return [kind for kind in found if kind["rows"]]


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Where no address fits."""
    return _answer(request, NotFound("There is no such page"))


def failed(request: HttpRequest) -> HttpResponse:
    """Where the server failed; the log has the traceback under the request's number.

    An error of the house that a middleware met before any view is answered as what it is.
    """
    error = sys.exception()
    if isinstance(error, HutchError):
        return _answer(request, error)
    number = request.META["hutch.scope"]["request_id"]
    log.error("%s %s failed (request %s)", request.method, request.path_info, number)
    return _answer(request, HutchError(f"The server failed to answer; its log names this request: {number}"))


def malformed(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django cannot parse: too many fields, a form in pieces without an end."""
    return _answer(request, BadRequest(str(exception)))


def refused(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Where Django itself refuses."""
    return _answer(request, Forbidden(str(exception) or "You may not do this"))


def forged(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token: another site's, or one left open while the sign-in changed."""
    return _answer(
        request, Forbidden("This form is no longer good: go back, load the page again, and send it once more")
    )


def _answer(request: HttpRequest, error: HutchError) -> HttpResponse:
    if wants_page(request):
        try:
            return error_page(request, error, error.status)
        except Exception:  # an error page that fails as well must not hide the first error
            log.exception("the page of an error failed")
    status, headers, body = error_answer(error, request.META["hutch.scope"])
    return HttpResponse(body, status=status, headers=headers)
