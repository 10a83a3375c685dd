"""Branches and tags come and go, and a branch's history becomes one commit."""

from __future__ import annotations

import pygit2
from pygit2.enums import ObjectType

from hutch.core.errors import Conflict, RevisionNotFound
from hutch.core.permissions import Actor, require
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.commits import ObjectBatch, build_tree, commit, squash
from hutch.git.refs import CONVERTS, HEADS, RefUpdate, check_branch_name, check_ref_name, check_tag_name
from hutch.repos.changes import ref_policy, refs, signatures
from hutch.repos.changes.commit_lines import MAX_SUMMARY_CHARACTERS
from hutch.repos.changes.commits import target_ref
from hutch.repos.lookup import RepoRow
from hutch.repos.texts import checked


def create_branch(
    actor: Actor,
    repo: RepoRow,
    branch: str,
    *,
    start: str | None = None,
    empty: bool = False,
    overwrite: bool = False,
) -> str:
    """Makes a branch (or `refs/convert/NAME`) at a revision, by default the default branch; returns its commit.

    `empty`: it begins a history of its own. Raises Conflict if it exists, RevisionNotFound, InvalidRefName, Forbidden.
    """
    ref_policy.check(actor, repo, [])
    name = _branch_ref(branch)
    git = repository.open(repo.path)
    present = git_refs.read_ref(git, name)
    if present is not None and not overwrite:
        raise Conflict(f"Reference already exists: {branch!r}", field="branch", value=branch)
    if empty:
        new = _empty_commit(actor, git)
    else:
        new = git_refs.resolve(git, start or repo.default_branch).commit
    refs.advance(actor, repo, [RefUpdate(name, present, new)], how="api")
    return new


def delete_branch(actor: Actor, repo: RepoRow, branch: str) -> None:
    """Removes a branch. Raises RevisionNotFound, BadRequest (the default branch), ProtectedBranch."""
    _delete(actor, repo, _branch_ref(branch), branch)


def create_tag(actor: Actor, repo: RepoRow, tag: str, *, revision: str, message: str = "") -> str:
    """Tags a revision; with a message as an annotated tag. Returns the commit.

    Raises Conflict if the tag exists, RevisionNotFound, InvalidRefName, Forbidden.
    """
    ref_policy.check(actor, repo, [])
    name = check_tag_name(tag)
    text = checked("message", message, MAX_SUMMARY_CHARACTERS, required=False)
    git = repository.open(repo.path)
    if git_refs.read_ref(git, name) is not None:
        raise Conflict(f"Tag {tag!r} exists already", field="tag", value=tag)
    target = git_refs.resolve(git, revision).commit
    new = _tag_object(actor, git, tag, target, text) if text.strip() else target
    refs.advance(actor, repo, [RefUpdate(name, None, new)], how="api")
    return target


def delete_tag(actor: Actor, repo: RepoRow, tag: str) -> None:
    """Removes a tag. Raises RevisionNotFound."""
    _delete(actor, repo, check_tag_name(tag), tag)


def super_squash(actor: Actor, repo: RepoRow, branch: str, message: str | None = None) -> str:
    """Makes the history of a branch one commit with the tree that it has; returns that commit.

    Raises RevisionNotFound, ProtectedBranch, Forbidden, and Conflict if the branch moves meanwhile.
    """
    require(actor, "repo.admin", repo)
    text = checked("message", message or f"Super-squash branch '{branch}'", MAX_SUMMARY_CHARACTERS)
    git = repository.open(repo.path)
    name = target_ref(git, branch)
    head = git_refs.read_ref(git, name)
    if head is None:
        raise RevisionNotFound(f"Invalid rev id: {branch!r}", field="branch", value=branch)
    squashed = squash(git, head, text, signatures.author(actor))
    refs.advance(actor, repo, [RefUpdate(name, head, squashed)], how="api")
    return squashed


def _branch_ref(branch: str) -> str:
    if branch.startswith(CONVERTS):
        return check_ref_name(branch)
    return check_branch_name(branch.removeprefix(HEADS))


def _delete(actor: Actor, repo: RepoRow, name: str, shown: str) -> None:
    ref_policy.check(actor, repo, [])
    present = git_refs.read_ref(repository.open(repo.path), name)
    if present is None:
        raise RevisionNotFound(f"Invalid rev id: {shown!r}", field="revision", value=shown)
    refs.advance(actor, repo, [RefUpdate(name, present, None)], how="api")


def _empty_commit(actor: Actor, git: pygit2.Repository) -> str:
    tree = build_tree(git, None, [])
    return commit(git, tree, [], "initial commit", signatures.author(actor), signatures.committer())


def _tag_object(actor: Actor, git: pygit2.Repository, tag: str, target: str, message: str) -> str:
    who = signatures.author(actor)
    name = "".join(char for char in who.name if char >= " " and char not in "<>") or "unknown"
    moment = int(who.when.timestamp())
    lines = [f"object {target}", "type commit", f"tag {tag}", f"tagger {name} <{who.email}> {moment} +0000"]
    text = "\n".join([*lines, "", message.strip("\n"), ""])
    with ObjectBatch(git) as batch:
        made = batch.add(ObjectType.TAG, text.encode("utf-8", "replace"))
        batch.store()
    return made
