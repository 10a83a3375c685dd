"""`hutch storage`, `hutch gc`, `hutch dedupe`: what is stored, from the command line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.cas.collecting import Collected
    from hutch.repos.storage_overview import Overview

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


@cli.command()
@shared
def storage() -> dict[str, Any]:
    """Show what the hub stores: how much, what dedupe saved, what is large, when it was looked after last."""
    from hutch.accounts.actors import operator
    from hutch.repos import storage_overview

    found = storage_overview.overview(operator())
    return {**found.shape(), "text": "\n".join(_storage_lines(found))}


def _storage_lines(found: Overview) -> Iterator[str]:
    totals = found.totals
    yield f"{totals.linked_bytes} bytes of large files, as users see them, in {found.repositories} repositories"
    yield f"{totals.distinct_bytes} bytes of files that differ"
    yield f"{totals.stored_bytes} bytes stored: {totals.xorb_bytes} in chunks, {totals.blob_bytes} whole"
    yield f"{totals.saved_bytes} bytes saved ({found.saved_percent} %)"
    yield f"{found.git_bytes} bytes of git, {found.free_bytes} bytes free on the disk"
    yield f"{found.waiting} objects could be cut into chunks ({found.waiting_bytes} bytes)"
    yield f"{totals.damaged_xorbs} damaged xorbs"
    for each in found.largest:
        name = f"{each.row.type}s/{each.row.full_name}"
        yield f"{name}\t{each.size_bytes}\t{each.stored_bytes if each.is_measured else '-'}"
    for name, record in found.care.items():
        yield f"{name}\t{record.state}\t{record.finished_at or record.started_at or record.created_at}"


@cli.command()
@click.argument("repo", required=False)
@click.option("--all", "of_all", is_flag=True, help="The objects of all repositories.")
@click.option("--dry-run", is_flag=True, help="Only say how many objects wait.")
@click.option("--later", is_flag=True, help="Leave it to the server's background jobs.")
@shared
def dedupe(repo: str | None, of_all: bool, dry_run: bool, later: bool) -> dict[str, Any]:
    """Cut the objects of REPO that came by LFS into chunks, so that what they share is stored once.

    REPO is `owner/name` for a model, else `datasets/owner/name` and the like. Blobs go with the next `hutch gc`, once
    their chunks are older than its grace. Works beside a running server, and may be stopped at any moment.
    """
    from hutch.cas import deduping

    if of_all == (repo is not None):
        raise click.UsageError("name a repository, or say --all")
    repo_id = None if repo is None else _repo_id(repo)
    if later:
        return _enqueued(repo_id)
    done = deduping.foresee(repo_id) if dry_run else deduping.dedupe(_Progress(), repo_id)
    would = "wait" if dry_run else f"cut up, {done.stored_bytes} bytes stored for them"
    lines = [*done.left, f"{done.objects} objects ({done.size_bytes} bytes) {would}"]
    return {**done.shape(), "dry_run": dry_run, "text": "\n".join(lines)}


def _enqueued(repo_id: int | None) -> dict[str, Any]:
    from hutch.core.jobs import enqueue

    job = enqueue("cas.dedupe", key=str(repo_id or "all"), repo_id=repo_id)
    return {"job": job, "text": f"job {job}: hutch jobs show {job}"}


def _repo_id(name: str) -> int:
    from hutch.accounts.actors import operator
    from hutch.repos.lookup import find_repo

    kind, slash, rest = name.partition("/")
    is_kind = slash and kind in ("models", "datasets", "spaces", "kernels")
    type_, full_name = (kind.removesuffix("s"), rest) if is_kind else ("model", name)
    return find_repo(operator(), type_, full_name, "repo.view").id


class _Progress:
    """Says every other second how far the work is."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _TELL_EVERY_S

    def __call__(self, fraction: float, text: str) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            click.echo(f"{fraction:.0%}: {text}", err=True)


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
