"""Background work of the room."""

from __future__ import annotations

from hutch.buckets import changelog
from hutch.core import clock
from hutch.core.jobs import JobRun, job


@job("buckets.forget_changes", every_s=3600, keep=False)
def forget_changes(run: JobRun) -> dict[str, int]:
    """Removes changes that nobody may come back for any more."""
    return {"removed": changelog.forget(clock.now() - changelog.KEPT)}
