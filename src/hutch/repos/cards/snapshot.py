"""What is told of a repository without opening it: card, tags and files of its default branch, copied to its row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from hutch.git import repository
from hutch.git.objects import FOLDER_MODE, SUBMODULE_MODE, decode_name, read_tree
from hutch.git.trees import find_files, open_blob, tree_of
from hutch.repos.cards import front_matter
from hutch.repos.cards import tags as card_tags
from hutch.repos.cards.front_matter import FrontMatter, FrontMatterError
from hutch.repos.models import Repo, RepoTag

log = logging.getLogger(__name__)

MAX_LISTED_FILES = 1000
# A card whose text goes on for longer is read so far.
_MAX_README_BYTES = 2 << 20
_MAX_CONFIG_BYTES = 4 << 20
_MAX_KEPT_CHARACTERS = 100_000
_KEPT_OF_CONFIG = ("architectures", "model_type", "quantization_config", "auto_map")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a commit says of its repository."""

    head_oid: str
    files: list[str]
    card: dict[str, Any]
    config: dict[str, Any]
    tags: list[str]
    pipeline_tag: str
    library_name: str
    sdk: str


def snapshot(path: Path, commit: str, type_: str) -> Snapshot:
    """Reads the card, configuration and file names of a commit; a card that cannot be read counts as empty."""
    repo = repository.open(path)
    files = list(_files(repo, commit))
    try:
        return _told(repo, commit, type_, files)
    except Exception:  # the ref has moved: whatever its users wrote, the row must follow
        log.exception("the card of commit %s of %s cannot be read", commit, path.name)
        return Snapshot(commit, files, {}, {}, [], "", "", "")


def _told(repo: pygit2.Repository, commit: str, type_: str, files: list[str]) -> Snapshot:
    matter = _front_matter(repo, commit)
    card = matter.data
    config = _config(repo, commit) if type_ == "model" else {}
    if type_ == "model":
        tags = card_tags.of_model(card, files, config, matter.body)
    elif type_ == "dataset":
        tags = card_tags.of_dataset(card, files, matter.body)
    else:
        tags = card_tags.of_space(card, matter.body)
    return Snapshot(
        head_oid=commit,
        files=files,
        card=card,
        config=config,
        tags=tags,
        pipeline_tag=card_tags.pipeline_of(card, files, config)[:64] if type_ == "model" else "",
        library_name=card_tags.library_of(card, files, config)[:64] if type_ == "model" else "",
        sdk=next(iter(card_tags.texts(card.get("sdk"))), "")[:32] if type_ == "space" else "",
    )


def put(row: Repo, seen: Snapshot) -> list[str]:
    """Copies a snapshot to the row and its tags, in the caller's transaction; returns the fields to save."""
    row.head_oid = seen.head_oid
    row.head_files = seen.files
    row.card = seen.card
    row.config = seen.config
    row.pipeline_tag = seen.pipeline_tag
    row.library_name = seen.library_name
    row.sdk = seen.sdk or row.sdk
    present = set(RepoTag.objects.filter(repo=row).values_list("tag", flat=True))
    wanted = set(seen.tags)
    if present != wanted:
        RepoTag.objects.filter(repo=row, tag__in=present - wanted).delete()
        missing = [RepoTag(repo=row, tag=tag) for tag in seen.tags if tag not in present]
        RepoTag.objects.bulk_create(missing, ignore_conflicts=True)
    return ["head_oid", "head_files", "card", "config", "pipeline_tag", "library_name", "sdk"]


# The top folder's files first: what tells of formats stands there, and a huge tree is cut off.
def _files(repo: pygit2.Repository, commit: str) -> Iterator[str]:
    pending = [("", tree_of(repo, commit))]
    listed = 0
    while pending:
        prefix, tree = pending.pop(0)
        for entry in read_tree(repo, tree):
            path = prefix + decode_name(entry.name).encode("utf-8", "replace").decode()
            if entry.mode == FOLDER_MODE:
                if len(pending) < MAX_LISTED_FILES:
                    pending.append((path + "/", entry.oid))
                continue
            if entry.mode == SUBMODULE_MODE:
                continue
            yield path
            listed += 1
            if listed == MAX_LISTED_FILES:
                return


def _front_matter(repo: pygit2.Repository, commit: str) -> FrontMatter:
    text = _text(repo, commit, "README.md", _MAX_README_BYTES)
    try:
        return front_matter.parse(text)
    except FrontMatterError:
        return FrontMatter({}, text, found=False)


def _config(repo: pygit2.Repository, commit: str) -> dict[str, Any]:
    try:
        found = json.loads(_text(repo, commit, "config.json", _MAX_CONFIG_BYTES) or "{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    try:
        kept = front_matter.plain({key: found[key] for key in _KEPT_OF_CONFIG if key in found})
    except (FrontMatterError, RecursionError):
        return {}
    return kept if len(json.dumps(kept)) < _MAX_KEPT_CHARACTERS else {}


def _text(repo: pygit2.Repository, commit: str, name: str, most: int) -> str:
    entry = find_files(repo, commit, [name]).get(name)
    if entry is None or entry.kind != "file" or entry.pointer is not None:
        return ""
    with open_blob(repo, entry.oid) as blob:
        return blob.read(most).decode("utf-8", "replace")
