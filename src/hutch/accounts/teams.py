"""The verbs on teams, and on roles that teams and single users hold on one repository.

A repository comes as a `Thing`: this room does not know the table. Whoever moves or deletes one calls `forget_repo`.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from hutch.accounts.events import RepoRoleChanged, TeamChanged, TeamDeleted
from hutch.accounts.models import Membership, Organization, RepoRole, Team, User
from hutch.accounts.organizations import organization_by_name, role_name, thing_of
from hutch.accounts.permissions import require_somebody
from hutch.accounts.texts import checked_text
from hutch.accounts.users import user_by_name
from hutch.core.errors import BadRequest, Conflict, NotFound
from hutch.core.events import emit
from hutch.core.permissions import Actor, Role, Thing, require


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody who holds a role on one repository: a team by its name, or a user."""

    kind: str
    name: str
    role: str


def create_team(actor: Actor, organization_name: str, name: str) -> Team:
    """Makes a team without members. Raises Conflict if the name is taken."""
    organization = _administered(actor, organization_name)
    name = checked_text("name", name, 96, required=True)
    try:
        with transaction.atomic():
            team = Team.objects.create(organization=organization, name=name)
            _tell(actor, team)
    except IntegrityError as error:
        raise Conflict(f"There is a team {name!r} already", field="name", value=name) from error
    return team


def delete_team(actor: Actor, organization_name: str, team_id: int) -> None:
    """Dissolves a team; what its members could do by it ends at once."""
    organization = _administered(actor, organization_name)
    with transaction.atomic():
        team = _team(organization, team_id)
        by = actor.user_id or None
        emit(
            TeamDeleted(
                team_id=team.pk,
                organization_id=organization.pk,
                name=organization.namespace.name,
                by_user_id=by,
            )
        )
        team.delete()


def add_to_team(actor: Actor, organization_name: str, team_id: int, username: str) -> None:
    """Puts a member of the organisation into a team. Raises BadRequest for somebody who is none."""
    organization = _administered(actor, organization_name)
    user = user_by_name(username)
    with transaction.atomic():
        if not Membership.objects.filter(organization=organization, user=user).exists():
            raise BadRequest(
                f"{username!r} is not a member of {organization_name!r}", field="username", value=username
            )
        team = _team(organization, team_id)
        team.members.add(user)
        _tell(actor, team)


def remove_from_team(actor: Actor, organization_name: str, team_id: int, username: str) -> None:
    """Takes somebody out of a team."""
    organization = _administered(actor, organization_name)
    user = user_by_name(username)
    with transaction.atomic():
        team = _team(organization, team_id)
        team.members.remove(user)
        _tell(actor, team)


def teams_of(actor: Actor, organization_name: str) -> list[Team]:
    """The teams of an organisation with their members, by name. Only members see them."""
    require_somebody(actor)
    organization = organization_by_name(organization_name)
    require(actor, "org.read_members", thing_of(organization), see="namespace.view")
    return list(organization.teams.prefetch_related("members").order_by("name"))


def set_repo_role(
    actor: Actor, repo: Thing, *, role: Role, team: str | None = None, username: str | None = None
) -> None:
    """Gives a team of the repository's organisation, or a user, a role on this repository; NO_ACCESS takes it away.

    A role here adds to what the namespace gives, and takes nothing from it. Raises Forbidden where ADMIN is given or
    taken by somebody who may not pass by protected branches: nobody makes more of themselves than they are.
    """
    require(actor, "repo.admin", repo)
    if role >= Role.ADMIN:
        require(actor, "repo.protect", repo)
    if (team is None) == (username is None):
        raise BadRequest("Name either a team or a user", field="team")
    holder: dict[str, Team | User]
    if team is not None:
        holder = {"team": _team_by_name(repo, team)}
    else:
        holder = {"user": user_by_name(username or "")}
    with transaction.atomic():
        rows = RepoRole.objects.filter(repo_id=repo.thing_id, **holder)
        if rows.filter(role__gte=Role.ADMIN.value).exists():
            require(actor, "repo.protect", repo)
        if role == Role.NO_ACCESS:
            rows.delete()
        elif not rows.update(role=role.value, namespace_id=repo.namespace_id):
            RepoRole.objects.create(
                repo_id=repo.thing_id, namespace_id=repo.namespace_id, role=role.value, **holder
            )
        emit(
            RepoRoleChanged(
                repo_id=repo.thing_id or 0, team_id=holder["team"].pk if team is not None else None,
                user_id=holder["user"].pk if team is None else None, role=role_name(role),
                by_user_id=actor.user_id or None,
            )
        )  # fmt: skip


def repo_roles(actor: Actor, repo: Thing) -> list[Holder]:
    """Who holds a role on this repository by name, teams first."""
    require(actor, "repo.admin", repo)
    rows = RepoRole.objects.filter(repo_id=repo.thing_id).select_related("team", "user")
    found = [
        Holder("team", row.team.name, role_name(row.role)) if row.team
        else Holder("user", row.user.username if row.user else "", role_name(row.role))
        for row in rows
    ]  # fmt: skip
    return sorted(found, key=lambda holder: (holder.kind != "team", holder.name.lower()))


def forget_repo(repo_id: int) -> None:
    """Ends all roles on a repository that has moved to another namespace or is gone, in the caller's transaction."""
    RepoRole.objects.filter(repo_id=repo_id).delete()


def _administered(actor: Actor, organization_name: str) -> Organization:
    require_somebody(actor)
    organization = organization_by_name(organization_name)
    require(actor, "org.admin", thing_of(organization), see="namespace.view")
    return organization


def _team(organization: Organization, team_id: int) -> Team:
    team = Team.objects.filter(organization=organization, pk=team_id).first()
    if team is None:
        raise NotFound("There is no such team", field="team", value=team_id)
    return team


def _team_by_name(repo: Thing, name: str) -> Team:
    team = Team.objects.filter(organization__namespace_id=repo.namespace_id, name=name).first()
    if team is None:
        raise NotFound(
            f"There is no team {name!r} in the repository's organization", field="team", value=name
        )
    return team


def _tell(actor: Actor, team: Team) -> None:
    organization = team.organization
    emit(
        TeamChanged(
            team_id=team.pk, organization_id=organization.pk, name=organization.namespace.name,
            by_user_id=actor.user_id or None,
        )
    )  # fmt: skip
