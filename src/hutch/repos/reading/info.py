"""What is told of a repository as a whole: from its row for the default branch, from git for any other revision."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pygit2

from hutch.cas import usage
from hutch.core.errors import BadRequest, EntryNotFound
from hutch.core.permissions import Actor, allows
from hutch.git import trees
from hutch.git.objects import FOLDER_MODE, SUBMODULE_MODE, decode_name, read_tree
from hutch.git.trees import Entry
from hutch.repos.api.shapes import Shape, moment, public_id, readable, sibling_shape
from hutch.repos.cards import snapshot as cards
from hutch.repos.cards import weights
from hutch.repos.cards.snapshot import MAX_LISTED_FILES, Snapshot
from hutch.repos.cards.tags import texts
from hutch.repos.lookup import RepoRow, find_repo, git_path
from hutch.repos.models import Repo
from hutch.repos.reading.opened import opened
from hutch.repos.storage_overview import stored_bytes
from hutch.repos.wires.resolving import resolve_commit


@dataclass
class Seen:
    """A repository at a commit, as it is told of. `commit` is None while it is empty."""

    row: Repo
    commit: str | None
    snapshot: Snapshot | None
    """What another revision than the default branch's says; None for the latter, whose copy stands in the row."""
    shows_files: bool
    with_blobs: bool = False

    @property
    def card(self) -> dict[str, Any]:
        """The card's metadata."""
        return self.row.card if self.snapshot is None else self.snapshot.card

    @property
    def tags(self) -> list[str]:
        """In the order in which they were found."""
        if self.snapshot is not None:
            return self.snapshot.tags
        return [tag.tag for tag in sorted(self.row.tags.all(), key=lambda tag: tag.pk)]

    @cached_property
    def git(self) -> pygit2.Repository:
        """The git repository, for this thread."""
        return opened(git_path(self.row.storage_id))

    @cached_property
    def files(self) -> list[str]:
        """All paths of the commit."""
        if self.commit is None or not self.shows_files:
            return []
        if self.snapshot is None and len(self.row.head_files) < MAX_LISTED_FILES:
            return self.row.head_files
        return list(file_names(self.git, self.commit))

    @property
    def siblings(self) -> list[Shape]:
        """All files, with their sizes and hashes if asked for."""
        if not self.with_blobs or self.commit is None or not self.shows_files:
            return [{"rfilename": name} for name in self.files]
        return [sibling_shape(entry) for entry in trees.walk(self.git, self.commit) if _is_file(entry)]


def _is_file(entry: Entry) -> bool:
    return entry.kind in ("file", "symlink")


def file_names(repo: pygit2.Repository, commit: str) -> Iterator[str]:
    """The paths of all files of a commit, without a look at the files."""
    pending = [("", trees.tree_of(repo, commit))]
    while pending:
        prefix, tree = pending.pop()
        folders = []
        for entry in read_tree(repo, tree):
            path = prefix + decode_name(entry.name)
            if entry.mode == FOLDER_MODE:
                folders.append((path + "/", entry.oid))
            elif entry.mode != SUBMODULE_MODE:
                yield readable(path)
        pending += reversed(folders)


def info(
    actor: Actor,
    type_: str,
    full_name: str,
    revision: str | None = None,
    *,
    blobs: bool = False,
    security: bool = False,
    expand: Sequence[str] = (),
) -> Shape:
    """A repository as `/api/models/{id}` tells of it; with `expand`, those properties and no others.

    Raises RepoNotFound, RevisionNotFound, BadRequest for a property that does not exist.
    """
    found = find_repo(actor, type_, full_name, "repo.view" if revision is None else "repo.read")
    wanted = wanted_properties(type_, expand) or DEFAULTS[type_]
    seen = _see(actor, found, revision)
    seen.with_blobs = blobs
    shape = shape_of(seen, wanted)
    if security:
        shape["securityRepoStatus"] = {"scansDone": False, "filesWithIssues": []}
    return shape


def _see(actor: Actor, found: RepoRow, revision: str | None) -> Seen:
    row = Repo.objects.select_related("namespace").prefetch_related("tags").get(pk=found.id)
    shows_files = allows(actor, "repo.read", found)
    if revision is None:
        return Seen(row, row.head_oid or None, None, shows_files)
    commit = resolve_commit(found, revision)[1]
    snapshot = None if commit == row.head_oid else cards.snapshot(found.path, commit, found.type)
    return Seen(row, commit, snapshot, shows_files)


def shape_of(seen: Seen, properties: Iterable[str]) -> Shape:
    """The JSON of a repository with these properties."""
    shape: Shape = {"_id": public_id(seen.row.pk), "id": seen.row.full_name}
    if seen.row.type == "model":
        shape["modelId"] = seen.row.full_name
    for name in properties:
        value = PROPERTIES[name](seen)
        if value is not None or name in _ALWAYS_TOLD:
            shape[name] = value
    return shape


def wanted_properties(type_: str, expand: Sequence[str]) -> list[str]:
    """The properties that `expand` names. Raises BadRequest for one that this type has not."""
    for name in expand:
        if name not in ALLOWED[type_]:
            known = ", ".join(sorted(ALLOWED[type_]))
            raise BadRequest(f"expand {name!r} is not known; known are {known}", field="expand", value=name)
    return list(dict.fromkeys(expand))


