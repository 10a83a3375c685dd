"""Pull requests of a repository in lists, for those who may read it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull, PullEvent

LISTED = 50
_OPEN = (Pull.Status.OPEN, Pull.Status.DRAFT)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many pull requests there are."""

    open: int
    closed: int

    @property
    def all(self) -> int:
        """Open and closed."""
        return self.open + self.closed


def counts(repo: RepoRow) -> Counts:
    """How many pull requests are open, and how many are closed or merged."""
    found = _seen(repo).aggregate(
        open=Count("pk", filter=Q(status__in=_OPEN)), closed=Count("pk", filter=~Q(status__in=_OPEN))
    )
    return Counts(found["open"], found["closed"])


def page(repo: RepoRow, *, is_open: bool, before: int | None = None) -> tuple[list[Pull], int | None]:
    """Pull requests, newest first, and the number before which the next page begins."""
    query = _seen(repo).select_related("author").order_by("-number")
    query = query.filter(status__in=_OPEN) if is_open else query.exclude(status__in=_OPEN)
    if before is not None:
        query = query.filter(number__lt=before)
    rows = list(query[: LISTED + 1])
    return rows[:LISTED], rows[LISTED - 1].number if len(rows) > LISTED else None


def events(pull: Pull) -> list[PullEvent]:
    """All that was said and done, in order."""
    return list(PullEvent.objects.filter(pull=pull).select_related("author").order_by("pk"))


# One without a head was never acknowledged.
def _seen(repo: RepoRow) -> QuerySet[Pull]:
    return Pull.objects.filter(repo_id=repo.id).exclude(head_oid="")
