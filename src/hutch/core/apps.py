"""Registers the room with Django."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    """The core room."""

    name = "hutch.core"
    label = "core"

    def ready(self) -> None:
        """Holds databases to one rule for text; imports every room's events, jobs and listeners, for each process."""
        from hutch.core.database import hold_to_the_strictest

        connection_created.connect(hold_to_the_strictest)
        autodiscover_modules("events", "jobs", "listeners")
        import_module("hutch.core.sweep")
