"""What the room does about what happens elsewhere: whoever lost access gets a CAS address of their own afresh."""

from __future__ import annotations

from hutch.accounts.events import MemberRemoved, RepoRoleChanged, RoleChanged, TeamChanged, TeamDeleted
from hutch.cas.xet import epochs
from hutch.core.events import listen


@listen(MemberRemoved)
def on_member_removed(event_id: int, event: MemberRemoved) -> None:
    """A member left an organisation, or was made to."""
    epochs.review(event.user_id)


@listen(RoleChanged)
def on_role_changed(event_id: int, event: RoleChanged) -> None:
    """A role may be less than it was."""
    epochs.review(event.user_id)


@listen(RepoRoleChanged)
def on_repo_role_changed(event_id: int, event: RepoRoleChanged) -> None:
    """A role on one repository may be less than it was; of a team, whose members may be many."""
    epochs.review(event.user_id)


@listen(TeamChanged)
def on_team_changed(event_id: int, event: TeamChanged) -> None:
    """A team may have other members or rights."""
    epochs.review()


@listen(TeamDeleted)
def on_team_deleted(event_id: int, event: TeamDeleted) -> None:
    """What a team could read, its members may not read any more."""
    epochs.review()
