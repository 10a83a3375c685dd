"""The forms of the pages. What a field may hold is checked by the verbs; their refusals land at the field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django import forms

from hutch.accounts.organizations import role_name
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, Forbidden, HutchError, NotFound, PayloadTooLarge
from hutch.core.permissions import Role

R = TypeVar("R")
ROLES = [(role_name(role), role_name(role).replace("_", " ").capitalize()) for role in Role]
_LIVES = [("", "Never"), ("7", "In 7 days"), ("30", "In 30 days"), ("90", "In 90 days"), ("365", "In a year")]


def tried(form: forms.Form, verb: Callable[..., R], *args: Any, **kwargs: Any) -> R | None:
    """What the verb returns; None if it refuses, and then the form says why."""
    try:
        return verb(*args, **kwargs)
    except (BadRequest, Conflict, Forbidden, NotFound, PayloadTooLarge) as error:
        blame(form, error)
        return None


def blame(form: forms.Form, error: HutchError) -> None:
    """Puts a refusal at the field that it names, or above the form."""
    form.add_error(error.field if error.field in form.fields else None, error.message)


class Password(forms.CharField):
    """A password, never shown again."""

    def __init__(self, label: str = "Password", autocomplete: str = "new-password", **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
        super().__init__(label=label, strip=False, widget=widget, **kwargs)


class NewPassword(forms.Form):
    """A password, twice."""

    password = Password(help_text="At least 8 characters, and not a common password.")
    password_again = Password("Password again")

    def clean(self) -> dict[str, Any]:
        """Both must be the same."""
        data = super().clean() or {}
        if data.get("password") != data.get("password_again"):
            self.add_error("password_again", "The two passwords are not the same.")
        return data


class NewAccount(NewPassword):
    """An account that its owner makes by a link."""

    name = forms.CharField(
        label="User name", max_length=96, help_text="Stands in the addresses of your repositories.",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    full_name = forms.CharField(
        label="Full name",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label="E-mail address", required=False, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )

    field_order = ("name", "full_name", "email", "password", "password_again")


class Profile(forms.Form):
    """What a profile shows."""

    full_name = forms.CharField(label="Full name", max_length=200, required=False)
    bio = forms.CharField(
        label="About", max_length=1000, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )


class OrganizationProfile(Profile):
    """What an organisation's page shows."""

    members_are_public = forms.BooleanField(
        label="Show the members to everybody who can see this hub", required=False
    )


class Avatar(forms.Form):
    """A picture."""

    avatar = forms.FileField(
        label="Picture", help_text="PNG, JPEG, GIF or WebP, at most 1 MB and 2048 pixels a side.",
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/gif,image/webp"}),
    )  # fmt: skip


class NewToken(forms.Form):
    """An access token."""

    name = forms.CharField(label="Name", max_length=96, help_text="What it is for, such as laptop.")
    role = forms.ChoiceField(
        label="What it may do", widget=forms.RadioSelect, initial="read",
        choices=[("read", "Read"), ("write", "Read and write"), ("fineGrained", "Only what is chosen below")],
    )  # fmt: skip
    life = forms.ChoiceField(label="Expires", choices=_LIVES, required=False)

    def expires_at(self) -> Any:
        """The moment, or None."""
        days = self.cleaned_data.get("life")
        return clock.now() + timedelta(days=int(days)) if days else None


class NewOrganization(forms.Form):
    """An organisation."""

    name = forms.CharField(
        label="Name", max_length=96, help_text="Stands in the addresses of its repositories.",
        widget=forms.TextInput(attrs={"autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    full_name = forms.CharField(label="Full name", max_length=200, required=False)


class NewMember(forms.Form):
    """A user who gets a role."""

    username = forms.CharField(label="User name", max_length=96)
    role = forms.ChoiceField(label="Role", choices=ROLES[1:], initial="read")


class Invite(forms.Form):
    """A link that makes somebody a member."""

    email = forms.EmailField(
        label="E-mail address",
        required=False,
        help_text="If given, and the hub sends mail, the link goes there.",
    )
    role = forms.ChoiceField(label="Role", choices=ROLES[1:], initial="read")


class InviteToHub(forms.Form):
    """A link by which somebody makes an account."""

    email = forms.EmailField(
        label="E-mail address",
        required=False,
        help_text="If given, and the hub sends mail, the link goes there.",
    )


class NewTeam(forms.Form):
    """A team."""

    name = forms.CharField(label="Name of the team", max_length=96)


class NewUser(forms.Form):
    """An account that an administrator makes; its owner sets the password by a link."""

    name = forms.CharField(label="User name", max_length=96)
    full_name = forms.CharField(label="Full name", max_length=200, required=False)
    email = forms.EmailField(label="E-mail address", required=False)
    is_admin = forms.BooleanField(label="May administer the hub", required=False)


class DeviceCode(forms.Form):
    """The code that a device shows."""

    user_code = forms.CharField(
        label="Code", max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip
