"""`hutch` and what all its commands share."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from hutch import __version__
from hutch.core.errors import HutchError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Hutch: an organisation's own Hugging Face."""


def shared(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--data` and `--json`, sets the house up before the command, and prints what it returns.

    The command returns a mapping (for `--json`) whose entry `text` is what is printed without `--json`.
    """

    @click.option("--data", type=click.Path(file_okay=False), help="The data folder.")
    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @wraps(function)
    def command(*args: Any, data: str | None, as_json: bool, **kwargs: Any) -> None:
        prepare(data)
        try:
            result = function(*args, **kwargs)
        except HutchError as error:
            raise click.ClickException(error.message) from error
        say(result, as_json)

    return command


def prepare(data: str | None) -> None:
    """Sets the data folder, Django and the database up, for a command outside the server."""
    from hutch import settings

    settings.export(data=data)
    import hutch.boot  # noqa: F401
    from hutch.core import database

    database.migrate()


def say(result: dict[str, Any], as_json: bool) -> None:
    """Prints a result alone on stdout; an entry `exit` becomes the exit status."""
    status = result.pop("exit", 0)
    text = result.pop("text", "")
    click.echo(json.dumps(result, default=str) if as_json else text)
    if status:
        sys.exit(status)


def main() -> None:
    """Entry point of the console script."""
    from hutch.command import chat, doctor, fsck, jobs, org, serve, storage, token, user  # noqa: F401  (each module adds its commands to `cli`)

    try:
        cli()
    except HutchError as error:
        click.echo(f"Error: {error.message}", err=True)
        sys.exit(2)
