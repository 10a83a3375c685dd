"""Who stands in commits that the hub makes: the actor as author, the hub as committer."""

from __future__ import annotations

from hutch.accounts.lookup import author_of
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.git.commits import Signature


def author(actor: Actor) -> Signature:
    """The actor, with an address that gives nothing away."""
    name, email = author_of(actor)
    return Signature(name, email, clock.now())


def committer() -> Signature:
    """The hub itself."""
    return Signature("Hutch", "hutch@users.noreply.localhost", clock.now())
