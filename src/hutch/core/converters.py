"""Parts of Django's addresses. Each gets a segment in which only `%25` and `%2F` are still escaped (core.wires)."""

from __future__ import annotations

from urllib.parse import quote, unquote

from django.urls import register_converter


class Segment:
    """One whole segment, decoded. What no database could be asked for fits no address: it is no name of anything."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        """Decodes."""
        text = unquote(value)
        if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
            raise ValueError("not a name")
        return text

    def to_url(self, value: str) -> str:
        """Encodes, slashes too."""
        return quote(value, safe="")


class Revision(Segment):
    """A revision in one segment, or `refs/pr/N` and `refs/convert/NAME` with plain slashes, as some clients do.

    `refs%2Fpr%2F1` arrives as `refs/pr/1`.
    """

    regex = "refs/(?:pr|convert|heads|tags)/[^/]+|[^/]+"

    def to_python(self, value: str) -> str:
        """Decodes; bytes that are not UTF-8 stay visible, and git refuses them."""
        return unquote(value)


class Tail(Segment):
    """The rest of the address, perhaps empty: a path inside a repository."""

    regex = ".*"

    def to_python(self, value: str) -> str:
        """Decodes; bytes that are not UTF-8 stay visible, since a file may be named so."""
        return unquote(value)

    def to_url(self, value: str) -> str:
        """Encodes all but slashes."""
        return quote(value)


class RepoId(Segment):
    """`name` or `namespace/name`. Routes that go on after it stand before those that end with it."""

    regex = "[^/]+(?:/[^/]+)?"

    def to_url(self, value: str) -> str:
        """Encodes all but the slash between namespace and name."""
        return quote(value)


class Kinds(Segment):
    """The plural in an API address, as the singular type."""

    regex = "models|datasets|spaces|kernels"

    def to_python(self, value: str) -> str:
        """models -> model."""
        return value[:-1]

    def to_url(self, value: str) -> str:
        """Model -> models."""
        return f"{value}s"


class KindPrefix(Segment):
    """The prefix in a page's address: nothing for models, else `datasets/`, `spaces/`, `kernels/`."""

    regex = "(?:datasets/|spaces/|kernels/|models/)?"

    def to_python(self, value: str) -> str:
        """datasets/ -> dataset; nothing -> model."""
        return value[:-2] or "model"

    def to_url(self, value: str) -> str:
        """Dataset -> datasets/."""
        return "" if value == "model" else f"{value}s/"


def install() -> None:
    """Registers the converters: seg, rev, tail, repoid, kinds, kindprefix."""
    for name, converter in {
        "seg": Segment, "rev": Revision, "tail": Tail, "repoid": RepoId, "kinds": Kinds, "kindprefix": KindPrefix,
    }.items():  # fmt: skip
        register_converter(converter, name)
