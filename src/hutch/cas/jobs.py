"""Background work of the room."""

from __future__ import annotations

from dataclasses import asdict

from hutch.cas import cleaning, rounds
from hutch.core.jobs import JobRun, job


@job("cas.sweep", every_s=3600, keep=False)
def sweep(run: JobRun) -> dict[str, int]:
    """Removes uploads that were left unfinished, and receipts that nobody used."""
    return asdict(cleaning.sweep())


@job("cas.scrub", every_s=rounds.NIGHT_S, lease_s=600)
def scrub(run: JobRun) -> dict[str, object]:
    """Reads and hashes a part of what is stored, what was read longest ago first, and mends what can be mended."""
    return asdict(rounds.scrub(run))
