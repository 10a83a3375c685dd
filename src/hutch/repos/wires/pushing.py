"""A push, from its body to its report: unpacked apart, checked, then led through the one hallway, `refs.advance`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from hutch.core.errors import BadRequest, HutchError
from hutch.core.permissions import Actor, allows, require
from hutch.git import paths, receive, repository
from hutch.git.errors import BlobTooLarge, PackTooLarge, PathCollision
from hutch.git.objects import decode_name, read_tree
from hutch.git.pointers import Pointer
from hutch.git.receive import Command, Push, Quarantine, Result
from hutch.git.refs import RefUpdate, commit_of
from hutch.git.trees import check_depth, tree_of
from hutch.repos.changes import ref_policy, refs
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Pull
from hutch.settings import current

_NAMED_FILES = 10


@dataclass(slots=True)
class PushUnderWay:
    """A push that is being received. `close` drops whatever of it has not become part of the repository."""

    actor: Actor
    repo: RepoRow
    body: IO[bytes]
    size_bytes: int = 0
    push: Push | None = None
    quarantine: Quarantine | None = None
    pointers: list[Pointer] = field(default_factory=list)

    def close(self) -> None:
        """Removes the body and the quarantine."""
        self.body.close()
        if self.quarantine is not None:
            self.quarantine.__exit__(None, None, None)


def require_push(actor: Actor, repo: RepoRow) -> None:
    """Returns if `actor` may push anything at all here: writers, and whoever has a pull request of their own.

    Raises Unauthorized for nobody, Forbidden, RepoNotFound.
    """
    if allows(actor, "repo.write", repo):
        return
    if (
        allows(actor, "repo.discuss", repo)
        and Pull.objects.filter(repo_id=repo.id, author_id=actor.user_id).exists()
    ):
        return
    require(actor, "repo.write", repo)


def new_push(actor: Actor, repo: RepoRow) -> PushUnderWay:
    """Room on the disk for the body of a push, without a name, so that a killed server leaves nothing behind."""
    # unbuffered: git reads on from the same descriptor, at the pack
    return PushUnderWay(actor, repo, tempfile.TemporaryFile(dir=current().data, buffering=0))


def read_commands(under_way: PushUnderWay) -> Push:
    """The commands at the head of the body. Raises InvalidPack."""
    under_way.push = receive.parse_commands(under_way.body)
    return under_way.push


def refuse_early(under_way: PushUnderWay) -> None:
    """Spares the pack where it is too large or its only ref may not move anyway.

    Raises PackTooLarge, and what `ref_policy.check` raises.
    """
    push, limit = under_way.push, current().max_push_bytes
    assert push is not None
    if under_way.size_bytes > limit:
        raise PackTooLarge(f"The push has more than {limit} bytes", field="pack", limit=limit)
    if len(push.commands) == 1:
        ref_policy.check(under_way.actor, under_way.repo, _updates(push.commands))


def unpack(under_way: PushUnderWay) -> None:
    """Takes the pack in and checks all that can be checked without the database.

    Raises InvalidPack, PackTooLarge, InvalidPath, PathCollision, BlobTooLarge: then nothing of the push is kept.
    """
    push = under_way.push
    assert push is not None
    if not push.has_pack:
        return
    quarantine = under_way.quarantine = Quarantine(under_way.repo.path)
    quarantine.__enter__()
    quarantine.unpack(under_way.body.fileno(), max_bytes=current().max_push_bytes)
    quarantine.check_connectivity(push.new_oids)
    _check_names(under_way, quarantine)
    _check_files(quarantine, push)
    under_way.pointers = list(dict.fromkeys(quarantine.new_pointers().values()))


# The names stand in trees: a bad one may lead to a blob that has been here for long.
def _check_names(under_way: PushUnderWay, quarantine: Quarantine) -> None:
    git = repository.open(under_way.repo.path)
    git.odb.add_disk_alternate(str(quarantine.object_folder))
    tips = [commit_of(git, tip) for tip in under_way.push.new_oids] if under_way.push else []
    check_depth(git, {tree_of(git, tip) for tip in tips if tip is not None})
    seen: set[bytes] = set()
    for oid, kind, _ in quarantine.headers(quarantine.new_oids()):
        if kind != "tree":
            continue
        folded: dict[str, str] = {}
        for entry in read_tree(git, oid):
            name = decode_name(entry.name)
            if entry.name not in seen:
                paths.check_path(name)
                seen.add(entry.name)
            twin = folded.setdefault(paths.fold(name), name)
            if twin != name:
                raise PathCollision(
                    f"{twin!r} and {name!r} cannot lie in one folder on a file system that ignores case",
                    field="path",
                    value=name,
                )


def _check_files(quarantine: Quarantine, push: Push) -> None:
    limit = current().regular_file_bytes
    large = []
    for file in quarantine.new_paths_and_sizes(push.new_oids):
        paths.check_path(file.path)
        if file.size > limit:
            large.append(f"{file.path} ({file.size} bytes)")
    if large:
        named = ", ".join(large[:_NAMED_FILES]) + (" ..." if len(large) > _NAMED_FILES else "")
        raise BlobTooLarge(
            f"Files of more than {limit} bytes belong into Git LFS (git lfs migrate import moves them there): {named}",
            field="path",
            value=named,
            limit=limit,
        )


def land(under_way: PushUnderWay) -> list[Result]:
    """Moves the refs: all of them, or for a client that did not ask for all or nothing, those that may move."""
    push = under_way.push
    assert push is not None
    refusal = _advance(under_way, push.commands)
    if refusal is None:
        return [Result(command.name) for command in push.commands]
    if "atomic" in push.capabilities or len(push.commands) == 1:
        return [Result(command.name, refusal) for command in push.commands]
    return [Result(command.name, _advance(under_way, [command])) for command in push.commands]


def _advance(under_way: PushUnderWay, commands: Sequence[Command]) -> str | None:
    migrate = under_way.quarantine.migrate if under_way.quarantine is not None else None
    try:
        refs.advance(
            under_way.actor,
            under_way.repo,
            _updates(commands),
            pointers=under_way.pointers,
            migrate=migrate,
            how="push",
            incoming_bytes=under_way.size_bytes,
        )
    except HutchError as error:
        if error.status >= 500:
            raise
        return error.message
    return None


def _updates(commands: Sequence[Command]) -> list[RefUpdate]:
    return [RefUpdate(command.name, command.old, command.new) for command in commands]


def answer(under_way: PushUnderWay, results: Sequence[Result], trouble: HutchError | None) -> bytes:
    """Git's report of what became of each ref. `trouble` is why nothing could be taken in."""
    push = under_way.push
    assert push is not None
    if not push.commands:
        return b""
    if trouble is None:
        return receive.report(push, results)
    refused = [Result(command.name, trouble.message) for command in push.commands]
    if isinstance(trouble, BadRequest) and "pack" in (trouble.field or ""):
        return receive.report(push, refused, unpack_error=trouble.message)
    return receive.report(push, refused)
