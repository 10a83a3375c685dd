"""What templates may call: addresses of static files, drawings, sizes, counts, ages."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hutch.core import clock
from hutch.web import icons
from hutch.web.assets import asset_url

register = template.Library()
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_AGES = ((60, "second"), (60, "minute"), (24, "hour"), (30, "day"), (12, "month"))


@register.simple_tag
def asset(name: str) -> str:
    """The address of a static file, with its content's hash so that it may be cached for ever."""
    return asset_url("".join(name))  # pathlib takes no SafeString, which a template's words are


@register.simple_tag
def icon(name: str, size: int = 16) -> SafeString:
    """A small drawing beside a word."""
    return icons.icon(name, size)


@register.filter
def count(number: int | None) -> str:
    """A number as people read it: 999, 1.2k, 3.4M."""
    value = float(number or 0)
    for unit in ("", "k", "M", "B"):
        if value < 999.5 or unit == "B":
            return (
                f"{value:.0f}{unit}" if not unit or value >= 99.5 else f"{value:.1f}{unit}".replace(".0", "")
            )
        value /= 1000
    return ""


@register.filter
def size(count: int | None) -> str:
    """Bytes as people read them: 1.2 MB (powers of 1000, as the public hub shows them)."""
    value = float(count or 0)
    for unit in _UNITS:
        if value < 1000 or unit == _UNITS[-1]:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.3g} {unit}"
        value /= 1000
    return ""


@register.filter
def age(moment: datetime | None) -> SafeString | str:
    """A `<time>` element: "3 days ago", with the exact time as its title."""
    if moment is None:
        return ""
    value = max(0, int((clock.now() - moment).total_seconds()))
    unit = "year"
    for span, name in _AGES:
        if value < span:
            unit = name
            break
        value //= span
    text = "just now" if unit == "second" and value < 10 else f"{value} {unit}{'' if value == 1 else 's'} ago"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', clock.iso(moment), f"{moment:%Y-%m-%d %H:%M} UTC", text
    )
