"""Actions on repositories."""

from __future__ import annotations

from hutch.core.permissions import Action, Role, register

_READ = ("repo.content.read", "repo.write")
_WRITE = ("repo.write",)

# see that it exists, with its card's metadata: also for a protected Space, whose app is for everybody
register(Action("repo.view", Role.READ, _READ, public=True, protected=True, writes=False))
# read files and history
register(Action("repo.read", Role.READ, _READ, public=True, writes=False))
register(Action("repo.write", Role.WRITE, _WRITE, own=True))
# settings, visibility, move, delete, history rewriting
register(Action("repo.admin", Role.WRITE, _WRITE, own=True))
# asked about a namespace
register(Action("repo.create", Role.CONTRIBUTOR, _WRITE))
# push straight to a protected branch, and protect branches
register(Action("repo.protect", Role.ADMIN, _WRITE))
# open a pull request or speak in one: whoever may read the repository (asked beside `repo.read`)
register(Action("repo.discuss", Role.NO_ACCESS, ("discussion.write", *_WRITE)))
