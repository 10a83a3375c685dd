"""Who may do what: one Actor, one function.

An action is a word of the form `thing.verb`, registered by the room that owns the thing with the least role that it
needs. A role is held in a namespace. Rooms ask `require(actor, action, thing)` in a verb's first line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal, Protocol

from hutch.core.errors import Forbidden, NotFound, Unauthorized


class Role(IntEnum):
    """What a member may do in a namespace, lowest first."""

    NO_ACCESS = 0
    READ = 10
    CONTRIBUTOR = 20
    WRITE = 30
    ADMIN = 40


ROLE_NAMES: Mapping[str, Role] = {
    "no_access": Role.NO_ACCESS, "read": Role.READ, "contributor": Role.CONTRIBUTOR, "write": Role.WRITE,
    "admin": Role.ADMIN, "member": Role.READ, "maintainer": Role.WRITE, "owner": Role.ADMIN,
}  # fmt: skip

Visibility = Literal["public", "private", "protected"]
TokenRole = Literal["session", "read", "write", "fineGrained"]


@dataclass(frozen=True, slots=True)
class Grant:
    """One line of a fine-grained token: these permissions on that user, organisation or repository.

    `entity` is `user:name`, `org:name` or `model:ns/name` (dataset:, space:, kernel:, bucket:), lower case.
    """

    entity: str
    permissions: frozenset[str]


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever makes a request: a signed-in user, a user through a token, or nobody."""

    user_id: int | None = None
    username: str = ""
    is_admin: bool = False
    token_id: int | None = None
    token_role: TokenRole = "session"
    grants: tuple[Grant, ...] = ()
    # namespace id -> role, the user's own namespace included as ADMIN
    roles: Mapping[int, Role] = field(default_factory=dict)
    # repository id -> role, given by teams or by name to one repository
    repo_roles: Mapping[int, Role] = field(default_factory=dict)
    # False for nobody where the setting `require_sign_in` is on
    sees_public: bool = True

    @property
    def is_nobody(self) -> bool:
        """True for a request without credentials."""
        return self.user_id is None


NOBODY = Actor()


class Thing(Protocol):
    """What a permission is asked about. A repository is one; a namespace is one."""

    @property
    def entity(self) -> str: ...
    @property
    def namespace_id(self) -> int | None: ...
    @property
    def namespace_entity(self) -> str: ...
    @property
    def thing_id(self) -> int | None: ...
    @property
    def visibility(self) -> str: ...
    @property
    def creator_id(self) -> int | None: ...
    @property
    def missing_error(self) -> type[NotFound]: ...


@dataclass(frozen=True, slots=True)
class Action:
    """One registered action.

    `needs`: the least role; `public`: on a public thing nobody's role is asked; `protected`: nor on a protected one;
    `own`: a contributor may do it to what they created; `scopes`: fine-grained permissions of which one is needed.
    """

    name: str
    needs: Role
    scopes: tuple[str, ...]
    public: bool = False
    protected: bool = False
    own: bool = False
    writes: bool = True


ACTIONS: dict[str, Action] = {}


def register(action: Action) -> Action:
    """Adds a room's action to the house's list; each name once."""
    if action.name in ACTIONS:
        raise ValueError(f"action {action.name} is registered twice")
    ACTIONS[action.name] = action
    return action


def allows(actor: Actor, action_name: str, thing: Thing) -> bool:
    """Whether `actor` may do the action to the thing. The only place where this is decided."""
    action = ACTIONS[action_name]
    if actor.sees_public and not action.writes and _is_open(action, thing):
        return True
    return _token_allows(actor, action, thing) and _role_allows(actor, action, thing)


def token_covers(actor: Actor, action_name: str, thing: Thing) -> bool:
    """Whether the token or session by which the actor comes is good for the action on the thing, roles aside."""
    return _token_allows(actor, ACTIONS[action_name], thing)


def require(actor: Actor, action_name: str, thing: Thing, *, see: str = "repo.view") -> None:
    """Returns if `actor` may do the action to the thing.

    Raises the thing's own NotFound if the actor may not even see it (as if it did not exist: 401 to nobody is put on
    by the door), Unauthorized if nobody asks for more than reading, Forbidden otherwise.
    """
    if allows(actor, action_name, thing):
        return
    if not allows(actor, see, thing):
        raise thing.missing_error()
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to do this")
    raise Forbidden(f"You do not have the right to do this ({action_name} on {thing.entity})")


def role_on(actor: Actor, thing: Thing) -> Role:
    """The actor's role on a thing, by the namespace or by name on the thing itself; an administrator's is ADMIN."""
    if actor.is_admin:
        return Role.ADMIN
    role = (
        actor.roles.get(thing.namespace_id, Role.NO_ACCESS)
        if thing.namespace_id is not None
        else Role.NO_ACCESS
    )
    if thing.thing_id is not None:
        role = max(role, actor.repo_roles.get(thing.thing_id, Role.NO_ACCESS))
    return role


def _is_open(action: Action, thing: Thing) -> bool:
    return (thing.visibility == "public" and action.public) or (
        thing.visibility == "protected" and action.protected
    )


def _role_allows(actor: Actor, action: Action, thing: Thing) -> bool:
    if actor.is_nobody:
        return False
    role = role_on(actor, thing)
    if role >= action.needs:
        return True
    return action.own and role >= Role.CONTRIBUTOR and thing.creator_id == actor.user_id


def _token_allows(actor: Actor, action: Action, thing: Thing) -> bool:
    if actor.token_role in ("session", "write"):
        return True
    if actor.token_role == "read":
        return not action.writes
    wanted = {thing.entity, thing.namespace_entity, "*"} - {""}  # a thing may lie in no namespace
    return any(g.entity in wanted and g.permissions.intersection(action.scopes) for g in actor.grants)
