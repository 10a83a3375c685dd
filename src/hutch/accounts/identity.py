"""Where allauth asks Hutch: who may sign up, which names are free, what stands in mails, how secrets are kept."""

from __future__ import annotations

import base64
import hashlib
import logging
import smtplib
from types import SimpleNamespace
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.account.stages import EmailVerificationStage
from allauth.core import context as allauth_context
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.forms import BaseForm
from django.http import HttpRequest
from django.urls import reverse

from hutch.accounts import names
from hutch.accounts.events import UserCreated
from hutch.accounts.models import User
from hutch.core.errors import BadRequest, Conflict, Unavailable
from hutch.core.events import emit
from hutch.settings import current

log = logging.getLogger("hutch.accounts")


class VerifiedEmail(EmailVerificationStage):
    """Asks for a verified address at sign-in, but not from those whom an administrator gave no address."""

    def handle(self) -> Any:
        """Goes on, or sends the mail and waits."""
        user = self.login.user
        if user is not None and not EmailAddress.objects.filter(user_id=user.pk).exists():
            return None, True
        return super().handle()


class AccountAdapter(DefaultAccountAdapter):
    """The override point of allauth's account flows."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Only where the setting allows it; invitations have their own page."""
        return current().open_sign_up

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """One rule for names everywhere."""
        try:
            names.check_name(username, field="username")
        except BadRequest as error:
            raise ValidationError(error.message) from error
        if not shallow and names.is_taken(username):
            raise ValidationError(f"The name {username!r} is taken")
        return username

    def save_user(
        self, request: HttpRequest, user: AbstractBaseUser, form: BaseForm, commit: bool = True
    ) -> AbstractBaseUser:
        """Takes the name together with the account."""
        assert isinstance(user, User)
        super().save_user(request, user, form, commit=False)
        try:
            with transaction.atomic():
                user.namespace = names.claim(user.username, is_organization=False, by_admin=False)
                user.save()
                emit(UserCreated(user_id=user.pk, username=user.username, by_user_id=None, is_admin=False))
        except IntegrityError as error:
            raise Conflict(
                f"The name {user.username!r} is taken", field="username", value=user.username
            ) from error
        return user

    def get_login_stages(self) -> list[str]:
        """allauth's, with our own of the addresses."""
        theirs = "allauth.account.stages.EmailVerificationStage"
        ours = f"{VerifiedEmail.__module__}.{VerifiedEmail.__name__}"
        return [ours if stage == theirs else stage for stage in super().get_login_stages()]

    def get_client_ip(self, request: HttpRequest) -> str:
        """The far end as the front door found it, past trusted proxies only."""
        return str(request.META["REMOTE_ADDR"])

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth's has the Host in it, which whoever guesses passwords may choose
        return str(credentials.get("email") or credentials.get("username", "")).lower()

    def format_email_subject(self, subject: str) -> str:
        """The hub's name in front."""
        return f"[{current().site_name}] {subject}"

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Sends only where a mail server is set. Raises Unavailable if that does not take the mail."""
        if not current().smtp_url:
            return
        site = SimpleNamespace(name=current().site_name, domain=_base_url())
        try:
            super().send_mail(template_prefix, email, {**context, "current_site": site})
        except (OSError, smtplib.SMTPException) as error:
            log.error("mail to %s could not be sent: %s", email, error)
            raise Unavailable(
                "The mail could not be sent: the mail server did not take it. Try again later"
            ) from error

    def send_account_already_exists_mail(self, email: str) -> None:
        """Tells the owner of an address that somebody tried to sign up with it."""
        links = {
            "signup_url": _base_url() + reverse("account_signup"),
            "password_reset_url": _base_url() + reverse("account_reset_password"),
        }
        self.send_mail("account/email/account_already_exists", email, links)

    def get_reset_password_from_key_url(self, key: str) -> str:
        """A link that no forged Host can turn elsewhere."""
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": "UID", "key": "KEY"})
        return _base_url() + path.replace("UID-KEY", key)

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: EmailConfirmation) -> str:
        """The same."""
        return _base_url() + reverse("account_confirm_email", args=[emailconfirmation.key])


class MFAAdapter(DefaultMFAAdapter):
    """Keeps the secrets of second factors encrypted by the hub's own key."""

    def encrypt(self, text: str) -> str:
        """Fernet under a key derived from the secret of the data folder."""
        return _vault().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises Unavailable if the data folder's secret is another one than then."""
        try:
            return _vault().decrypt(encrypted_text.encode()).decode()
        except InvalidToken as error:
            raise Unavailable(
                "The second factor cannot be read: the hub's secret.key was replaced"
            ) from error

    def _get_site_name(self) -> str:
        return current().site_name


def sends_mail() -> bool:
    """Whether a mail server is set."""
    return bool(current().smtp_url)


def _vault() -> Fernet:
    digest = hashlib.sha256(b"second factors\0" + current().secret).digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def _base_url() -> str:
    if current().public_url:  # whoever asks for the mail chooses the Host, and somebody else reads it
        return current().url
    request = allauth_context.request
    return str(request.META["hutch.scope"]["origin"].base_url) if request else current().url
