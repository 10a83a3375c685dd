"""Registers the room with Django, and what a server does for repositories when it starts."""

from __future__ import annotations

import logging

from django.apps import AppConfig

from hutch import boot
from hutch.core import threads

log = logging.getLogger(__name__)


class ReposConfig(AppConfig):
    """The repos room."""

    name = "hutch.repos"
    label = "repos"

    def ready(self) -> None:
        """Tells accounts which names are taken here, and has the start settle what a crash left."""
        from hutch.accounts.names import occupied
        from hutch.repos.names import is_one_segment_name

        occupied.append(is_one_segment_name)
        boot.on_start.append(_settle)


async def _settle() -> None:
    await threads.run(_settle_now)


def _settle_now() -> None:
    from hutch.repos import folders, refs

    moves, swept = refs.recover(), folders.sweep()
    if moves or swept:
        log.warning("after a crash: %d ref moves settled, %d unfinished repositories removed", moves, swept)
