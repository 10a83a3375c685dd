"""Gives each Django request its Actor, and asks for a CSRF token where a browser's cookie speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.functional import SimpleLazyObject

from hutch.accounts import actors
from hutch.core.errors import HutchError
from hutch.core.permissions import Actor
from hutch.core.wires import error_answer


def _session_actor(request: HttpRequest) -> Actor:
    user = request.user
    return actors.of_user(user) if user.is_authenticated else actors.nobody()


class ActorMiddleware(CsrfViewMiddleware):
    """`request.actor`; and CSRF for every unsafe request that carries no token of its own.

    A request with an Authorization header cannot be forged by another site; nor can one without any cookie harm.
    """

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        """Attaches the actor: at once where a token is sent, which then counts alone, else when first asked for."""
        authorization = request.META.get("HTTP_AUTHORIZATION", "")
        if authorization:
            try:
                request.actor = actors.identify({"authorization": authorization})  # type: ignore[attr-defined]
            except HutchError as error:
                status, headers, body = error_answer(error, request.META["hutch.scope"])
                return HttpResponse(body, status=status, headers=headers)
            request.user = AnonymousUser()  # no session speaks beside a token
        else:
            request.actor = SimpleLazyObject(lambda: _session_actor(request))  # type: ignore[attr-defined]
        super().process_request(request)
        return None

    def process_view(
        self, request: HttpRequest, callback: Callable[..., Any], callback_args: Any, callback_kwargs: Any
    ) -> HttpResponseForbidden | None:
        """Refuses forged requests."""
        if request.META.get("HTTP_AUTHORIZATION"):
            return None
        is_api = request.path_info.startswith(("/api/", "/oauth/"))
        if is_api and django_settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return None
        # ninja marks its views exempt; with a session cookie none is
        return super().process_view(request, _checked, callback_args, callback_kwargs)


def _checked() -> HttpResponse:
    """Stands for a view that is not exempt; never called."""
    return HttpResponse()
