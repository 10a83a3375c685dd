"""Registers the room with Django."""

from __future__ import annotations

from django.apps import AppConfig


class CasConfig(AppConfig):
    """The cas room."""

    name = "hutch.cas"
    label = "cas"
