"""Small line drawings that stand beside words, on a grid of 24, in the colour of the text."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

_PATHS = {
    "model": "M12 3l8 4.5v9L12 21l-8-4.5v-9zM4 7.5l8 4.5 8-4.5M12 12v9",
    "dataset": "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3zM4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",  # noqa: E501
    "space": "M3 5h18v14H3zM3 9.5h18M6 7.2h.01M9 7.2h.01",
    "bucket": "M5 7h14l-1.8 13H6.8zM5 7c0-2.2 3.1-4 7-4s7 1.8 7 4M8.5 12h7",
    "kernel": "M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4",
    "file": "M6 3h8l4 4v14H6zM14 3v4h4",
    "folder": "M3 6h6l2 2h10v11H3z",
    "link": "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
    "branch": "M7 8v8M7 16a2.2 2.2 0 1 0 0 4.4A2.2 2.2 0 0 0 7 16zM7 3.6A2.2 2.2 0 1 0 7 8a2.2 2.2 0 0 0 0-4.4zM17 5.6a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4zM17 10c0 4-5 3-10 6",  # noqa: E501
    "tag": "M3 4v7l9.5 9.5 7-7L10 4zM7.5 8h.01",
    "commit": "M12 8.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM3 12h5.5M15.5 12H21",
    "pull": "M7 8v8M7 16a2.2 2.2 0 1 0 0 4.4A2.2 2.2 0 0 0 7 16zM7 3.6A2.2 2.2 0 1 0 7 8a2.2 2.2 0 0 0 0-4.4zM17 16a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4zM17 16V9a3 3 0 0 0-3-3h-3M13.5 3.5L11 6l2.5 2.5",  # noqa: E501
    "download": "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M4.5 20h15",
    "upload": "M12 16V5M7.5 9L12 4.5 16.5 9M4.5 20h15",
    "copy": "M8 8h12v12H8zM16 8V4H4v12h4",
    "lock": "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
    "gate": "M4 20V5h16v15M9.3 5v15M14.6 5v15M4 11h16",
    "clock": "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16zM12 8v4.5l3 1.8",
    "search": "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15.5 15.5L20 20",
    "plus": "M12 5v14M5 12h14",
    "edit": "M5 19l1-4L16.5 4.5l3 3L9 18z",
    "trash": "M5 7h14M9.5 7V4.5h5V7M7 7l1 13h8l1-13",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "cross": "M6 6l12 12M18 6L6 18",
    "card": "M5 4h14v16H5zM8 8h8M8 12h8M8 16h5",
    "talk": "M4 5h16v11H11l-4 4v-4H4z",
    "gear": "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2",  # noqa: E501
    "code": "M9 7l-5 5 5 5M15 7l5 5-5 5",
    "eye": "M3 12s3.3-6 9-6 9 6 9 6-3.3 6-9 6-9-6-9-6zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
    "person": "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 20c.6-4 3.7-6 7.5-6s6.9 2 7.5 6",
    "group": "M9 5a3.4 3.4 0 1 0 0 6.8A3.4 3.4 0 0 0 9 5zM2.8 19c.5-3.4 3-5 6.2-5s5.7 1.6 6.2 5M15.5 5.4a3.3 3.3 0 0 1 0 6M17.5 14.4c2 .6 3.4 2.2 3.7 4.6",  # noqa: E501
    "size": "M4 8h16v8H4zM8 8v3M12 8v4M16 8v3",
    "scale": "M12 4v16M7 20h10M5 7h14M5 7l-2.5 6a3 3 0 0 0 5 0zM19 7l-2.5 6a3 3 0 0 0 5 0z",
    "task": "M4 6h9M4 12h16M4 18h12M17 4l2 2 3-3",
    "filter": "M4 6h16M7 12h10M10 18h4",
    "use": "M4 5h16v14H4zM7.5 9.5l3 2.5-3 2.5M13 15h4",
    "down": "M7 10l5 5 5-5",
    "wrap": "M4 6h16M4 12h13a3 3 0 0 1 0 6h-4M15 15.5L12.5 18l2.5 2.5M4 18h4",
}


def icon(name: str, size: int = 16) -> SafeString:
    """A drawing as inline SVG, silent for screen readers. KeyError if there is none of that name."""
    return format_html(
        '<svg class="icon" width="{0}" height="{0}" viewBox="0 0 24 24" aria-hidden="true"><path d="{1}"/></svg>',
        size,
        mark_safe(_PATHS[name]),  # noqa: S308 - constants of this file
    )
