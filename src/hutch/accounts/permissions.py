"""Actions on namespaces and on the hub itself, and the things that they are asked about."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.errors import NotFound, Unauthorized
from hutch.core.permissions import Action, Actor, Role, register

_SEE = ("repo.content.read", "repo.write", "user.read", "user.write", "org.read", "org.write")

register(Action("namespace.view", Role.NO_ACCESS, _SEE, public=True, writes=False))
register(Action("org.read_members", Role.READ, ("org.read", "org.write"), writes=False))
register(Action("org.admin", Role.ADMIN, ("org.write",)))
register(Action("user.read", Role.ADMIN, ("user.read", "user.write"), writes=False))
register(Action("user.admin", Role.ADMIN, ("user.write",)))
# no fine-grained permission stands for these: a narrow token must not make a wide one
register(Action("token.create", Role.ADMIN, ()))
register(Action("token.list", Role.ADMIN, (), writes=False))
register(Action("token.revoke", Role.ADMIN, ()))
# asked about the hub itself
register(Action("hub.view", Role.NO_ACCESS, _SEE, public=True, writes=False))
register(Action("hub.admin", Role.ADMIN, ()))
register(Action("org.create", Role.NO_ACCESS, ()))


@dataclass(frozen=True, slots=True)
class NamespaceThing:
    """A user's or an organisation's name, as permissions are asked about it."""

    namespace_id: int | None
    name: str
    is_organization: bool

    visibility = "public"
    thing_id = None
    creator_id = None
    missing_error = NotFound

    @property
    def entity(self) -> str:
        """`org:acme` or `user:ann`, lower case."""
        return f"{'org' if self.is_organization else 'user'}:{self.name.lower()}"

    @property
    def namespace_entity(self) -> str:
        """The same."""
        return self.entity


@dataclass(frozen=True, slots=True)
class _Hub:
    """The hub itself: administrators alone hold a role on it."""

    entity = "hub"
    namespace_entity = "hub"
    namespace_id = None
    thing_id = None
    visibility = "public"
    creator_id = None
    missing_error = NotFound


HUB = _Hub()


def require_sight(actor: Actor) -> None:
    """Before a name is looked up: where `require_sign_in` is on, nobody learns which names exist."""
    if actor.is_nobody and not actor.sees_public:
        raise Unauthorized("Sign in or send an access token to see this")


def require_somebody(actor: Actor) -> None:
    """Before a name is looked up for a change: raises Unauthorized for nobody."""
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
