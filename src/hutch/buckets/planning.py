"""What of a batch can be done: each file judged by itself, and all of them against what the bucket will hold then."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from hutch.buckets.batch_lines import AddFile, CopyFile, DeleteFile, Operation
from hutch.buckets.models import MAX_PATH_BYTES, BucketFile, BucketFolder
from hutch.cas.queries import in_pages
from hutch.cas.xet import links
from hutch.core import clock
from hutch.core.errors import BadRequest, HutchError
from hutch.core.permissions import Actor
from hutch.git.paths import check_path
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.models import RepoType
from hutch.repos.visibility import readable_by

# The hash of a file without chunks: such a file is nowhere, and everybody has it.
EMPTY_FILE = "0" * 64
# Each costs a look-up.
MAX_SOURCES = 100
# Each is a row that is written while the bucket is held; clients send a thousand files at once.
MAX_FOLDERS = 30_000
Source = tuple[str, str]
_HASH = re.compile(r"[0-9a-f]{64}")
_MAX_CONTENT_TYPE_CHARACTERS = 200
# What a datetime can hold, in ms since 1970.
_FIRST_MTIME_MS, _LAST_MTIME_MS = -62_135_596_800_000, 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Failure:
    """A file with which nothing was done, and why."""

    path: str
    error: str


@dataclass(frozen=True, slots=True)
class Put:
    """A file as it will be."""

    path: str
    hash: str
    size_bytes: int
    mtime: datetime | None
    content_type: str


@dataclass(slots=True)
class Plan:
    """What will be done: files put and deleted by path, what is there now of these, and the folders around them."""

    puts: dict[str, Put] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    present: dict[str, BucketFile] = field(default_factory=dict)
    folders: dict[str, BucketFolder] = field(default_factory=dict)
    failed: dict[int, Failure] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not self.puts and not self.deleted

    @property
    def replaced(self) -> list[BucketFile]:
        """The rows that make way: of files that are deleted or get other contents."""
        return [row for path, row in self.present.items() if path in self.deleted or path in self.puts]


def parents(path: str) -> Iterator[str]:
    """The folders above a path, the innermost first, without the root."""
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


@dataclass(frozen=True, slots=True)
class Judged:
    """Operations of which path, values and source are right, by their number; what is wrong with the others."""

    sound: dict[int, Operation]
    failed: dict[int, Failure]
    sources: dict[Source, RepoRow]


def judge(actor: Actor, operations: Sequence[Operation]) -> Judged:
    """Looks at each operation by itself: all that needs no look into the bucket, before it is held.

    Raises BadRequest for a batch that touches too many folders.
    """
    judged = Judged({}, {}, {})
    refusals: dict[Source, str] = {}
    folders: set[str] = set()
    for number, operation in enumerate(operations):
        try:
            _check_values(operation)
            if isinstance(operation, CopyFile):
                _find_source(actor, operation, judged.sources, refusals)
        except HutchError as error:
            judged.failed[number] = Failure(operation.path, error.message)
        else:
            judged.sound[number] = operation
            _count_folders(operation.path, folders)
    return judged


def _count_folders(path: str, folders: set[str]) -> None:
    for folder in parents(path):
        if folder in folders:  # then those above it are, too
            return
        folders.add(folder)
    if len(folders) > MAX_FOLDERS:
        raise BadRequest(
            f"A batch touches at most {MAX_FOLDERS} folders; this is more: send it in smaller ones",
            field="path",
            value=path,
            limit=MAX_FOLDERS,
        )


def _find_source(
    actor: Actor, operation: CopyFile, sources: dict[Source, RepoRow], refusals: dict[Source, str]
) -> None:
    source = (operation.source_type, operation.source_name)
    if source not in sources and source not in refusals:
        if len(sources) + len(refusals) == MAX_SOURCES:
            raise BadRequest(f"A batch copies from at most {MAX_SOURCES} repositories")
        try:
            sources[source] = find_repo(actor, *source, "repo.read")
        except HutchError as error:
            refusals[source] = f"{source[0]} {source[1][:200]}: {error.message}"
    if source in refusals:
        raise BadRequest(refusals[source])


def make(actor: Actor, repo: RepoRow, judged: Judged) -> Plan:
    """What of a batch will be done. Runs in the caller's transaction, which holds the bucket.

    The last word on a path counts.
    """
    plan, sizes = Plan(failed=dict(judged.failed)), _Sizes(actor, repo, judged)
    plan.present = _files_at(repo.id, {operation.path for operation in judged.sound.values()})
    order: dict[str, int] = {}
    for number, operation in judged.sound.items():
        try:
            _take(plan, operation, sizes)
            order[operation.path] = number
        except BadRequest as error:
            plan.failed[number] = Failure(operation.path, error.message)
    _refuse_conflicts(repo.id, plan, order)
    return plan


def _take(plan: Plan, operation: Operation, sizes: _Sizes) -> None:
    path = operation.path
    if isinstance(operation, DeleteFile):
        if path not in plan.present and path not in plan.puts:
            raise BadRequest("There is no file of this name")
        plan.puts.pop(path, None)
        if path in plan.present:
            plan.deleted.add(path)
        return
    mtime = clock.from_timestamp(operation.mtime / 1000) if operation.mtime is not None else None
    content_type = operation.content_type if isinstance(operation, AddFile) else ""
    size = sizes.of(operation)
    plan.puts.pop(path, None)  # so that it stands where it was named last
    plan.puts[path] = Put(path, operation.hash.lower(), size, mtime, content_type)
    plan.deleted.discard(path)


class _Sizes:
    """The sizes of files by their hash, as far as the actor may put them into the bucket."""

    def __init__(self, actor: Actor, repo: RepoRow, judged: Judged) -> None:
        wanted: dict[Source | None, list[str]] = defaultdict(list)
        for operation in judged.sound.values():
            if isinstance(operation, AddFile | CopyFile):
                wanted[_source_of(operation)].append(operation.hash.lower())
        self._known: dict[Source | None, dict[str, int]] = {}
        for source, hashes in wanted.items():
            there = readable_by(actor)
            if source is not None:
                there = there.filter(pk=judged.sources[source].id)
            self._known[source] = links.known_files(actor, repo.id, hashes, there)

    def of(self, operation: AddFile | CopyFile) -> int:
        """In bytes. Raises BadRequest for a file that is not there for this actor."""
        hash_ = operation.hash.lower()
        size = 0 if hash_ == EMPTY_FILE else self._known[_source_of(operation)].get(hash_)
        if size is not None:
            return size
        if isinstance(operation, AddFile):
            raise BadRequest(f"The file {hash_} is not here: upload it first")
        raise BadRequest(f"{operation.source_type} {operation.source_name} has no file with the hash {hash_}")


def _source_of(operation: AddFile | CopyFile) -> Source | None:
    return (operation.source_type, operation.source_name) if isinstance(operation, CopyFile) else None


def _check_values(operation: Operation) -> None:
    check_path(operation.path)
    size = len(operation.path.encode())
    if size > MAX_PATH_BYTES:
        raise BadRequest(f"The path is {size} bytes long, the limit is {MAX_PATH_BYTES}")
    if isinstance(operation, DeleteFile):
        return
    if not _HASH.fullmatch(operation.hash.lower()):
        raise BadRequest("xetHash must be 64 hexadecimal digits")
    if operation.mtime is not None and not _FIRST_MTIME_MS <= operation.mtime <= _LAST_MTIME_MS:
        raise BadRequest("mtime lies outside the years 1 to 9999; it is in milliseconds since 1970")
    if isinstance(operation, CopyFile):
        _check_source_type(operation.source_type)
    elif (
        len(operation.content_type) > _MAX_CONTENT_TYPE_CHARACTERS or not operation.content_type.isprintable()
    ):
        raise BadRequest(f"contentType must be a line of at most {_MAX_CONTENT_TYPE_CHARACTERS} characters")


def _check_source_type(type_: str) -> None:
    if type_ not in RepoType.values:
        raise BadRequest(f"sourceRepoType must be one of {', '.join(RepoType.values)}")


def _files_at(bucket_id: int, paths: Iterable[str]) -> dict[str, BucketFile]:
    found: dict[str, BucketFile] = {}
    for some in in_pages(paths):
        found.update({row.path: row for row in BucketFile.objects.filter(bucket_id=bucket_id, path__in=some)})
    return found


# Clients put files into folders on disks, where one name is not both; deletions of the same batch count first.
def _refuse_conflicts(bucket_id: int, plan: Plan, order: dict[str, int]) -> None:
    above = {folder for path in (*plan.puts, *plan.deleted) for folder in parents(path)}
    plan.folders = _folders_at(bucket_id, above | plan.puts.keys())
    files = {path for path in _files_at(bucket_id, above) if path not in plan.deleted}
    below = Counter({path: row.files for path, row in plan.folders.items()})
    below.subtract(folder for path in plan.deleted for folder in parents(path))
    for path in list(plan.puts):
        blocked = next((folder for folder in parents(path) if folder in files), None)
        if blocked is None and below[path] <= 0:
            files.add(path)
            if path not in plan.present:
                below.update(parents(path))
            continue
        told = f"{blocked!r} is a file, not a folder" if blocked else "There is a folder of this name"
        plan.failed[order[path]] = Failure(path, told)
        del plan.puts[path]


def _folders_at(bucket_id: int, paths: Iterable[str]) -> dict[str, BucketFolder]:
    found: dict[str, BucketFolder] = {}
    for some in in_pages(paths):
        found.update(
            {row.path: row for row in BucketFolder.objects.filter(bucket_id=bucket_id, path__in=some)}
        )
    return found
