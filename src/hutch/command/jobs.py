"""`hutch worker`, and `hutch jobs`: background work from the command line."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, prepare, shared

if TYPE_CHECKING:
    from hutch.core.job_records import JobRecord


@cli.command()
@click.option("--data", type=click.Path(file_okay=False), help="The data folder (default ./data).")
@click.option(
    "--threads", type=click.IntRange(1, 64), help="Jobs run at a time (default: the setting job_workers)."
)
def worker(data: str | None, threads: int | None) -> None:
    """Run background jobs until SIGTERM: on PostgreSQL on any machine, on SQLite where no server does."""
    prepare(data)
    from hutch.core.errors import Conflict
    from hutch.core.worker import Workers
    from hutch.settings import current

    workers = Workers(threads or max(1, current().job_workers))
    if not workers.claim_database():
        raise Conflict(
            "Another process runs the jobs of this data folder, and on SQLite only one may. "
            "Set job_workers to 0 for the server, or use PostgreSQL",
            field="data",
        )
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    workers.start()
    click.echo("Hutch runs jobs", err=True)
    ended.wait()
    workers.stop()


@cli.group()
def jobs() -> None:
    """Background jobs."""


@jobs.command("list")
@click.option("--state", help="Only those that are queued, running, done, failed or cancelled.")
@click.option("--name", help="Only jobs of this name.")
@click.option("--before", type=int, help="Only jobs older than this id.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="At most so many.")
@shared
def list_(state: str | None, name: str | None, before: int | None, limit: int) -> dict[str, Any]:
    """List jobs, the newest first: id, name, state, attempts, progress, arguments."""
    from hutch.accounts.actors import operator
    from hutch.core import job_records

    found = job_records.listing(operator(), state=state, name=name, before_id=before, limit=limit)
    return {"jobs": [_shape(record) for record in found], "text": "\n".join(map(_line, found))}


@jobs.command("show")
@click.argument("job_id", type=int, metavar="ID")
@shared
def show(job_id: int) -> dict[str, Any]:
    """Show one job with its log and its error."""
    from hutch.accounts.actors import operator
    from hutch.core import job_records

    shape = _shape(job_records.show(operator(), job_id))
    lines = [
        f"{key}: {value}"
        for key, value in shape.items()
        if value not in ("", None) and key not in ("log", "error")
    ]
    return {**shape, "text": "\n".join([*lines, shape["log"].rstrip(), shape["error"].rstrip()]).rstrip()}


@jobs.command("cancel")
@click.argument("job_id", type=int, metavar="ID")
@shared
def cancel(job_id: int) -> dict[str, Any]:
    """Cancel a job: a queued one at once, a running one at its next checkpoint."""
    from hutch.accounts.actors import operator
    from hutch.core import job_records

    record = job_records.cancel(operator(), job_id)
    return {**_shape(record), "text": _line(record)}


@jobs.command("retry")
@click.argument("job_id", type=int, metavar="ID")
@shared
def retry(job_id: int) -> dict[str, Any]:
    """Queue a failed or cancelled job again."""
    from hutch.accounts.actors import operator
    from hutch.core import job_records

    record = job_records.retry(operator(), job_id)
    return {**_shape(record), "text": _line(record)}


def _shape(record: JobRecord) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def _line(record: JobRecord) -> str:
    import json

    done = f"{record.fraction:.0%} {record.text}".strip()
    return "\t".join(
        [str(record.id), record.name, record.state, str(record.attempts), done, json.dumps(record.arguments)]
    )
