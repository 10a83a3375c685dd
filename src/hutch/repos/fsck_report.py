"""What a check of the whole hub says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

# What is being done, how far it is, and how much there is.
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """One damage. `repository` is as in addresses, `place` a ref or path in it, `remedy` what to do.

    `repair` is what was done about it, if anything was.
    """

    kind: str
    what: str
    remedy: str
    repository: str = ""
    place: str = ""
    oid: str = ""
    repair: str = ""

    def line(self) -> str:
        """The problem and its remedy as one line each."""
        where = " ".join(part for part in (self.repository, self.place) if part)
        return f"{where or self.kind}: {self.what}\n    {self.repair or self.remedy}"


@dataclass(slots=True)
class Report:
    """What was found; `notes` are leftovers that the server settles or collects by itself."""

    repositories: int = 0
    refs: int = 0
    pointers: int = 0
    objects: int = 0
    object_bytes: int = 0
    xorbs: int = 0
    xorb_bytes: int = 0
    xet_files: int = 0
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def shape(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Bad:
    """A large object that is lost or damaged."""

    what: str
    remedy: str


def name_of(type_: str, full_name: str) -> str:
    """A repository's name as in addresses."""
    return full_name if type_ == "model" else f"{type_}s/{full_name}"
