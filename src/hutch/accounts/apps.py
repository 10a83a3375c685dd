"""Registers the room with Django."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The accounts room."""

    name = "hutch.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Hears of sign-ins and changed passwords from allauth."""
        from hutch.accounts import signals  # noqa: F401
