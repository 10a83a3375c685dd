"""Background work of the room."""

from __future__ import annotations

from dataclasses import asdict

from hutch.cas import cleaning, collecting, deduping, rounds, usage
from hutch.core.jobs import JobRun, enqueue, job
from hutch.settings import current

_MOST_MEASURED = 100


@job("cas.sweep", every_s=3600, keep=False)
def sweep(run: JobRun) -> dict[str, int]:
    """Removes uploads that were left unfinished, and receipts that nobody used."""
    usage.remeasure(usage.unmeasured(_MOST_MEASURED))
    return asdict(cleaning.sweep())


@job("cas.scrub", every_s=rounds.NIGHT_S, lease_s=600)
def scrub(run: JobRun) -> dict[str, object]:
    """Reads and hashes a part of what is stored, what was read longest ago first, and mends what can be mended."""
    return asdict(rounds.scrub(run))


@job("cas.gc", every_s=rounds.NIGHT_S, lease_s=600)
def gc(run: JobRun) -> dict[str, int]:
    """Removes the large objects that nobody needs any more, unless the setting `gc` is off."""

    def turn(doing: str) -> None:
        run.progress(0.0, doing)
        run.pause()

    return collecting.collect(current().gc_grace_s, turn).shape() if current().gc else {}


@job("cas.dedupe", lease_s=600)
def dedupe(run: JobRun, *, repo_id: int | None = None) -> dict[str, object]:
    """Cuts objects that came by LFS into chunks: of one repository, or of all."""
    return deduping.dedupe(run.progress, repo_id).shape()


@job("cas.dedupe_all", every_s=rounds.NIGHT_S, lease_s=600)
def dedupe_all(run: JobRun) -> dict[str, object]:
    """Cuts what came by LFS since last night into chunks, if the setting `dedupe` is on."""
    return deduping.dedupe(run.progress).shape() if current().dedupe else {}


@job("cas.measure", keep=False)
def measure(run: JobRun, *, repo_id: int) -> None:
    """Measures what the large files of a repository or bucket take up, once its files have changed."""
    wait_s = usage.wait_s(repo_id)
    if wait_s > 0:
        enqueue("cas.measure", key=str(repo_id), delay_s=wait_s, repo_id=repo_id)
    else:
        usage.measure(repo_id)
