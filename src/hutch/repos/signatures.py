"""Who stands in commits that the hub makes: the actor as author, the hub as committer."""

from __future__ import annotations

from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.git.commits import Signature

# Addresses of people are nobody's business; these are stable and lead back to the account.
_DOMAIN = "users.noreply.hutch"


def author(actor: Actor) -> Signature:
    """The actor, with an address that gives nothing away."""
    name = actor.username or "hutch"
    return Signature(name, f"{name}@{_DOMAIN}", clock.now())


def committer() -> Signature:
    """The hub itself."""
    return Signature("Hutch", f"hutch@{_DOMAIN}", clock.now())


def username_of(email: str) -> str | None:
    """The account behind an author's address that this hub wrote; None for any other."""
    name, at, domain = email.rpartition("@")
    return name if at and domain == _DOMAIN and name != "hutch" else None
