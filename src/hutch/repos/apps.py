"""Registers the room with Django."""

from __future__ import annotations

from django.apps import AppConfig


class ReposConfig(AppConfig):
    """The repos room."""

    name = "hutch.repos"
    label = "repos"
