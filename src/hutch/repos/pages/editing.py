"""Commits that pages make: a text that was typed, a file that goes, files of a plain form."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from hutch.cas import service as cas
from hutch.core.errors import BadRequest
from hutch.core.permissions import Actor, allows
from hutch.git.paths import check_path
from hutch.git.refs import HEADS
from hutch.repos.changes import preupload, ref_policy
from hutch.repos.changes.commits import Made, create_commit
from hutch.repos.changes.preupload import Planned
from hutch.repos.lookup import RepoRow

Line = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a commit says, where it starts ('' for wherever the branch is) and whether it is only proposed."""

    summary: str
    description: str = ""
    parent: str = ""
    as_pull: bool = False


def may_commit(actor: Actor, repo: RepoRow, revision: str) -> bool:
    """Whether the actor may commit straight to a branch, and need not open a pull request."""
    if not allows(actor, "repo.write", repo):
        return False
    ref = revision if revision.startswith("refs/") else HEADS + revision
    is_protected = ref_policy.is_protected(ref_policy.protected_patterns(repo.id), ref)
    return not is_protected or allows(actor, "repo.protect", repo)


def save_text(
    actor: Actor, repo: RepoRow, revision: str, path: str, text: str, said: Said, *, was: str = ""
) -> Made:
    """Commits a text as the file `path`; the file `was`, if it is another, goes. Raises what `create_commit` does."""
    content = {"path": path, "encoding": "base64", "content": _base64(text.encode("utf-8", "replace"))}
    lines: list[Line] = [("file", content)]
    if was and was != path:
        lines.append(("deletedFile", {"path": was}))
    return _commit(actor, repo, revision, lines, said)


def delete(actor: Actor, repo: RepoRow, revision: str, path: str, said: Said, *, is_folder: bool) -> Made:
    """Commits that a file, or a folder with all that it holds, goes."""
    key = "deletedFolder" if is_folder else "deletedFile"
    return _commit(actor, repo, revision, [(key, {"path": path})], said)


@dataclass(frozen=True, slots=True)
class Sent:
    """A file of a plain form, whole."""

    path: str
    data: bytes


def save_files(actor: Actor, repo: RepoRow, revision: str, files: list[Sent], said: Said) -> Made:
    """Commits the files of a form; those that belong to large-object storage go there first."""
    if not files:
        raise BadRequest("Choose at least one file", field="files")
    plans = [
        Planned(file.path, len(file.data), _base64(file.data[: preupload.MAX_SAMPLE_BYTES])) for file in files
    ]
    modes: dict[str, str] = {}
    for at in range(0, len(plans), preupload.MAX_FILES):
        some = plans[at : at + preupload.MAX_FILES]
        _, advice = preupload.preupload(actor, repo, revision, some, create_pr=said.as_pull)
        modes |= {each.path: each.upload_mode for each in advice}
    return _commit(actor, repo, revision, _sent_lines(actor, repo, files, modes), said)


def _sent_lines(actor: Actor, repo: RepoRow, files: Iterable[Sent], modes: dict[str, str]) -> Iterator[Line]:
    for file in files:
        if modes.get(file.path) == "lfs":
            stored = cas.store_bytes(actor.user_id or 0, repo.id, file.data)
            yield "lfsFile", {"path": file.path, "algo": "sha256", "oid": stored.oid, "size": stored.size}
        else:
            yield "file", {"path": file.path, "encoding": "base64", "content": _base64(file.data)}


def _commit(actor: Actor, repo: RepoRow, revision: str, lines: Iterable[Line], said: Said) -> Made:
    header: dict[str, Any] = {"summary": said.summary, "description": said.description}
    if said.parent:
        header["parentCommit"] = said.parent
    body = io.BytesIO()
    for key, value in [("header", header), *lines]:
        body.write(json.dumps({"key": key, "value": value}).encode() + b"\n")
    body.seek(0)
    return create_commit(actor, repo, revision, body, create_pr=said.as_pull)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def joined(folder: str, name: str) -> str:
    """The path of a name typed on a folder's page. Raises InvalidPath."""
    path = f"{folder.strip('/')}/{name.strip()}" if folder.strip("/") else name.strip()
    return check_path(path)


def as_typed(text: str, original: str = "") -> str:
    """A form's text with the line ends of the file that it changes; forms send CRLF whatever the file had."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain.replace("\n", "\r\n") if "\r\n" in original else plain
