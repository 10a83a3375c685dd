"""Writes the pages of docs/ that say what the code says: settings, events, addresses, commands.

`python scripts/docs.py` writes them; tests/house/test_docs.py fails when they are stale.
"""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
_MARK = "<!-- Written by `make docs` from the code: change it there. -->"


def pages() -> dict[Path, str]:
    """The generated pages, by the file that each belongs in."""
    return {
        DOCS / "settings.md": settings_page(),
        DOCS / "events.md": events_page(),
        DOCS / "api.md": api_page(),
        DOCS / "cli.md": cli_page(),
    }


def _page(title: str, introduction: str, body: Iterable[str]) -> str:
    return "\n".join([f"# {title}", "", _MARK, "", introduction, "", *body]).rstrip() + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows:
        cells = (cell.replace("|", "\\|").replace("\n", " ") for cell in row)
        yield f"| {' | '.join(cells)} |"
    yield ""


# ---------------------------------------------------------------- settings


def settings_page() -> str:
    """Every field of the settings, with its type, default, variable and meaning."""
    from hutch.settings import HINTS, Settings

    rows = [
        (
            f"`{f.name}`",
            _kind(HINTS[f.name]),
            f"`{_shown(f.default)}`",
            f"`HUTCH_{f.name.upper()}`",
            f.metadata["doc"],
        )
        for f in fields(Settings)
    ]
    introduction = (
        "Each is read once at the start: from the environment variable, else from `hutch.toml` in the data folder "
        "(a line such as `port = 8080`), else it is the default. The options of `hutch serve` stand above both.\n\n"
        "Sizes are bytes and times seconds. In the environment a list is separated by commas."
    )
    return _page(
        "Settings", introduction, _table(("setting", "type", "default", "variable", "meaning"), rows)
    )


def _kind(hint: Any) -> str:
    text = getattr(hint, "__name__", str(hint)) if isinstance(hint, type) else str(hint)
    return {"str": "text", "int": "number", "bool": "on or off", "Path": "path"}.get(
        text, "list" if "tuple" in text else "path"
    )


def _shown(value: object) -> str:
    if value is None or value in ("", ()):
        return "(none)"
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


# ---------------------------------------------------------------- events


def events_page() -> str:
    """Every event of every room, with its fields."""
    from hutch.core import events

    body: list[str] = []
    room = ""
    for event in sorted(events.known().values(), key=lambda event: (event.__module__, event.__name__)):
        if event.__module__ != room:
            room = event.__module__
            body += [f"## {room.split('.')[1]}", ""]
        rows = [(f"`{f.name}`", f"`{f.type}`", f.metadata.get("doc", "")) for f in fields(event)]  # type: ignore[arg-type]
        body += [f"### {event.__name__}", "", inspect.cleandoc(event.__doc__ or ""), ""]
        body += _table(("field", "type", "meaning"), rows)
    introduction = (
        "An event says what has happened, in the past tense. It is written in the transaction that made it true and "
        "reaches its listeners after the commit, at least once: a listener knows an event again by its id."
    )
    return _page("Events", introduction, body or ["No room emits an event yet."])


# ---------------------------------------------------------------- addresses


def api_page() -> str:
    """Every address: the wires, the JSON routes and the pages."""
    from hutch import routes

    body = [
        "## Wires",
        "",
        "Addresses whose bytes stream, and the hottest look-ups; answered before Django is asked.",
        "",
    ]
    body += _table(
        ("method", "address", "what"),
        ((" ".join(sorted(r.methods)), f"`{_readable(r.pattern.pattern)}`", r.summary) for r in routes.WIRES),
    )
    body += ["## JSON", "", "Described for programs at `/api/openapi.json`.", ""]
    body += _table(("method", "address", "what"), _json_routes(routes.api.get_openapi_schema()))
    body += ["## Pages and sign-in", ""]
    body += _table(("address", "name"), sorted(set(_html_routes(routes.urlpatterns))))
    return _page(
        "Addresses",
        "`{kinds}` is models, datasets, spaces or kernels; models stand at the root where git and files are meant.",
        body,
    )


def _readable(pattern: str) -> str:
    """A wire's expression without what only a machine wants: `(?P<name>[^/]+)` becomes `{name}`."""
    previous = ""
    while previous != pattern:
        previous, pattern = (
            pattern,
            re.sub(r"\(\?P<(\w+)>(?:[^()\[\]]|\[[^\]]*\]|\((?!\?P<)[^()]*\))*\)", r"{\1}", pattern),
        )
    return pattern.replace("(?:", "(").replace("\\", "")


def _json_routes(schema: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for address, operations in schema["paths"].items():
        for method, operation in operations.items():
            text = (operation.get("description") or operation.get("summary") or "").strip().splitlines()
            yield method.upper(), f"`{address}`", text[0] if text else ""


def _html_routes(patterns: Iterable[Any], prefix: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    for pattern in patterns:
        address = prefix + str(pattern.pattern).removeprefix("^").removesuffix(r"\Z").removesuffix("$")
        if hasattr(pattern, "url_patterns"):
            inner = getattr(pattern, "namespace", None)
            if inner != "api":
                yield from _html_routes(pattern.url_patterns, address, f"{space}{inner}:" if inner else space)
        else:
            plain = re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", address)
            yield f"`/{plain}`", f"{space}{pattern.name or ''}"


# ---------------------------------------------------------------- commands


def cli_page() -> str:
    """Every command with its arguments, options and help."""
    import hutch.command
    from hutch.command.root import cli

    for module in pkgutil.iter_modules(hutch.command.__path__):
        importlib.import_module(f"hutch.command.{module.name}")
    introduction = (
        "A result stands alone on stdout, everything else goes to stderr. "
        "Commands work before the first start and beside a running server."
    )
    return _page("Commands", introduction, _commands(cli, "hutch"))


def _commands(group: click.Group, words: str) -> Iterator[str]:
    for name, command in sorted(group.commands.items()):
        if command.hidden:
            continue
        if isinstance(command, click.Group):
            yield from _commands(command, f"{words} {name}")
            continue
        arguments = [
            p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)
        ]
        yield from [
            f"## `{' '.join([words, name, *arguments])}`",
            "",
            inspect.cleandoc(command.help or ""),
            "",
        ]
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        yield from _table(("option", "meaning"), [_option(p) for p in options]) if options else []


def _option(option: click.Option) -> tuple[str, str]:
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(click.Command('x')))}"
    return f"`{', '.join(option.opts)}{value}`", (option.help or "") + (
        " Required." if option.required else ""
    )


def main() -> None:
    """Writes the pages that changed and says which."""
    for path, text in pages().items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HUTCH_DATA"] = folder
        import hutch.boot  # noqa: F401  (sets Django up, over an empty data folder)

        main()
