"""What every page's template knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from hutch import __version__
from hutch.settings import current


def site(request: HttpRequest) -> dict[str, Any]:
    """The site's name, the actor, and the address under which the hub was called."""
    origin = request.META["hutch.scope"]["origin"]
    return {
        "site_name": current().site_name,
        "hutch_version": __version__,
        "actor": request.actor,  # type: ignore[attr-defined]
        "base_url": origin.base_url,
        "open_sign_up": current().open_sign_up,
        "sends_mail": bool(current().smtp_url),
    }
