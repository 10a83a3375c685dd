"""Background work of the room."""

from __future__ import annotations

from dataclasses import asdict

from hutch.cas import cleaning
from hutch.core.jobs import JobRun, job


@job("cas.sweep", every_s=3600, keep=False)
def sweep(run: JobRun) -> dict[str, int]:
    """Removes uploads that were left unfinished, and receipts that nobody used."""
    return asdict(cleaning.sweep())
