"""What every page's template knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from hutch.settings import current


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's name, the actor, and the address under which the hub was called."""
    origin = request.META["hutch.scope"]["origin"]
    return {"site_name": current().site_name, "actor": request.actor, "base_url": origin.base_url}  # type: ignore[attr-defined]
