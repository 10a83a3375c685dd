"""Registers the room with Django."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The web room."""

    name = "hutch.web"
    label = "web"
