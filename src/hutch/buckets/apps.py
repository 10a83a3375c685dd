"""Registers the room with Django, and ends what is followed when a server is told to stop."""

from __future__ import annotations

from django.apps import AppConfig

from hutch import boot


class BucketsConfig(AppConfig):
    """The buckets room."""

    name = "hutch.buckets"
    label = "buckets"

    def ready(self) -> None:
        """Has a server that stops send its followers elsewhere."""
        boot.on_stopping.append(_end_following)


# Imported late: tables need Django set up.
def _end_following() -> None:
    from hutch.buckets import following

    following.end()
