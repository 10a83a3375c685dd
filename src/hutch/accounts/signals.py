"""What allauth's own views do, told as events of this room."""

from __future__ import annotations

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set, user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from hutch.accounts.events import PasswordChanged, SignedIn
from hutch.accounts.models import User
from hutch.core.events import emit


@receiver(user_logged_in)
def on_sign_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Tells that somebody signed in."""
    with transaction.atomic():
        emit(SignedIn(user_id=user.pk, username=user.username, client_ip=request.META["REMOTE_ADDR"]))


@receiver((password_changed, password_reset, password_set))
def on_password(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    """Tells that somebody changed the own password."""
    with transaction.atomic():
        emit(PasswordChanged(user_id=user.pk, username=user.username, by_user_id=user.pk))
