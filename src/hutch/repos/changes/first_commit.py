"""What a new repository holds: `.gitattributes`, and a card where something is known to stand in it."""

from __future__ import annotations

from pathlib import Path

import yaml

from hutch.core.permissions import Actor
from hutch.git import repository
from hutch.git.attributes import DATASET_GITATTRIBUTES, DEFAULT_GITATTRIBUTES
from hutch.git.commits import Change, ObjectBatch, Put, build_tree, commit
from hutch.git.refs import HEADS, RefUpdate, update
from hutch.repos.changes import signatures

MESSAGE = "initial commit"


def make(path: Path, actor: Actor, type_: str, *, name: str, sdk: str = "", license_id: str = "") -> str:
    """Makes the folder with one commit on `main`, durably; returns the commit."""
    repository.create(path)
    repo = repository.open(path)
    rules = DATASET_GITATTRIBUTES if type_ == "dataset" else DEFAULT_GITATTRIBUTES
    changes: list[Change] = [Put(".gitattributes", rules.encode())]
    card = _card(type_, name, sdk, license_id)
    if card:
        changes.append(Put("README.md", card.encode()))
    with ObjectBatch(repo) as batch:
        tree = build_tree(repo, None, changes, batch=batch)
        first = commit(repo, tree, [], MESSAGE, signatures.author(actor), signatures.committer(), batch=batch)
        batch.store()
    update(path, [RefUpdate(HEADS + "main", None, first)])
    return first


def _card(type_: str, name: str, sdk: str, license_id: str) -> str:
    known: dict[str, object] = {}
    if type_ == "space":
        known = {"title": name, "sdk": sdk, "pinned": False}
        if sdk in ("gradio", "streamlit"):
            known["app_file"] = "app.py"
    if license_id:
        known["license"] = license_id
    if not known:
        return ""
    matter = yaml.safe_dump(known, sort_keys=False, allow_unicode=True)
    return f"---\n{matter}---\n" + (f"\n# {name}\n" if type_ == "space" else "")
