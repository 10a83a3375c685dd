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
        """Tells accounts what is theirs here, and has the start settle what a crash left."""
        from hutch.accounts.names import occupied
        from hutch.accounts.profiles import counters
        from hutch.accounts.renaming import followers, holdings
        from hutch.cas.xet.rights import readable
        from hutch.repos.names import is_one_segment_name
        from hutch.repos.reading.listing import counts
        from hutch.repos.service import follow_namespace, held_by
        from hutch.repos.visibility import readable_by

        readable.append(readable_by)
        occupied.append(is_one_segment_name)
        counters.append(counts)
        holdings.append(held_by)
        followers.append(follow_namespace)
        boot.on_start += [_settle, _begin_counting]
        boot.on_stop.append(_end_counting)


async def _settle() -> None:
    await threads.run(_settle_now)


def _settle_now() -> None:
    from hutch.repos import folders
    from hutch.repos.changes import refs

    moves, swept = refs.recover(), folders.sweep()
    if moves or swept:
        log.warning("after a crash: %d ref moves settled, %d unfinished repositories removed", moves, swept)


# Imported late: the wires need Django set up.
async def _begin_counting() -> None:
    from hutch.repos.wires import resolve_wire

    await resolve_wire.begin_counting()


async def _end_counting() -> None:
    from hutch.repos.wires import resolve_wire

    await resolve_wire.end_counting()
