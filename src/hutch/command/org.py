"""`hutch org`: organisations from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hutch.command.root import cli, shared

if TYPE_CHECKING:
    from hutch.core.permissions import Role


@cli.group()
def org() -> None:
    """Organizations."""


@org.command("create")
@click.argument("name")
@click.option("--full-name", default="", help="Name as people write it.")
@click.option(
    "--member", "members", multiple=True, metavar="USER:ROLE", help="A member and the role; may be repeated."
)
@shared
def create(name: str, full_name: str, members: tuple[str, ...]) -> dict[str, Any]:
    """Create an organization."""
    from hutch.accounts import actors, organizations

    pairs = [_member(text) for text in members]
    made = organizations.create_organization(actors.operator(), name, full_name=full_name, members=pairs)
    listed = [{"name": username, "role": role.name.lower()} for username, role in pairs]
    return {
        "id": made.pk,
        "name": made.namespace.name,
        "fullName": made.full_name,
        "members": listed,
        "text": name,
    }


@org.command("rename")
@click.argument("name")
@click.argument("new_name")
@shared
def rename(name: str, new_name: str) -> dict[str, Any]:
    """Give an organization another name; its repositories move along, and their old addresses lead to the new ones."""
    from hutch.accounts import actors, organizations, renaming

    found = organizations.organization_by_name(name).namespace.name
    now = renaming.rename(actors.operator(), found, new_name)
    return {"name": now, "oldName": found, "text": now}


@org.command("delete")
@click.argument("name")
@shared
def delete(name: str) -> dict[str, Any]:
    """Delete an organization for good; it must hold no repository any more."""
    from hutch.accounts import actors, renaming

    renaming.delete_organization(actors.operator(), name)
    return {"name": name, "text": name}


def _member(text: str) -> tuple[str, Role]:
    from hutch.accounts.organizations import role_of

    username, colon, role = text.rpartition(":")
    if not colon:
        raise click.BadParameter(f"{text!r} is not USER:ROLE", param_hint="--member")
    return username, role_of(role, field="member")
