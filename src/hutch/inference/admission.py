"""Which file of which repository a request means, for whoever may read it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hutch.cas import service as cas
from hutch.cas.service import StoredObject
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor
from hutch.git import refs, trees
from hutch.repos.lookup import find_repo
from hutch.repos.reading import info
from hutch.repos.reading.opened import opened

_NAME = re.compile(r"(?P<repo>[^@:]+?)(?:@(?P<revision>[^:]+))?(?::(?P<file>.+))?")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Runnable:
    """Weights that a runner can load: the file at `path` of a commit. `key` is the same for the same bytes."""

    repo_id: int
    full_name: str
    commit: str
    path: str
    stored: StoredObject

    @property
    def key(self) -> str:
        """What is loaded once for all who ask for it."""
        return self.stored.oid

    @property
    def name(self) -> str:
        """As answers name it."""
        return self.full_name


def admit(actor: Actor, model: str) -> Runnable:
    """The weights behind `namespace/name`, with `@revision` and `:file` where wanted.

    Raises RepoNotFound and the like as any reading does, BadRequest naming the files to choose from.
    """
    match = _NAME.fullmatch(model)
    if match is None:
        raise BadRequest("model is namespace/name, with @revision and :file where wanted", field="model", value=model)
    row = find_repo(actor, "model", match["repo"], "repo.read")
    git = opened(row.path)
    commit = refs.resolve(git, match["revision"] or row.default_branch).commit
    path = match["file"] or _only([name for name in info.file_names(git, commit) if name.endswith(".gguf")], model)
    entry = trees.entry_at(git, commit, path)
    stored = cas.object_of(row.id, entry.pointer.oid) if entry.pointer else None
    if stored is None or not path.endswith(".gguf"):
        raise BadRequest(f"{path} is no model that can be run here: a .gguf file is", field="model", value=model)
    return Runnable(row.id, row.full_name, commit, path, stored)


def _only(files: list[str], model: str) -> str:
    if len(files) == 1:
        return files[0]
    if not files:
        raise BadRequest(f"{model} has no file that can be run here: a .gguf file is", field="model", value=model)
    shown = ", ".join(sorted(files)[:_SHOWN])
    raise BadRequest(
        f"{model} has {len(files)} models: choose one as {model}:FILE, among {shown}", field="model", value=model, limit=1
    )
