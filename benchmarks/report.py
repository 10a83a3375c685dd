"""What a benchmark says: a number, its target, and where it was taken."""

from __future__ import annotations

import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"


@dataclass(frozen=True)
class Result:
    """One line: `value` against `target`; `sense` says whether it must be at least or at most the target."""

    name: str
    value: float
    target: float
    sense: Literal["at least", "at most"]
    unit: str
    detail: str

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.target if self.sense == "at least" else self.value <= self.target


def spread(values: Sequence[float]) -> str:
    """Median and range of a series."""
    return f"median {statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g}, n={len(values)})"


def line(result: Result) -> str:
    """One result as a line of text."""
    mark = "ok  " if result.holds else "MISS"
    return f"{mark} {result.name}: {result.value:.3g} {result.unit} ({result.sense} {result.target:g}); {result.detail}"


def write_page(results: Sequence[Result]) -> None:
    """Writes docs/benchmarks.md with the commit and the machine."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    rows = "\n".join(
        f"| {r.name} | {r.value:.3g} {r.unit} | {r.sense} {r.target:g} "
        f"| {'yes' if r.holds else '**no**'} | {r.detail} |"
        for r in results
    )
    PAGE.write_text(
        "# Benchmarks\n\n"
        "Written by `make bench`: ratios against a named peer, both taken in one run, in turn. The machine is\n"
        "shared and noisy: trust ratios and medians, not seconds.\n\n"
        f"Commit `{commit}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_machine()}.\n\n"
        "| what | measured | target | met | how |\n|---|---|---|---|---|\n" + rows + "\n"
    )


def _machine() -> str:
    model = next(
        (
            text.split(":", 1)[1].strip()
            for text in Path("/proc/cpuinfo").read_text().splitlines()
            if text.startswith("model name")
        ),
        platform.machine(),
    )
    cores = len(
        [1 for text in Path("/proc/cpuinfo").read_text().splitlines() if text.startswith("processor")]
    )
    return f"{cores} cores of {model}, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}"
