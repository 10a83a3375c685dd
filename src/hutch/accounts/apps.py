"""Registers the room with Django, and lets a hub without an administrator say how to make the first one."""

from __future__ import annotations

import sys

from django.apps import AppConfig

from hutch import boot
from hutch.core import threads


class AccountsConfig(AppConfig):
    """The accounts room."""

    name = "hutch.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Hears of sign-ins and changed passwords from allauth."""
        from hutch.accounts import signals  # noqa: F401

        boot.on_start.append(_greet)


async def _greet() -> None:
    """Prints the set-up link, made anew by each start, as long as there is no administrator."""
    from hutch.accounts import invitations

    link = await threads.run(invitations.setup_link)
    if link is not None:
        sys.stdout.write(f"Set up the first administrator at {link}\n")
        sys.stdout.flush()
