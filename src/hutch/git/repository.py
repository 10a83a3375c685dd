"""A bare repository on disk: made by hand, opened without searching, measured."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pygit2
from pygit2.enums import ConfigLevel, ObjectType, Option, RepositoryOpenFlag

from hutch.core.errors import NotFound
from hutch.git.ref_names import check_branch_name

# Two files and three folders, not the fourteen of a default repository: a million must fit a disk's inodes.
_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
[gc]
\tauto = 0
[receive]
\tunpackLimit = 1
\tfsckObjects = true
[transfer]
\thideRefs = refs/hutch/
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
[pack]
\twriteReverseIndex = true
"""

_OBJECT_CACHE_BYTES = 32 << 20
_LARGEST_CACHED_TREE_BYTES = 256 << 10


def _isolate_libgit2() -> None:
    for level in (ConfigLevel.SYSTEM, ConfigLevel.XDG, ConfigLevel.GLOBAL, ConfigLevel.PROGRAMDATA):
        pygit2.option(Option.SET_SEARCH_PATH, level, "")
    # Who owns the data folder is the operator's affair (volumes, sudo); we open no path but our own.
    pygit2.option(Option.SET_OWNER_VALIDATION, False)
    pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
    pygit2.option(Option.SET_CACHE_MAX_SIZE, _OBJECT_CACHE_BYTES)
    pygit2.option(Option.SET_CACHE_OBJECT_LIMIT, ObjectType.TREE, _LARGEST_CACHED_TREE_BYTES)
    # As git itself: zlib's checksum on each read, every hash in fsck and on arrival. Hashing at each read doubled
    # the time of a look-up in a folder of a thousand.
    pygit2.option(Option.ENABLE_STRICT_HASH_VERIFICATION, False)


_isolate_libgit2()


def create(path: Path, default_branch: str = "main") -> None:
    """Make an empty bare repository at `path`, durably and at once; raises FileExistsError where one is."""
    check_branch_name(default_branch)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".new-", dir=path.parent))
    try:
        # With its pack folder: a libgit2 that opens the repository without one never sees a pack in it.
        (draft / "objects" / "pack").mkdir(parents=True)
        fsync_folder(draft / "objects")
        (draft / "refs").mkdir()
        write_durably(draft / "HEAD", f"ref: refs/heads/{default_branch}\n".encode())
        write_durably(draft / "config", _CONFIG.encode())
        fsync_folder(draft)
        draft.chmod(0o755)
        if path.exists():
            raise FileExistsError(f"{path.name} already exists")
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    fsync_folder(path.parent)


def open(path: Path) -> pygit2.Repository:  # noqa: A001 - the field's verb; callers write repository.open
    """Open the repository at exactly `path`; raises NotFound where there is none."""
    try:
        return pygit2.Repository(str(path), RepositoryOpenFlag.NO_SEARCH | RepositoryOpenFlag.BARE)
    except pygit2.GitError as missing:
        raise NotFound("This repository has no git data") from missing


def set_default_branch(path: Path, branch: str) -> None:
    """Point HEAD at `refs/heads/<branch>`, which need not exist yet."""
    check_branch_name(branch)
    draft = path / f"HEAD.{os.getpid()}.new"
    write_durably(draft, f"ref: refs/heads/{branch}\n".encode())
    draft.rename(path / "HEAD")
    fsync_folder(path)


def default_branch(repo: pygit2.Repository) -> str:
    """The branch that HEAD names, whether or not it exists yet."""
    target = repo.lookup_reference("HEAD").raw_target
    name = target.decode("utf-8", "replace") if isinstance(target, bytes) else ""
    return name.removeprefix("refs/heads/") or "main"


def size_bytes(path: Path) -> int:
    """Bytes of all files of the repository; files that vanish meanwhile count nothing."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.stat(os.path.join(folder, name)).st_size
    return total


def write_durably(path: Path, data: bytes) -> None:
    """Write a whole file and fsync it; the caller fsyncs its folder."""
    with path.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())


def fsync_file(path: Path) -> None:
    """Make the file's bytes survive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fsync_folder(path: Path) -> None:
    """Make the folder's names (creations, renames, deletions) survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
