"""A push's objects, apart from the repository until everything about them has been checked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast

from hutch.git import disk_full, pointers, process
from hutch.git.errors import GitFailed, GitTimeout, InvalidPack, PackTooLarge
from hutch.git.objects import decode_name
from hutch.git.pktline import Readable
from hutch.git.repository import fsync_file, fsync_folder

FOLDER_PREFIX = "incoming-"
DEFAULT_UNPACK_TIMEOUT_S = 3600.0

_COPY_BYTES = 1 << 20
_TOO_LARGE = re.compile(r"pack exceeds maximum allowed size")
# What old tools left in histories that everybody still wants to push, and what harms no one.
_TOLERATED = (
    "zeroPaddedFilemode",
    "badFilemode",
    "missingSpaceBeforeDate",
    "badTimezone",
    "gitmodulesParse",
    "emptyName",
)
# In the order in which they move: an index without its pack would name objects that are not there.
_SUFFIXES = (".pack", ".rev", ".idx")


@dataclass(frozen=True, slots=True)
class NewFile:
    """A blob that the push brings, one of the paths at which its commits have it, and its size in bytes."""

    path: str
    oid: str
    size: int


class Quarantine:
    """Where the pack of one push is unpacked and checked. Leaving the context drops what did not `migrate`.

    with Quarantine(path) as quarantine:
        quarantine.unpack(stream, max_bytes=...)
        quarantine.check_connectivity(push.new_oids)
        ... the caller's own checks ...
        quarantine.migrate()
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = path / "objects"
        self._migrated = False

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=self._path / "objects"))
        (self._folder / "pack").mkdir()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._folder.name.startswith(FOLDER_PREFIX):
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a git child needs to see the new objects beside the repository's."""
        return {
            "GIT_OBJECT_DIRECTORY": str(self._folder),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(self._path / "objects"),
            "GIT_QUARANTINE_PATH": str(self._folder),
        }

    @property
    def object_folder(self) -> Path:
        """The quarantine's object directory (to add to a pygit2 repository: `odb.add_disk_alternate`)."""
        return self._folder

    def unpack(
        self,
        source: Readable | int,
        *,
        max_bytes: int | None = None,
        timeout_s: float = DEFAULT_UNPACK_TIMEOUT_S,
    ) -> None:
        """Take in a pack from a stream or file descriptor: complete it, check its sums and every object in it.

        Raises InvalidPack (with git's words), PackTooLarge, GitTimeout. The repository is not touched.
        """
        limit = [] if max_bytes is None else [f"--max-input-size={max_bytes}"]
        strict = "--strict=" + ",".join(f"{name}=ignore" for name in _TOLERATED)
        args = ["index-pack", "--stdin", "--fix-thin", strict, *limit]
        status, complaint = self._feed(args, source, timeout_s)
        if status == 0:
            return
        if disk_full.is_full(complaint):
            raise disk_full.error()
        if _TOO_LARGE.search(complaint):
            raise PackTooLarge(f"The push is larger than {max_bytes} bytes", field="pack", limit=max_bytes)
        raise InvalidPack(f"The pack was refused: {process.words(complaint.encode())}", field="pack")

    def _feed(self, args: Sequence[str], source: Readable | int, timeout_s: float) -> tuple[int, str]:
        with tempfile.TemporaryFile() as words:
            child = subprocess.Popen(
                process.command(self._path, args, tied=True),
                stdin=source if isinstance(source, int) else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=words,
                env=process.environment(self.environment),
            )
            alarm = threading.Timer(timeout_s, child.kill)
            alarm.daemon = True
            alarm.start()
            try:
                if not isinstance(source, int):
                    _copy(source, cast(IO[bytes], child.stdin))
                status = child.wait()
            except BaseException:
                child.kill()
                child.wait()
                raise
            finally:
                late = not alarm.is_alive()
                alarm.cancel()
            if late:
                raise GitTimeout(f"The push took more than {timeout_s:g} s to unpack", limit=timeout_s)
            words.seek(0)
            return status, words.read(1 << 16).decode("utf-8", "replace")

    def check_connectivity(self, new_oids: Iterable[str]) -> None:
        """Make sure that everything the new tips reach is there; raises InvalidPack naming what is missing."""
        tips = "".join(f"{oid}\n" for oid in new_oids).encode()
        args = ["rev-list", "--objects", "--stdin", "--not", "--all", "--quiet"]
        done = process.run_raw(
            self._path,
            args,
            stdin=tips,
            extra_environment=self.environment,
            timeout_s=DEFAULT_UNPACK_TIMEOUT_S,
        )
        if done.returncode != 0:
            raise InvalidPack(f"The push is incomplete: {process.words(done.stderr)}", field="pack")

    def new_oids(self) -> list[str]:
        """The objects of the pack, whatever their kind (with those that completed a thin pack)."""
        found: list[str] = []
        for index in sorted((self._folder / "pack").glob("*.idx")):
            found += _oids_of_index(index.read_bytes())
        return found

    def new_blobs_small(self, max_bytes: int = pointers.MAX_POINTER_BYTES) -> Iterator[tuple[str, bytes]]:
        """The blobs among the new objects of at most `max_bytes`, with their content: where LFS pointers are."""
        small = [
            oid for oid, kind, size in self.headers(self.new_oids()) if kind == "blob" and size <= max_bytes
        ]
        stdin = "".join(f"{oid}\n" for oid in small).encode()
        with process.stream(
            self._path, ["cat-file", "--batch"], stdin=stdin, extra_environment=self.environment
        ) as out:
            for oid in small:
                size = int(out.readline().split()[2])
                yield oid, out.read(size)
                out.read(1)

    def new_pointers(self) -> dict[str, pointers.Pointer]:
        """The LFS pointers among the new blobs, by the blob's id."""
        parsed = (
            (oid, pointers.parse(data)) for oid, data in self.new_blobs_small(pointers.MAX_POINTER_BYTES)
        )
        return {oid: pointer for oid, pointer in parsed if pointer is not None}

    def new_paths_and_sizes(self, new_oids: Iterable[str]) -> Iterator[NewFile]:
        """The blobs that the new tips reach and no ref did, each with one path and its size."""
        tips = "".join(f"{oid}\n" for oid in new_oids).encode()
        args = ["rev-list", "--objects", "--stdin", "--not", "--all"]
        listed = process.run(self._path, args, stdin=tips, extra_environment=self.environment, timeout_s=600)
        paths = dict(line.split(b" ", 1) for line in listed.splitlines() if b" " in line)
        for oid, kind, size in self.headers([raw.decode() for raw in paths]):
            if kind == "blob":
                yield NewFile(decode_name(paths[oid.encode()]), oid, size)

    def headers(self, oids: Sequence[str]) -> Iterator[tuple[str, str, int]]:
        """Id, kind (`blob`, `tree`, `commit`, `tag`) and size of each object; the missing are left out."""
        stdin = "".join(f"{oid}\n" for oid in oids).encode()
        args = ["cat-file", "--batch-check", "--buffer"]
        with process.stream(self._path, args, stdin=stdin, extra_environment=self.environment) as out:
            for line in out:
                words = line.decode().split()
                if len(words) == 3:
                    yield words[0], words[1], int(words[2])

    def migrate(self) -> None:
        """Move the packs into the repository, durably; from here on the objects stay whatever happens to the refs."""
        target = self._path / "objects" / "pack"
        for index in sorted((self._folder / "pack").glob("*.idx")):
            if not _oids_of_index(index.read_bytes()):
                continue
            files = [file for suffix in _SUFFIXES if (file := index.with_suffix(suffix)).exists()]
            for file in files:
                fsync_file(file)
            for file in files:
                os.replace(file, target / file.name)
        fsync_folder(target)
        fsync_folder(target.parent)


def _copy(source: Readable, pipe: IO[bytes]) -> None:
    try:
        with pipe:
            while piece := source.read(_COPY_BYTES):
                pipe.write(piece)
    except BrokenPipeError:
        # The child has refused the pack and says why on its standard error.
        return


def _oids_of_index(data: bytes) -> list[str]:
    """The object ids in a version 2 pack index (git's gitformat-pack)."""
    if data[:8] != b"\xfftOc\x00\x00\x00\x02":
        raise GitFailed("a pack index of an unknown version")
    count = int.from_bytes(data[8 + 255 * 4 : 8 + 256 * 4], "big")
    start = 8 + 256 * 4
    return [data[at : at + 20].hex() for at in range(start, start + 20 * count, 20)]
