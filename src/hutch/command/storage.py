"""`hutch gc`: large objects from the command line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.cas.collecting import Collected

_TELL_EVERY_S = 2.0
_TURN_S = 0.01


@cli.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option(
    "--grace", type=click.IntRange(min=0), metavar="SECONDS",
    help="Leave alone what was sent or told of since then (default: the setting gc_grace_s).",
)  # fmt: skip
@shared
def gc(dry_run: bool, grace: int | None) -> dict[str, Any]:
    """Remove the large objects that nobody needs any more. Works beside a running server.

    With a grace of less than a day an upload that is under way may fail, once; sent again it succeeds.
    """
    from hutch.cas import collecting
    from hutch.settings import current

    grace_s = current().gc_grace_s if grace is None else grace
    found = collecting.foresee(grace_s) if dry_run else collecting.collect(grace_s, _Turn())
    return {**found.shape(), "dry_run": dry_run, "text": _text(found, "would be " if dry_run else "")}


class _Turn:
    """Lets others write between two steps, and says every other second what is being done."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL_EVERY_S

    def __call__(self, doing: str) -> None:
        time.sleep(_TURN_S)
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            click.echo(f"collecting {doing}", err=True)


def _text(found: Collected, would_be: str) -> str:
    return "\n".join(
        [
            f"{found.objects} objects {would_be}removed ({found.object_bytes} bytes as blobs)",
            f"{found.twins} blobs {would_be}dropped in favour of chunks ({found.twin_bytes} bytes)",
            f"{found.xet_files} files and {found.xorbs} xorbs {would_be}removed ({found.xorb_bytes} bytes)",
            f"{found.strays} blobs without a row {would_be}removed ({found.stray_bytes} bytes)",
            f"{found.compacted} xorbs {would_be}compacted ({found.compacted_bytes} bytes less when the old form goes)",
            f"{found.freed_bytes} bytes {would_be}freed",
        ]
    )
