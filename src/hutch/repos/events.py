"""What happens to repositories, in the past tense. Listeners elsewhere get these as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hutch.core.events import Event, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoCreated(Event):
    """A repository exists now, with its first commit; a bucket has none."""

    repo_id: int = doc("its key")
    type: str = doc("model, dataset, space, kernel or bucket")
    full_name: str = doc("`namespace/name`, or a one-segment name")
    visibility: str = doc("public, private or protected")
    head_oid: str = doc("its first commit; empty for a bucket")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class RefMove:
    """One ref and where it was and is."""

    ref: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoPushed(Event):
    """Refs of a repository moved, by git push, a commit or the API."""

    repo_id: int = doc("its key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("its name at that moment")
    how: str = doc("push, commit or api")
    refs: tuple[RefMove, ...] = doc("`ref`, `old`, `new` of each; None where there was or is none")
    by_user_id: int | None = doc(
        "key of the user who did it; None if a restart finished it and the user is gone"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoMoved(Event):
    """A repository has another name; the old one leads to it."""

    repo_id: int = doc("its key")
    type: str = doc("model, dataset, space, kernel or bucket")
    old_name: str = doc("the name before")
    full_name: str = doc("the name now")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoDeleted(Event):
    """A repository is gone for good."""

    repo_id: int = doc("the key that it had")
    type: str = doc("model, dataset, space, kernel or bucket")
    full_name: str = doc("its last name")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepoSettingsChanged(Event):
    """Visibility, gate, default branch or protected branches are others now."""

    repo_id: int = doc("its key")
    type: str = doc("model, dataset, space, kernel or bucket")
    full_name: str = doc("its name")
    changes: dict[str, Any] = doc("the setting's name and its new value")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullOpened(Event):
    """A pull request was opened."""

    repo_id: int = doc("the repository's key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("the repository's name")
    number: int = doc("the pull request's number")
    title: str = doc("its title")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullCommented(Event):
    """Something was said about a pull request."""

    repo_id: int = doc("the repository's key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("the repository's name")
    number: int = doc("the pull request's number")
    comment: str = doc("what was said, as Markdown")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class PullStatusChanged(Event):
    """A pull request was closed, opened again or merged."""

    repo_id: int = doc("the repository's key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("the repository's name")
    number: int = doc("the pull request's number")
    status: str = doc("open, closed or merged")
    by_user_id: int | None = doc("key of the user who did it")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequested(Event):
    """A user asked for the files of a gated repository."""

    repo_id: int = doc("the repository's key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("the repository's name")
    user_id: int = doc("the key of the user who asks")
    status: str = doc("pending, or accepted where the gate opens by itself")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRequestHandled(Event):
    """A request for the files of a gated repository was answered."""

    repo_id: int = doc("the repository's key")
    type: str = doc("model, dataset, space or kernel")
    full_name: str = doc("the repository's name")
    user_id: int = doc("the key of the user who had asked")
    status: str = doc("accepted, rejected or pending")
    by_user_id: int | None = doc("the key of the user who answered")
