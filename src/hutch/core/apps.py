"""Registers the room with Django."""

from __future__ import annotations

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """The core room."""

    name = "hutch.core"
    label = "core"
