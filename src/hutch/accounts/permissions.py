"""Actions on namespaces and on the hub itself, and the things that they are asked about."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.errors import NotFound
from hutch.core.permissions import Action, Role, register

register(Action("namespace.view", Role.NO_ACCESS, ("*",), public=True, writes=False))
register(Action("org.read_members", Role.READ, ("org.read", "org.write"), writes=False))
register(Action("org.admin", Role.ADMIN, ("org.write",)))
register(Action("user.admin", Role.ADMIN, ("user.write",)))
register(Action("hub.admin", Role.ADMIN, ("hub.write",)))


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
