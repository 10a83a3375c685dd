"""`hutch fsck`: whether all that was ever acknowledged is still there, and whole."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.repos.fsck import Report

_TELL_EVERY_S = 2.0


@cli.command()
@click.option("--repair", is_flag=True, help="Mend large objects from other copies; mark what has none.")
@shared
def fsck(repair: bool) -> dict[str, Any]:
    """Look for damage: hash every large object, walk every ref, resolve every pointer. Exits 1 if there is any.

    Reads only, unless told to repair, and works beside a running server. Progress goes to stderr.
    """
    from hutch.buckets import fsck as buckets
    from hutch.command.served import is_served
    from hutch.repos import fsck as repositories
    from hutch.settings import current

    progress = _Progress()
    report = repositories.check(progress, is_served=is_served(current().data), repair=repair)
    report.problems += buckets.check(progress)
    return {**report.shape(), "text": _text(report), "exit": 1 if report.problems else 0}


class _Progress:
    """Says every other second how far the work is."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL_EVERY_S

    def __call__(self, doing: str, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            click.echo(f"{done} of {total} {doing}", err=True)


def _text(report: Report) -> str:
    lines = [problem.line() for problem in report.problems]
    lines += [f"note: {note}" for note in report.notes]
    verdict = f"{len(report.problems)} problems" if report.problems else "no damage"
    lines.append(
        f"{report.repositories} repositories, {report.refs} refs, {report.pointers} pointers, {report.objects} large "
        f"objects ({report.object_bytes} bytes), {report.xorbs} xorbs ({report.xorb_bytes} bytes): {verdict}"
    )
    return "\n".join(lines)
