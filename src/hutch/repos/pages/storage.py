"""The administrators' page of what the hub stores."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hutch.repos import storage_overview
from hutch.repos.pages.shell import actor_of, signed_in_for


@require_safe
@signed_in_for
def storage(request: HttpRequest) -> HttpResponseBase:
    """How much there is, what dedupe saved, what is large, and when it was looked after last."""
    found = storage_overview.overview(actor_of(request))
    care = [(title, found.care.get(name)) for name, title in storage_overview.CARE.items()]
    return render(request, "repos/storage.html", {"found": found, "totals": found.totals, "care": care})
