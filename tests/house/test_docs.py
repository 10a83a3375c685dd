"""What is written about the house is there, is current and leads somewhere."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from hutch.core import events
from hutch.settings import Settings
from scripts.docs import pages
from tests.house.source import PACKAGE, ROOT, rooms

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def test_generated_pages_are_current() -> None:
    stale = [
        str(p.relative_to(ROOT)) for p, text in pages().items() if not p.exists() or p.read_text() != text
    ]
    assert stale == [], "run `make docs` and commit what it writes"


def test_every_room_tells_what_it_is_for() -> None:
    silent = [str(room.relative_to(ROOT)) for room in rooms() if not (room / "README.md").exists()]
    assert silent == []


def test_a_rooms_readme_fits_on_a_screen() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in PACKAGE.glob("*/README.md")
        if (n := p.read_text().count("\n")) > 80
    }
    assert long == {}


def test_every_event_and_its_fields_are_documented() -> None:
    declared = events.known().values()
    bare = [
        f"{event.__name__}.{f.name}" for event in declared for f in fields(event) if not f.metadata.get("doc")
    ]
    assert bare == []
    assert [event.__name__ for event in declared if not event.__doc__] == []


def test_every_setting_says_what_it_means() -> None:
    assert [f.name for f in fields(Settings) if not f.metadata.get("doc")] == []


def test_the_project_tells_a_newcomer_what_it_needs_to() -> None:
    wanted = [
        "README.md",
        "LICENSE",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "docs/dependencies.md",
        "docs/tour.md",
    ]
    assert [name for name in wanted if not (ROOT / name).is_file()] == []


def test_links_between_pages_lead_somewhere() -> None:
    written = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *PACKAGE.glob("*/README.md")]
    broken = [
        f"{p.relative_to(ROOT)}: {link}"
        for p in written
        for link in _links(p)
        if not (p.parent / link).exists()
    ]
    assert broken == []


def _links(page: Path) -> list[str]:
    return LINK.findall(re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL))


def _required() -> set[str]:
    """The names that pyproject.toml asks for, extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return {_folded(re.split(r"[^A-Za-z0-9_.-]", line)[0]) for line in lines} - {"hutch"}


def _folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_dependency_says_why_it_is_there() -> None:
    said = {
        _folded(name) for name in re.findall(r"`([\w.-]+)`", (ROOT / "docs" / "dependencies.md").read_text())
    }
    assert _required() - said == set()


def test_every_dependency_is_pinned_in_the_lock() -> None:
    lock = (ROOT / "constraints.txt").read_text()
    pinned = {_folded(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==\S+$", lock, re.MULTILINE)}
    assert _required() - pinned == set()
