"""What the room does about what happens in it: whoever can read less now gets a CAS address afresh."""

from __future__ import annotations

from hutch.cas.xet import epochs
from hutch.core.events import listen
from hutch.repos.events import AccessRequestHandled, RepoDeleted, RepoSettingsChanged


@listen(RepoDeleted)
def on_deleted(event_id: int, event: RepoDeleted) -> None:
    """Its files may have been told to clients that cannot read them elsewhere."""
    epochs.review()


@listen(RepoSettingsChanged)
def on_settings_changed(event_id: int, event: RepoSettingsChanged) -> None:
    """It may be private or gated now."""
    if event.changes.keys() & {"visibility", "gated", "disabled"}:
        epochs.review()


@listen(AccessRequestHandled)
def on_access_request_handled(event_id: int, event: AccessRequestHandled) -> None:
    """Access to a gated repository may have been taken back."""
    epochs.review(event.user_id)