def _config(seen: Seen) -> Shape | None:
    config = seen.row.config if seen.snapshot is None else seen.snapshot.config
    return config or None


def _model_index(seen: Seen) -> Any:
    return seen.card.get("model-index")


def _sdk(seen: Seen) -> str | None:
    return (seen.row.sdk if seen.snapshot is None else seen.snapshot.sdk) or None


def _pipeline(seen: Seen) -> str | None:
    return (seen.row.pipeline_tag if seen.snapshot is None else seen.snapshot.pipeline_tag) or None


def _library(seen: Seen) -> str | None:
    return (seen.row.library_name if seen.snapshot is None else seen.snapshot.library_name) or None


def _author(seen: Seen) -> str | None:
    return seen.row.namespace.name if seen.row.namespace is not None else None


def _linked(key: str) -> Callable[[Seen], list[str] | None]:
    return lambda seen: texts(seen.card[key]) if key in seen.card else None


def _safetensors(seen: Seen) -> Shape | None:
    if seen.commit is None or not seen.shows_files or "safetensors" not in seen.tags:
        return None
    return weights.parameters(seen.row.pk, seen.git, seen.commit, seen.files)


def _gguf(seen: Seen) -> Shape | None:
    if seen.commit is None or not seen.shows_files or "gguf" not in seen.tags:
        return None
    return weights.gguf(seen.row.pk, seen.git, seen.commit, seen.files)


def _main_size(seen: Seen) -> int | None:
    if seen.commit is None or not seen.shows_files:
        return None
    try:
        return trees.folder_size(seen.git, seen.commit)
    except EntryNotFound:
        return None


PROPERTIES: dict[str, Callable[[Seen], Any]] = {
    "author": _author,
    "baseModels": _linked("base_model"),
    "cardData": lambda seen: seen.card or None,
    "childrenModelCount": lambda seen: None,
    "citation": lambda seen: None,
    "config": _config,
    "createdAt": lambda seen: moment(seen.row.created_at),
    "datasets": _linked("datasets"),
    "description": lambda seen: seen.card.get("description"),
    "disabled": lambda seen: seen.row.disabled,
    "downloads": lambda seen: seen.row.downloads,
    "downloadsAllTime": lambda seen: seen.row.downloads,
    "evalResults": lambda seen: None,
    "gated": lambda seen: seen.row.gated or False,
    "gguf": _gguf,
    "inference": lambda seen: None,
    "inferenceProviderMapping": lambda seen: None,
    "lastModified": lambda seen: moment(seen.row.updated_at),
    "library_name": _library,
    "likes": lambda seen: seen.row.likes,
    "mainSize": _main_size,
    "mask_token": lambda seen: None,
    "model-index": _model_index,
    "models": _linked("models"),
    "paperswithcode_id": lambda seen: seen.card.get("paperswithcode_id"),
    "pipeline_tag": _pipeline,
    "private": lambda seen: seen.row.visibility == "private",
    "region": lambda seen: None,
    "resourceGroup": lambda seen: None,
    "runtime": lambda seen: None,
    "safetensors": _safetensors,
    "sdk": _sdk,
    "sha": lambda seen: seen.commit,
    "siblings": lambda seen: seen.siblings,
    "spaces": lambda seen: None,
    "subdomain": lambda seen: None,
    "tags": lambda seen: seen.tags,
    "transformersInfo": lambda seen: None,
    "trendingScore": lambda seen: None,
    "dedupedStorage": lambda seen: stored_bytes(seen.row, usage.of(seen.row.pk)),
    "usedStorage": lambda seen: seen.row.git_bytes + seen.row.lfs_bytes,
    "visibility": lambda seen: seen.row.visibility,
    "widgetData": lambda seen: seen.card.get("widget"),
    "xetEnabled": lambda seen: True,
}
_ALWAYS_TOLD = frozenset({"sha"})

_COMMON = "author cardData createdAt disabled gated lastModified likes private sha siblings tags usedStorage visibility"
_EVERY = f"{_COMMON} dedupedStorage downloads downloadsAllTime resourceGroup trendingScore xetEnabled"
DEFAULTS: dict[str, list[str]] = {
    "model": f"{_COMMON} config downloads gguf library_name model-index pipeline_tag safetensors widgetData".split(),
    "dataset": f"{_COMMON} citation description downloads paperswithcode_id".split(),
    "space": f"{_COMMON} datasets models sdk".split(),
    "kernel": f"{_COMMON} downloads".split(),
}
ALLOWED: dict[str, frozenset[str]] = {
    "model": frozenset(
        f"{_EVERY} baseModels childrenModelCount config evalResults gguf inference inferenceProviderMapping "
        "library_name mask_token model-index pipeline_tag safetensors spaces transformersInfo widgetData".split()
    ),
    "dataset": frozenset(f"{_EVERY} citation description mainSize paperswithcode_id".split()),
    "space": frozenset(f"{_EVERY} datasets models region runtime sdk subdomain".split()),
    "kernel": frozenset(_EVERY.split()),
}
