"""Where allauth asks Hutch: who may sign up, and which names are free."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from hutch.settings import current


class AccountAdapter(DefaultAccountAdapter):
    """The one override point of allauth's account flows."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Only where the setting allows it; invitations have their own page."""
        return current().open_sign_up

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sends only where a mail server is set."""
        if current().smtp_url:
            super().send_mail(template_prefix, email, context)
