"""Registers the room with Django, and ends what is followed when a server stops."""

from __future__ import annotations

from django.apps import AppConfig

from hutch import boot


class BucketsConfig(AppConfig):
    """The buckets room."""

    name = "hutch.buckets"
    label = "buckets"

    def ready(self) -> None:
        """Has a server that stops send its followers elsewhere."""
        boot.on_stop.append(_end_following)


# Imported late: wires need Django set up.
async def _end_following() -> None:
    from hutch.buckets import following

    await following.end()
