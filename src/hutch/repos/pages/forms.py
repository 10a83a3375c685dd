"""The forms of repositories' pages. What a field may hold is checked by the verbs; their refusals land at the field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms

from hutch.core.errors import BadRequest, Conflict, Forbidden, HutchError, NotFound
from hutch.repos.service import SDKS

R = TypeVar("R")
LICENSES = (
    "apache-2.0 mit bsd-3-clause mpl-2.0 gpl-3.0 agpl-3.0 cc-by-4.0 cc-by-sa-4.0 cc-by-nc-4.0 cc0-1.0 odc-by openrail "
    "llama3.3 gemma other"
).split()
_PLAIN = {"autocapitalize": "none", "autocomplete": "off", "spellcheck": "false"}


def tried(form: forms.Form, verb: Callable[..., R], *args: Any, **kwargs: Any) -> R | None:
    """What the verb returns; None if it refuses, and then the form says why."""
    try:
        return verb(*args, **kwargs)
    except (BadRequest, Conflict, Forbidden, NotFound) as error:
        blame(form, error)
        return None


def blame(form: forms.Form, error: HutchError, **fields: str) -> None:
    """Puts a refusal at the field that it names (`fields`: the verb's name -> the form's), or above the form."""
    named = fields.get(error.field or "", error.field)
    form.add_error(named if named in form.fields else None, error.message)


class NewRepo(forms.Form):
    """A new repository."""

    namespace = forms.ChoiceField(label="Owner", required=False)
    name = forms.CharField(label="Name", max_length=200, widget=forms.TextInput(attrs=_PLAIN))
    license = forms.CharField(
        label="Licence", max_length=64, required=False, help_text="Its identifier, such as apache-2.0.",
        widget=forms.TextInput(attrs={**_PLAIN, "list": "licenses"}),
    )  # fmt: skip
    sdk = forms.ChoiceField(
        label="Kind of app", widget=forms.RadioSelect, initial="static",
        choices=[(sdk, sdk.capitalize()) for sdk in SDKS],
    )  # fmt: skip
    visibility = forms.ChoiceField(label="Who may see it", widget=forms.RadioSelect, initial="public")

    def __init__(self, type_: str, owners: list[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["namespace"].choices = owners  # type: ignore[attr-defined]
        self.fields["visibility"].choices = visibilities(type_)  # type: ignore[attr-defined]
        if type_ != "space":
            del self.fields["sdk"]
        if type_ == "bucket":
            del self.fields["license"]


def visibilities(type_: str) -> list[tuple[str, str]]:
    """What a repository of this type can be."""
    found = [
        ("public", "Public: everybody who can reach this hub"),
        ("private", "Private: you, or the members of the organization"),
    ]
    return (
        [*found, ("protected", "Protected: its app is for everybody, its files are not")]
        if type_ == "space"
        else found
    )


class Visibility(forms.Form):
    """Who may see a repository."""

    visibility = forms.ChoiceField(label="Who may see it", widget=forms.RadioSelect)

    def __init__(self, type_: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["visibility"].choices = visibilities(type_)  # type: ignore[attr-defined]


class Gate(forms.Form):
    """Whether files are for those who asked."""

    gated = forms.ChoiceField(
        label="Access to the files", widget=forms.RadioSelect,
        choices=[
            ("", "For everybody who may see the repository"),
            ("auto", "For those who ask, granted at once"),
            ("manual", "For those who ask, granted by you"),
        ],
        required=False,
    )  # fmt: skip


class Branches(forms.Form):
    """The default branch, and those that move forward only."""

    default_branch = forms.ChoiceField(label="Default branch")
    protected = forms.CharField(
        label="Protected branches", required=False, max_length=4000,
        help_text="One name or pattern a line, such as main or release/*. They move forward only, by pull request or by admins.",  # noqa: E501
        widget=forms.Textarea(attrs={"rows": 3, **_PLAIN}),
    )  # fmt: skip

    def __init__(self, branches: list[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["default_branch"].choices = [(name, name) for name in branches]  # type: ignore[attr-defined]


class Move(forms.Form):
    """Another name, perhaps in another namespace."""

    to_name = forms.CharField(
        label="New name", max_length=200, widget=forms.TextInput(attrs=_PLAIN),
        help_text="The old name leads to it as long as nobody else takes it.",
    )  # fmt: skip


class Typed(forms.Form):
    """A name typed to confirm what cannot be undone."""

    typed = forms.CharField(max_length=200, widget=forms.TextInput(attrs=_PLAIN))

    def __init__(self, wanted: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        self.fields["typed"].label = f"Type {wanted} to confirm"

    def clean_typed(self) -> str:
        """Only the very name will do."""
        if self.cleaned_data["typed"].strip() != self.wanted:
            raise forms.ValidationError(f"This is not the name {self.wanted}.")
        return self.wanted


class RepoRole(forms.Form):
    """A role on this repository alone."""

    kind = forms.ChoiceField(label="For", choices=[("user", "A user"), ("team", "A team")])
    holder = forms.CharField(label="Name", max_length=96, widget=forms.TextInput(attrs=_PLAIN))
    role = forms.ChoiceField(label="Role", choices=[("read", "Read"), ("write", "Write"), ("admin", "Admin")])


class Message(forms.Form):
    """What a commit says of itself."""

    summary = forms.CharField(label="Commit message", max_length=200, required=False)
    description = forms.CharField(
        label="Description", max_length=10_000, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    way = forms.ChoiceField(label="How", widget=forms.RadioSelect, required=False)

    def __init__(self, branch: str, *args: Any, may_commit: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ways = [("pull", "Open a pull request with this change")]
        straight = [("commit", f"Commit straight to {branch}")] if may_commit else []
        self.fields["way"].choices = straight + ways  # type: ignore[attr-defined]
        self.fields["way"].initial = ways[0][0] if not may_commit else "commit"


class Edit(Message):
    """A small text file, and the commit in which its author has seen it."""

    path = forms.CharField(label="Path", max_length=4096, widget=forms.TextInput(attrs=_PLAIN))
    content = forms.CharField(
        label="Content", required=False, strip=False,
        widget=forms.Textarea(attrs={"rows": 24, "spellcheck": "false", "class": "editor", "data-editor": ""}),
    )  # fmt: skip
    parent = forms.CharField(max_length=40, widget=forms.HiddenInput)

    field_order = ("path", "content", "summary", "description", "way", "parent")


class Comment(forms.Form):
    """Something said about a pull request."""

    text = forms.CharField(
        label="Comment", max_length=65_536, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
