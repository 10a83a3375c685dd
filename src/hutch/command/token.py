"""`hutch token`: access tokens from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.accounts.models import AccessToken


@cli.group()
def token() -> None:
    """Access tokens."""


@token.command("create")
@click.argument("user")
@click.option("--name", required=True, help="What the token is for.")
@click.option("--role", required=True, type=click.Choice(["read", "write"]), help="What it may do.")
@click.option("--value", help="Import this hf_... token of another hub; '-' reads it from stdin.")
@shared
def create(user: str, name: str, role: str, value: str | None) -> dict[str, Any]:
    """Create a token of USER and print it alone; it is not shown again."""
    from hutch.accounts import actors, tokens

    word = sys.stdin.readline().strip() if value == "-" else value
    made, word = tokens.create_token(actors.operator(), user, name=name, role=role, value=word)
    return {**_shape(made), "token": word, "text": word}


@token.command("list")
@click.argument("user")
@shared
def list_(user: str) -> dict[str, Any]:
    """List the tokens of USER that hold: key, name, role, last use, expiry."""
    from hutch.accounts import actors, tokens

    rows = [_shape(row) for row in tokens.tokens_of(actors.operator(), user)]
    lines = [
        "\t".join(str(row[key] or "-") for key in ("id", "name", "role", "lastUsedAt", "expiresAt"))
        for row in rows
    ]
    return {"tokens": rows, "text": "\n".join(lines)}


@token.command("revoke")
@click.argument("user")
@click.argument("name")
@shared
def revoke(user: str, name: str) -> dict[str, Any]:
    """Revoke the token NAME of USER, at once."""
    from hutch.accounts import actors, tokens

    ended = tokens.revoke_token(actors.operator(), user, name=name)
    return {**_shape(ended), "text": ended.name}


def _shape(row: AccessToken) -> dict[str, Any]:
    from hutch.core.clock import iso

    def moment(value: Any) -> str | None:
        return iso(value) if value else None

    return {
        "id": row.pk, "user": row.user.username, "name": row.name, "role": row.kind, "hint": row.hint,
        "createdAt": moment(row.created_at), "lastUsedAt": moment(row.last_used_at),
        "expiresAt": moment(row.expires_at),
    }  # fmt: skip
