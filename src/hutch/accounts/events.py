"""What happened to accounts. Ids are the rows' keys."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.events import Event, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class UserCreated(Event):
    """An account was made."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")
    is_admin: bool = doc("whether it administers the hub")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserChanged(Event):
    """A profile, or whether its owner administers the hub, was changed."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDisabled(Event):
    """An account was locked."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEnabled(Event):
    """An account was unlocked."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordChanged(Event):
    """A password was set or changed."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    """Somebody signed in with a browser."""

    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    client_ip: str = doc("address from which")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCreated(Event):
    """An access token was made."""

    token_id: int = doc("key of the token")
    name: str = doc("name of the token")
    role: str = doc("read, write or fineGrained")
    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    """An access token was revoked."""

    token_id: int = doc("key of the token")
    name: str = doc("name of the token")
    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationCreated(Event):
    """An organisation was made."""

    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationChanged(Event):
    """An organisation's profile or settings were changed."""

    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationDeleted(Event):
    """An organisation is gone; it held nothing any more."""

    organization_id: int = doc("key of the organisation")
    name: str = doc("name that it had")
    by_user_id: int | None = doc("who did it; None for the command line")


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDeleted(Event):
    """An account is gone; it held nothing any more."""

    user_id: int = doc("key of the user")
    username: str = doc("name that it had")
    by_user_id: int | None = doc("who did it; None for the command line")


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceRenamed(Event):
    """A user or an organisation has another name; each of its repositories tells of its move beside this."""

    namespace_id: int = doc("key of the name")
    old_name: str = doc("name that it had")
    name: str = doc("name that it has now")
    is_organization: bool = doc("whether an organisation holds it")
    by_user_id: int | None = doc("who did it; None for the command line")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleChanged(Event):
    """Somebody got a role in an organisation, as a new member or instead of another role."""

    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    role: str = doc("such as `write`")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRemoved(Event):
    """A membership ended."""

    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    user_id: int = doc("key of the user")
    username: str = doc("name of the user")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamChanged(Event):
    """A team was made, or who belongs to it was changed."""

    team_id: int = doc("key of the team")
    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamDeleted(Event):
    """A team was dissolved, with its roles."""

    team_id: int = doc("key of the team")
    organization_id: int = doc("key of the organisation")
    name: str = doc("name of the organisation")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoRoleChanged(Event):
    """A team or a user got a role on one repository, or lost it."""

    repo_id: int = doc("key of the repository")
    team_id: int | None = doc("key of the team, if it is one")
    user_id: int | None = doc("key of the user, if it is one")
    role: str = doc("such as `write`; `no_access` where it was taken away")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationCreated(Event):
    """A one-time link was made."""

    invitation_id: int = doc("key of the invitation")
    purpose: str = doc("setup, sign_up, organization or password")
    by_user_id: int | None = doc("who did it; None for the command line, a link or open sign-up")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationUsed(Event):
    """A one-time link was used."""

    invitation_id: int = doc("key of the invitation")
    purpose: str = doc("setup, sign_up, organization or password")
    user_id: int = doc("key of the user who used it")
