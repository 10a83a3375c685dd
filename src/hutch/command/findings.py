"""What `hutch doctor` says of one thing that it looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hutch.settings import Settings

Level = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`bad` keeps the hub from working or from keeping its word; `warn` will, or makes it worse than it could be."""

    check: str
    level: Level
    what: str
    remedy: str = ""

    def line(self) -> str:
        """The finding as a line, its remedy as a second one."""
        told = f"{self.level:4}  {self.check:12}  {self.what}"
        return f"{told}\n{'':20}{self.remedy}" if self.remedy else told


Check = Callable[[Settings], Finding]


def run(check: Check, settings: Settings) -> Finding:
    """The finding of a check; one that breaks is a finding too."""
    try:
        return check(settings)
    except Exception as error:
        name = check.__name__.strip("_")
        words = " ".join(str(error).split())[:300]
        return Finding(
            name, "bad", f"could not be checked: {type(error).__name__}: {words}", "see the message"
        )
