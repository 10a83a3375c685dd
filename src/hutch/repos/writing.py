"""All JSON routes of this room that change something."""

from __future__ import annotations

from hutch.repos import api_cards, api_commit, api_gating, api_pulls, api_refs, api_settings, api_write

ROUTERS = [
    part.router for part in (api_write, api_cards, api_commit, api_refs, api_settings, api_gating, api_pulls)
]
