"""Registers the room with Django."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class CoreConfig(AppConfig):
    """The core room."""

    name = "hutch.core"
    label = "core"

    def ready(self) -> None:
        """Imports every room's events, jobs and listeners, so that each process knows them all."""
        autodiscover_modules("events", "jobs", "listeners")
        import_module("hutch.core.sweep")
