"""Looking for damage: git's own fsck, refs that lead nowhere, and the pointers that something must stand behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2

from hutch.git import pointers as lfs
from hutch.git import process, refs, repository
from hutch.git.errors import GitFailed
from hutch.git.objects import decode_name
from hutch.git.pointers import Pointer
from hutch.git.ref_names import HEADS, NAMESPACES

FSCK_TIMEOUT_S = 6 * 3600.0

# What fsck says of a sound repository: leftovers of refused or squashed work are no damage.
_HARMLESS = ("dangling ", "unreachable ", "notice: ", "warning ", "Checking ")


@dataclass(frozen=True, slots=True)
class Problem:
    """One damage: `kind` is `object`, `ref` or `repository`; `what` is git's or our sentence."""

    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class FoundPointer:
    """A pointer, the blob that holds it, and one path at which some commit has it."""

    pointer: Pointer
    blob: str
    path: str


def fsck(path: Path) -> list[Problem]:
    """Every object hashed, every link followed, every ref resolved; an empty list is a sound repository."""
    try:
        repo = repository.open(path)
    except Exception as broken:
        return [Problem("repository", f"cannot be opened: {broken}")]
    return [*_broken_refs(repo), *_git_fsck(path)]


def _broken_refs(repo: pygit2.Repository) -> Iterator[Problem]:
    for name in repo.listall_references():
        if not name.startswith(NAMESPACES):
            continue
        target = refs.read_ref(repo, name)
        commit = None if target is None else refs.commit_of(repo, target)
        if target is None or (commit is None and name.startswith(HEADS)) or target not in repo:
            yield Problem("ref", f"{name} leads to no commit")


def _git_fsck(path: Path) -> Iterator[Problem]:
    args = ["fsck", "--full", "--no-progress", "--no-dangling", "--name-objects"]
    done = process.run_raw(path, args, timeout_s=FSCK_TIMEOUT_S)
    # A broken link is told in two lines, the second one indented.
    text = re.sub(rb"\n +", b" ", done.stdout + done.stderr).decode("utf-8", "replace")
    lines = dict.fromkeys(text.splitlines())
    told = [line for line in lines if line.strip() and not line.startswith(_HARMLESS)]
    for line in told:
        yield Problem("object", line)
    if done.returncode != 0 and not told:
        yield Problem("object", f"git fsck ended with status {done.returncode}")


def pointers(path: Path) -> Iterator[FoundPointer]:
    """Every LFS pointer that any commit of any ref reaches, once for each blob; streamed.

    Raises GitFailed where the repository is damaged.
    """
    candidates = _small_blobs(path)
    while page := _page(candidates, 5000):
        yield from _parsed(path, page)


def _page(source: Iterator[tuple[str, str]], size: int) -> dict[str, str]:
    page: dict[str, str] = {}
    for oid, found_at in source:
        page[oid] = found_at
        if len(page) == size:
            break
    return page


def _small_blobs(path: Path) -> Iterator[tuple[str, str]]:
    chosen = f"--filter=combine:blob:limit={lfs.MAX_POINTER_BYTES + 1}+object:type=blob"
    args = ["rev-list", "--objects", "--all", "--object-names", "--filter-provided-objects", chosen]
    with process.stream(path, args) as out:
        for line in out:
            oid, _, name = line.rstrip(b"\n").partition(b" ")
            if name:
                yield oid.decode(), decode_name(name)


def _parsed(path: Path, page: dict[str, str]) -> Iterator[FoundPointer]:
    stdin = "".join(f"{oid}\n" for oid in page).encode()
    with process.stream(path, ["cat-file", "--batch"], stdin=stdin) as out:
        for oid, found_at in page.items():
            words = out.readline().split()
            if len(words) != 3:
                raise GitFailed(f"object {oid} of {found_at} is missing")
            data = out.read(int(words[2]))
            out.read(1)
            pointer = lfs.parse(data) if words[1] == b"blob" else None
            if pointer is not None:
                yield FoundPointer(pointer, oid, found_at)
