"""Commits through the API: the lines of a request become a tree, a commit, and a move of the branch."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pygit2

from hutch.cas import service as cas
from hutch.cas.errors import MissingObjects
from hutch.core.errors import BadRequest, Conflict, EntryNotFound, HutchError, RevisionNotFound, StaleParent
from hutch.core.permissions import Actor, require
from hutch.git import attributes, pointers, repository, wildmatch
from hutch.git import refs as git_refs
from hutch.git.commits import Change, Copy, Delete, DeleteFolder, ObjectBatch, Put, build_tree, commit
from hutch.git.pointers import Pointer
from hutch.git.refs import CONVERTS, HEADS, PULL_REQUESTS, RefUpdate
from hutch.git.trees import tree_of
from hutch.repos.changes import ref_policy, refs, signatures, tracking
from hutch.repos.changes.commit_lines import (
    CopiedFile,
    DeletedFile,
    DeletedFolder,
    File,
    Header,
    LargeFile,
    Lines,
    Operation,
    read,
)
from hutch.repos.changes.pulls import open_pull
from hutch.repos.errors import InvalidCommit
from hutch.repos.lookup import RepoRow
from hutch.repos.visibility import readable_by

# A commit that names no parent is built again on the new head when another one wins; after this it answers 409.
_RETRY_S = 15.0
_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Made:
    """A commit that is there; `pull_number` if a pull request was opened with it."""

    oid: str
    pull_number: int | None = None


@dataclass(slots=True)
class _Draft:
    """All that a commit will change, with its small files in `batch` already."""

    changes: list[Change]
    pointers: list[Pointer]
    lines: dict[str, int]
    sent_bytes: int = 0
    large_paths: list[str] = field(default_factory=list)
    # what the commit itself puts at .gitattributes
    attributes: bytes | None = None


def create_commit(
    actor: Actor, repo: RepoRow, revision: str, body: Lines, *, create_pr: bool = False
) -> Made:
    """Makes a commit on a branch or pull request of the repository from a request's lines.

    With `create_pr` the branch stays and a pull request is opened on it. A commit that changes nothing answers the
    head as it is. Raises InvalidCommit (the line is named), RevisionNotFound, StaleParent (412: `parentCommit` is not
    the head), Conflict (409: another commit won), MissingObjects, EntryNotFound, ProtectedBranch, QuotaExceeded.
    """
    git = repository.open(repo.path)
    ref = target_ref(git, revision)
    permit(actor, repo, ref, create_pr=create_pr)
    with ObjectBatch(git) as batch:
        header, operations = read(body)
        head = _head(git, ref, revision)
        _check_parent(git, header, head, create_pr)
        with wildmatch.bounded(wildmatch.REQUEST_STEPS):
            draft = _draft(actor, repo, git, header.parent or head, operations, batch)
            make = _as_pull if create_pr else _on_branch
            return make(actor, repo, git, ref, header, draft, batch)


def target_ref(git: pygit2.Repository, revision: str) -> str:
    """The full ref that commits to a revision move. Raises RevisionNotFound, BadRequest for a tag or a hash."""
    if revision.startswith("refs/"):
        names = [revision]
    elif revision.startswith(("pr/", "convert/")):
        names = [HEADS + revision, "refs/" + revision]
    else:
        names = [HEADS + revision]
    for name in names:
        if git_refs.read_ref(git, name) is not None:
            if not name.startswith((HEADS, PULL_REQUESTS, CONVERTS)):
                raise BadRequest(
                    "Commits go to branches and pull requests only", field="revision", value=revision
                )
            return name
    git_refs.resolve(git, revision)
    raise BadRequest("Commits go to branches, not to a tag or a hash", field="revision", value=revision)


def permit(actor: Actor, repo: RepoRow, ref: str, *, create_pr: bool) -> None:
    """Returns if the actor may commit to that ref, or open a pull request on it. Raises as `ref_policy.check`."""
    if create_pr:
        require(actor, "repo.read", repo)
        require(actor, "repo.discuss", repo)
        if not ref.startswith(HEADS):
            raise BadRequest("A pull request is opened on a branch", field="revision", value=ref)
    else:  # as the move itself will be checked, before the body is read
        ref_policy.check(actor, repo, [RefUpdate(ref, "0" * 40, "0" * 40)])


def _head(git: pygit2.Repository, ref: str, revision: str) -> str:
    head = git_refs.read_ref(git, ref)
    if head is None:
        raise RevisionNotFound(f"Invalid rev id: {revision!r}", field="revision", value=revision)
    return head


def _check_parent(git: pygit2.Repository, header: Header, head: str, create_pr: bool) -> None:
    if header.parent is None or header.parent == head:
        return
    if create_pr:  # a pull request may start at any commit that is there
        git_refs.resolve(git, header.parent)
        return
    raise StaleParent(
        f"The branch is at {head}, not at the parentCommit {header.parent}: fetch, and commit again",
        field="parentCommit",
        value=header.parent,
        limit=head,
    )


def _draft(
    actor: Actor,
    repo: RepoRow,
    git: pygit2.Repository,
    base: str,
    operations: Iterable[Operation],
    batch: ObjectBatch,
) -> _Draft:
    draft = _Draft([], [], {})
    rules = attributes.lfs_rules(git, base)
    large: list[LargeFile] = []
    for operation in operations:
        wildmatch.allow(wildmatch.PATH_STEPS)
        draft.lines[operation.path] = operation.line
        match operation:
            case File():
                _place_file(operation, draft, rules, batch)
            case LargeFile():
                large.append(operation)
                draft.changes.append(Put(operation.path, ""))
            case CopiedFile(_, path, src_path, src_revision):
                source = git_refs.resolve(git, src_revision).commit if src_revision else base
                draft.changes.append(Copy(source, src_path, path))
            case DeletedFile(_, path):
                draft.changes.append(Delete(path))
            case DeletedFolder(_, path):
                draft.changes.append(DeleteFolder(path))
    _place_pointers(actor, repo, large, draft, batch)
    return draft


def _place_file(file: File, draft: _Draft, rules: attributes.Rules, batch: ObjectBatch) -> None:
    pointer = pointers.parse(file.content)
    if pointer is not None:
        draft.pointers.append(pointer)
    elif file.content and rules.is_lfs(file.path):
        raise _belongs_to_lfs(file)
    if file.path == tracking.NAME:
        draft.attributes = file.content
    draft.sent_bytes += len(file.content)
    draft.changes.append(Put(file.path, batch.add_blob(file.content)))


def _belongs_to_lfs(file: File) -> InvalidCommit:
    return InvalidCommit(
        file.line,
        f"{file.path!r} is a large object by .gitattributes: upload it by LFS and send it as lfsFile",
        field="path",
        value=file.path,
    )


# Sizes of all large files by one question, since copies name none.
def _place_pointers(
    actor: Actor, repo: RepoRow, large: list[LargeFile], draft: _Draft, batch: ObjectBatch
) -> None:
    if not large:
        return
    sizes = cas.known(actor, repo.id, [file.oid for file in large], readable_by(actor))
    missing = sorted({file.oid for file in large} - sizes.keys())
    if missing:
        raise MissingObjects(missing)
    by_path = {file.path: file for file in large}
    for place, change in enumerate(draft.changes):
        if isinstance(change, Put) and change.blob == "" and change.path in by_path:
            file = by_path[change.path]
            if file.size not in (None, sizes[file.oid]):
                raise InvalidCommit(
                    file.line, f"the object of {file.path!r} has {sizes[file.oid]} bytes, not {file.size}",
                    field="size", value=file.size, limit=sizes[file.oid],
                )  # fmt: skip
            pointer = Pointer(file.oid, sizes[file.oid])
            draft.pointers.append(pointer)
            draft.large_paths.append(file.path)
            draft.changes[place] = Put(file.path, batch.add_blob(pointers.render(pointer)))


def _on_branch(
    actor: Actor,
    repo: RepoRow,
    git: pygit2.Repository,
    ref: str,
    header: Header,
    draft: _Draft,
    batch: ObjectBatch,
) -> Made:
    for _ in _attempts(once=header.parent is not None):
        head = _head(git, ref, ref)
        if header.parent is not None and head != header.parent:
            break
        made = _build(actor, git, head, header, draft, batch)
        try:
            refs.advance(
                actor, repo, [RefUpdate(ref, head, made)],
                pointers=draft.pointers, how="commit", incoming_bytes=draft.sent_bytes,
            )  # fmt: skip
        except Conflict:
            continue
        return Made(made)
    raise Conflict(
        "Another commit to this branch won: commit again on the new head", field="revision", value=ref
    )


def _attempts(*, once: bool) -> Iterator[int]:
    deadline = time.monotonic() + (0 if once else _RETRY_S)
    yield 0
    attempt, pause = 1, _FIRST_PAUSE_S
    while time.monotonic() < deadline:
        time.sleep(pause * random.random())  # noqa: S311 - only so that rivals do not march in step
        yield attempt
        attempt, pause = attempt + 1, min(pause * 1.5, _LONGEST_PAUSE_S)


def _as_pull(
    actor: Actor,
    repo: RepoRow,
    git: pygit2.Repository,
    ref: str,
    header: Header,
    draft: _Draft,
    batch: ObjectBatch,
) -> Made:
    head = header.parent or _head(git, ref, ref)
    made = _build(actor, git, head, header, draft, batch)
    number = open_pull(
        actor, repo, base_ref=ref, head=made, title=header.summary, description=header.description,
        pointers=draft.pointers, incoming_bytes=draft.sent_bytes,
    )  # fmt: skip
    return Made(made, number)


def _build(
    actor: Actor, git: pygit2.Repository, parent: str, header: Header, draft: _Draft, batch: ObjectBatch
) -> str:
    changes = draft.changes
    if draft.large_paths:
        completed = tracking.completed(git, parent, draft.large_paths, draft.attributes)
        if completed is not None:
            changes = [*changes, Put(tracking.NAME, batch.add_blob(completed))]
    try:
        tree = build_tree(git, parent, changes, batch=batch)
    except HutchError as error:
        raise _with_line(error, draft) from error
    if tree == tree_of(git, parent):
        return parent
    made = commit(
        git, tree, [parent], header.message, signatures.author(actor), signatures.committer(), batch=batch
    )
    batch.store()
    return made


def _with_line(error: HutchError, draft: _Draft) -> HutchError:
    named = str(error.value).rstrip("/")
    line = next(
        (line for path, line in draft.lines.items() if path == named or path.startswith(named + "/")), None
    )
    if isinstance(error, EntryNotFound):
        # huggingface_hub looks for this sentence to add its advice on files and folders
        error.message = f"A file with this name doesn't exist: {error.value!r}"
    if line is not None:
        error.message = f"line {line}: {error.message}"
    return error
