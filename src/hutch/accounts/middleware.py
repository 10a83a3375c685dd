"""Gives each Django request its Actor, and asks for a CSRF token where a browser's cookie speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from django.utils.functional import SimpleLazyObject

from hutch.accounts import actors
from hutch.core.permissions import Actor


def _actor(request: HttpRequest) -> Actor:
    authorization = request.META.get("HTTP_AUTHORIZATION", "")
    if authorization:
        return actors.identify({"authorization": authorization})
    user = request.user
    return actors.of_user(user) if user.is_authenticated else actors.nobody()


class ActorMiddleware(CsrfViewMiddleware):
    """`request.actor`; and CSRF for every unsafe request that carries no token of its own.

    A request with an Authorization header cannot be forged by another site; nor can one without any cookie harm.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Attaches the actor, made when first asked for."""
        request.actor = SimpleLazyObject(lambda: _actor(request))  # type: ignore[attr-defined]
        super().process_request(request)

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
