"""What becomes of two branches that are brought together."""

from __future__ import annotations

import os

import pygit2

from hutch.core.permissions import Actor
from hutch.git.commits import commit
from hutch.git.objects import decode_name
from hutch.git.trees import tree_of
from hutch.repos.changes import signatures


def conflicts(git: pygit2.Repository, base: str, head: str) -> list[str]:
    """The files that both sides changed differently since they parted; histories without a common root meet empty."""
    if base == head or git.descendant_of(head, base) or git.descendant_of(base, head):
        return []
    found = git.merge_commits(base, head).conflicts
    if found is None:
        return []
    return sorted({_path(side) for sides in found for side in sides if side is not None})


def merged_commit(git: pygit2.Repository, base: str, head: str, message: str, actor: Actor) -> str:
    """The commit at which `base` has all of `head`: one that is there where no merge is needed, else one new commit."""
    if base == head or git.descendant_of(base, head):
        return base
    if git.descendant_of(head, base):
        return head
    tree = str(git.merge_commits(base, head).write_tree(git))
    if tree == tree_of(git, base):
        return base
    return commit(git, tree, [base], message, signatures.author(actor), signatures.committer())


def _path(side: pygit2.IndexEntry) -> str:
    return decode_name(os.fsencode(side.path))
