"""`hutch user`: accounts from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.accounts.models import User


@cli.group()
def user() -> None:
    """Accounts."""


@user.command("create")
@click.argument("name")
@click.option("--email", default="", help="E-mail address.")
@click.option("--full-name", default="", help="Name as people write it.")
@click.option("--admin", is_flag=True, help="May administer the hub.")
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of stdin.")
@shared
def create(name: str, email: str, full_name: str, admin: bool, password_stdin: bool) -> dict[str, Any]:
    """Create an account. Without a password, `hutch user passwd NAME --link` prints a link to set one."""
    from hutch.accounts import actors, users

    password = read_password() if password_stdin else None
    made = users.create_user(
        actors.operator(), name, email=email, full_name=full_name, password=password, is_admin=admin
    )
    if password is None:
        click.echo(
            f"{name} has no password yet: hutch user passwd {name} --link prints a link to set one", err=True
        )
    return {**_shape(made), "text": made.username}


@user.command("disable")
@click.argument("name")
@shared
def disable(name: str) -> dict[str, Any]:
    """Lock an account: its sessions and tokens end at once, and nothing of it is deleted."""
    from hutch.accounts import actors, users

    found = users.disable_user(actors.operator(), name)
    return {**_shape(found), "text": found.username}


@user.command("enable")
@click.argument("name")
@shared
def enable(name: str) -> dict[str, Any]:
    """Unlock an account. Its tokens stay revoked."""
    from hutch.accounts import actors, users

    found = users.enable_user(actors.operator(), name)
    return {**_shape(found), "text": found.username}


@user.command("rename")
@click.argument("name")
@click.argument("new_name")
@shared
def rename(name: str, new_name: str) -> dict[str, Any]:
    """Give an account another name; its repositories move along, and their old addresses lead to the new ones."""
    from hutch.accounts import actors, renaming, users

    found = users.user_by_name(name).username
    now = renaming.rename(actors.operator(), found, new_name)
    return {"name": now, "oldName": found, "text": now}


@user.command("delete")
@click.argument("name")
@shared
def delete(name: str) -> dict[str, Any]:
    """Delete an account for good; it must hold no repository any more."""
    from hutch.accounts import actors, renaming

    renaming.delete_user(actors.operator(), name)
    return {"name": name, "text": name}


@user.command("passwd")
@click.argument("name")
@click.option(
    "--link", is_flag=True, help="Print a one-time link to set the password instead of reading one."
)
@shared
def passwd(name: str, link: bool) -> dict[str, Any]:
    """Set a password, read from the first line of stdin (unseen at a terminal); ends the user's sessions."""
    from hutch.accounts import actors, invitations, users

    if link:
        url = invitations.password_link(actors.operator(), name)
        return {"name": name, "link": url, "text": url}
    users.set_password(actors.operator(), name, read_password())
    return {"name": name, "text": name}


@user.command("list")
@shared
def list_() -> dict[str, Any]:
    """List the accounts, one line each: name, e-mail address, and what is special about it."""
    from hutch.accounts.models import User

    rows = [_shape(row) for row in User.objects.order_by("username")]
    lines = [
        "\t".join(
            [row["name"], row["email"], "admin" if row["admin"] else "", "" if row["active"] else "disabled"]
        ).rstrip()
        for row in rows
    ]
    return {"users": rows, "text": "\n".join(lines)}


def read_password() -> str:
    """The first line of stdin, or what is typed unseen at a terminal: a password never stands in an argument."""
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    line = sys.stdin.readline()
    if not line:
        raise click.ClickException("stdin is empty; the password is expected there")
    return line.rstrip("\r\n")


def _shape(row: User) -> dict[str, Any]:
    return {
        "id": row.pk, "name": row.username, "fullName": row.full_name, "email": row.email, "admin": row.is_staff,
        "active": row.is_active,
    }  # fmt: skip
