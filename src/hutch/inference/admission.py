"""Which file of which repository a request means, for whoever may read it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from hutch.accounts import lookup
from hutch.cas import service as cas
from hutch.cas.service import StoredObject
from hutch.core.errors import BadRequest, HutchError, Unauthorized
from hutch.core.permissions import Actor
from hutch.git import refs, trees
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.reading import info
from hutch.repos.reading.opened import opened

_NAME = re.compile(r"(?P<repo>[^@:]+?)(?:@(?P<revision>[^:]+))?(?::(?P<file>.+))?")
_SHOWN = 5
_EVERYBODY, _STRANGERS = "all", "apart"


@dataclass(frozen=True, slots=True)
class Runnable:
    """Weights that a runner can load: the file at `path` of a commit.

    `circle` are those who share what a loaded model has read, and could tell from an answer's time what others asked.
    """

    repo_id: int
    full_name: str
    commit: str
    path: str
    stored: StoredObject
    circle: str

    @property
    def key(self) -> str:
        """What is loaded once, for all of a circle who ask for the same bytes."""
        return f"{self.stored.oid}-{self.circle}"

    @property
    def shares_prefixes(self) -> bool:
        """Whether what one request has read may serve the next."""
        return self.circle != _STRANGERS


def admit(actor: Actor, model: str) -> Runnable:
    """The weights behind `namespace/name`, with `@revision` and `:file` where wanted, for whoever may read them.

    To make a model work takes somebody who is known. Raises RepoNotFound and the like as any reading does, Unauthorized
    to nobody, BadRequest naming the files to choose from.
    """
    match = _NAME.fullmatch(model)
    if match is None:
        raise BadRequest(
            "model is namespace/name, with @revision and :file where wanted", field="model", value=model
        )
    row = find_repo(actor, "model", match["repo"], "repo.read")
    if actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to run a model")
    git = opened(row.path)
    commit = refs.resolve(git, match["revision"] or row.default_branch).commit
    path = match["file"] or _only(
        [name for name in info.file_names(git, commit) if name.endswith(".gguf")], model
    )
    entry = trees.entry_at(git, commit, path)
    stored = cas.object_of(row.id, entry.pointer.oid) if entry.pointer else None
    if stored is None or not path.endswith(".gguf"):
        raise BadRequest(
            f"{path} is no model that can be run here: a .gguf file is", field="model", value=model
        )
    return Runnable(row.id, row.full_name, commit, path, stored, _circle(row))


def readable(actor: Actor, names: Iterable[str]) -> list[str]:
    """Those of the models that the actor may read, each once, in their order."""
    found = []
    for name in dict.fromkeys(names):
        with contextlib.suppress(HutchError):
            found.append(find_repo(actor, "model", name, "repo.read").full_name)
    return found


# Only members reach a private repository. A public one is everybody's: several organisations share nothing there.
def _circle(row: RepoRow) -> str:
    if row.visibility != "public" and row.namespace_id is not None:
        return f"n{row.namespace_id}"
    return _EVERYBODY if lookup.organization_count() <= 1 else _STRANGERS


def _only(files: list[str], model: str) -> str:
    if len(files) == 1:
        return files[0]
    if not files:
        raise BadRequest(
            f"{model} has no file that can be run here: a .gguf file is", field="model", value=model
        )
    shown = ", ".join(sorted(files)[:_SHOWN])
    raise BadRequest(
        f"{model} has {len(files)} models: choose one as {model}:FILE, among {shown}",
        field="model",
        value=model,
        limit=1,
    )
