"""What pages share: who may enter, and where they go first."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode

from hutch.accounts.api import actor_of


def signed_in(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page for those who are signed in; others are sent to sign in and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if actor_of(request).is_nobody:
            back = urlencode({"next": request.get_full_path()})
            return HttpResponseRedirect(f"{reverse('account_login')}?{back}")
        return view(request, *args, **kwargs)

    return guarded


def page(request: HttpRequest, name: str, /, status: int = 200, **context: Any) -> HttpResponse:
    """A page of this room; never kept by a cache, since secrets are shown on some."""
    answer = render(request, f"accounts/{name}.html", context, status=status)
    answer["Cache-Control"] = "no-store"
    return answer
