"""Turns errors into answers: JSON for clients, a page for people."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from hutch.core import full_disk
from hutch.core.errors import HutchError
from hutch.core.wires import error_answer

_PAGE_HEADERS = {
    # no inline scripts: what slips through a sanitiser does not run
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self';"  # noqa: E501
        " object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class PageMiddleware:
    """Answers a HutchError that a view raised, and puts the safety headers on every page."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Passes the request on; what a page answers is nobody else's to keep."""
        response = self.get_response(request)
        for key, value in _PAGE_HEADERS.items():
            response.headers.setdefault(key, value)
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The answer to a HutchError or a full disk; None leaves any other exception to Django."""
        told = error if isinstance(error, HutchError) else full_disk.named(error)
        if told is None:
            return None
        status, headers, body = error_answer(told, request.META["hutch.scope"])
        if not wants_page(request):
            return HttpResponse(body, status=status, headers=headers)
        return error_page(request, told, status)


def error_page(request: HttpRequest, error: HutchError, status: int) -> HttpResponse:
    """An error as a person reads it, with the headers that clients read."""
    context = {"error": error, "status": status, "may_be_hidden": status in (401, 403, 404)}
    answer = render(request, "web/error.html", context, status=status)
    for key, value in error.headers().items():
        answer[key] = value
    answer["Cache-Control"] = "no-store"
    return answer


def wants_page(request: HttpRequest) -> bool:
    """Whether a person is looking: a program says what it accepts, or who it is by a header."""
    if request.path_info.startswith(("/api/", "/oauth/")) or "HTTP_AUTHORIZATION" in request.META:
        return False
    return "text/html" in request.META.get("HTTP_ACCEPT", "")
