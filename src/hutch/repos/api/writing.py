"""All JSON routes of this room that change something."""

from __future__ import annotations

from hutch.repos.api import cards as api_cards
from hutch.repos.api import commit as api_commit
from hutch.repos.api import gating as api_gating
from hutch.repos.api import pulls as api_pulls
from hutch.repos.api import refs as api_refs
from hutch.repos.api import settings as api_settings
from hutch.repos.api import write as api_write
from hutch.repos.api import xet as api_xet

ROUTERS = [
    part.router
    for part in (api_write, api_cards, api_commit, api_refs, api_settings, api_gating, api_pulls, api_xet)
]
