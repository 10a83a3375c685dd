"""How each file of an upload shall be sent: inside the commit or as a large object, or not at all."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import pygit2

from hutch.core.errors import BadRequest, EntryNotFound
from hutch.core.permissions import Actor
from hutch.git import attributes, repository, wildmatch
from hutch.git import refs as git_refs
from hutch.git.errors import BlobTooLarge
from hutch.git.paths import check_path
from hutch.git.trees import Entry, find_files, read_blob
from hutch.repos.changes.commits import permit, target_ref
from hutch.repos.changes.ignore_rules import MAX_BYTES, IgnoreRules
from hutch.repos.lookup import RepoRow
from hutch.settings import current

MAX_FILES = 1000
MAX_SAMPLE_BYTES = 4096
# bytes that text in no encoding has: control characters without tab, newlines, form feed, escape
_CONTROLS = frozenset(range(32)) - {9, 10, 11, 12, 13, 27}


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that a client wants to send: `sample` is its first bytes in base64."""

    path: str
    size: int
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do with it. `oid`: the git blob that lies at the path now."""

    path: str
    upload_mode: str
    should_ignore: bool
    oid: str | None


def preupload(
    actor: Actor,
    repo: RepoRow,
    revision: str,
    files: list[Planned],
    *,
    git_ignore: str | None = None,
    git_attributes: str | None = None,
    create_pr: bool = False,
) -> tuple[str, list[Advice]]:
    """The head of the revision and an advice for each file; costs as much as the files, not as the tree.

    Given `git_ignore` and `git_attributes` stand for the files of that name in the repository. Raises RevisionNotFound,
    InvalidPath, BadRequest naming field and limit.
    """
    git = repository.open(repo.path)
    ref = target_ref(git, revision)
    permit(actor, repo, ref, create_pr=create_pr)
    if len(files) > MAX_FILES:
        raise BadRequest(
            f"At most {MAX_FILES} files a request", field="files", value=len(files), limit=MAX_FILES
        )
    head = git_refs.read_ref(git, ref) or ""
    for file in files:
        _check(file)
    rules = (
        attributes.lfs_rules(git, head)
        if git_attributes is None
        else attributes.rules_of(git_attributes.encode("utf-8", "replace"))
    )
    ignore = IgnoreRules(
        _ignore_file(git, head) if git_ignore is None else git_ignore.encode("utf-8", "replace")
    )
    present = find_files(git, head, [file.path for file in files])
    with wildmatch.bounded(wildmatch.REQUEST_STEPS):
        return head, [_advice(file, rules, ignore, present) for file in files]


def _advice(file: Planned, rules: attributes.Rules, ignore: IgnoreRules, present: dict[str, Entry]) -> Advice:
    there = present.get(file.path)
    return Advice(
        path=file.path,
        upload_mode="lfs" if _is_large(file, rules) else "regular",
        should_ignore=ignore.ignores(file.path),
        oid=there.oid if there is not None and there.kind == "file" else None,
    )


def _check(file: Planned) -> None:
    check_path(file.path)
    limit = current().max_file_bytes
    if not 0 <= file.size <= limit:
        raise BadRequest(
            f"{file.path!r} has {file.size} bytes; at most {limit} are taken",
            field="size",
            value=file.size,
            limit=limit,
        )


def _is_large(file: Planned, rules: attributes.Rules) -> bool:
    if file.size == 0:
        return False
    if file.size >= current().regular_file_bytes or rules.is_lfs(file.path):
        return True
    return is_binary(_sample(file), whole=file.size <= MAX_SAMPLE_BYTES)


def _sample(file: Planned) -> bytes:
    if len(file.sample) > MAX_SAMPLE_BYTES * 2:
        raise BadRequest(
            f"The sample of {file.path!r} is longer than {MAX_SAMPLE_BYTES} bytes",
            field="sample",
            limit=MAX_SAMPLE_BYTES,
        )
    try:
        return base64.b64decode(file.sample, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(
            f"The sample of {file.path!r} is not base64", field="sample", value=file.sample
        ) from error


def is_binary(sample: bytes, *, whole: bool) -> bool:
    """Whether these first bytes of a file are no text: a NUL, or not UTF-8 and with more than a few controls."""
    if b"\0" in sample:
        return True
    try:
        sample.decode()
    except UnicodeDecodeError as error:
        if not whole and error.start >= len(sample) - 3:  # a character cut by the sample's end
            return False
        return sum(byte in _CONTROLS for byte in sample) > len(sample) // 50
    return False


def _ignore_file(git: pygit2.Repository, head: str) -> bytes:
    entry = find_files(git, head, [".gitignore"]).get(".gitignore")
    if entry is None or entry.kind != "file":
        return b""
    try:
        return read_blob(git, entry.oid, MAX_BYTES)
    except (BlobTooLarge, EntryNotFound):
        return b""
