"""What the templates of repositories may call."""

from __future__ import annotations

from typing import Any

from django import template

from hutch.repos.api.shapes import readable
from hutch.repos.pages import links

register = template.Library()
_TITLES = {"model": "Models", "dataset": "Datasets", "space": "Spaces", "kernel": "Kernels",
           "bucket": "Buckets"}  # fmt: skip


@register.simple_tag
def page(repo: links.Named, *parts: Any) -> str:
    """The path of a page of a repository: `{% page repo "blob" revision path %}`."""
    return links.page(repo, *(str(part) for part in parts))


@register.filter
def plural(type_: str) -> str:
    """Model -> Models."""
    return _TITLES[type_]


@register.filter
def shown_path(path: str) -> str:
    """A path as text; bytes that are not UTF-8 become U+FFFD."""
    return readable(path)


@register.filter
def short(oid: str) -> str:
    """The first seven digits of a commit."""
    return oid[:7]


@register.filter
def task(tag: str) -> str:
    """text-generation -> Text generation."""
    return tag.replace("-", " ").capitalize()
