"""What buckets there are and what is in one: a page at a time, sorted by path, never more than the actor may see."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from hutch.accounts.permissions import require_sight
from hutch.buckets.models import BucketFile, BucketFolder
from hutch.cas.queries import in_pages
from hutch.core import paging
from hutch.core.errors import BadRequest, EntryNotFound, RepoNotFound, Unauthorized
from hutch.core.permissions import Actor
from hutch.core.text import is_storable
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo, RepoType
from hutch.repos.names import require_namespace
from hutch.repos.visibility import visible_to

TREE_LIMIT = 1000
BUCKETS_LIMIT, MOST_BUCKETS = 100, 1000
# The caller's own namespace, as clients write it.
OWN = "me"
_LAST_BEFORE_SURROGATES, _FIRST_AFTER = 0xD7FF, 0xE000
_LAST_CHARACTER = 0x10FFFF
Entry = BucketFile | BucketFolder


@dataclass(frozen=True, slots=True)
class Info:
    """A bucket as a whole."""

    id: int
    full_name: str
    namespace: str
    visibility: str
    disabled: bool
    created_at: datetime
    updated_at: datetime
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class TreePage:
    """Files and folders by path, and the cursor of the next page; None at the end."""

    entries: Sequence[Entry]
    cursor: str | None


def buckets(
    actor: Actor, namespace: str, *, search: str = "", before: int | None = None, limit: int = BUCKETS_LIMIT
) -> list[Info]:
    """The buckets of a namespace (`me`: the actor's own) that the actor may see, newest first.

    Raises Unauthorized (nobody's own; nobody where everybody must sign in), NotFound for a name that nobody has.
    """
    require_sight(actor)
    if namespace == OWN and actor.is_nobody:
        raise Unauthorized("Sign in or send an access token to list your buckets")
    owner = require_namespace(actor.username if namespace == OWN else namespace)
    rows = visible_to(actor).filter(type=RepoType.BUCKET, namespace_id=owner.namespace_id)
    for word in search.lower().split():
        rows = rows.filter(name__icontains=word)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return [_info(row) for row in rows.select_related("namespace", "bucket").order_by("-pk")[:limit]]


def info(actor: Actor, repo: RepoRow) -> Info:
    """A bucket that was found for the actor. Raises RepoNotFound if it went meanwhile."""
    row = visible_to(actor).filter(pk=repo.id).select_related("namespace", "bucket").first()
    if row is None:
        raise RepoNotFound()
    return _info(row)


def _info(row: Repo) -> Info:
    counted = getattr(row, "bucket", None)  # there is none before the first file
    namespace = row.namespace.name if row.namespace is not None else ""
    return Info(
        row.pk, row.full_name, namespace, row.visibility, row.disabled, row.created_at, row.updated_at,
        counted.files if counted else 0, counted.size_bytes if counted else 0,
    )  # fmt: skip


def tree(
    repo: RepoRow, prefix: str = "", *, recursive: bool, limit: int = TREE_LIMIT, cursor: str = ""
) -> TreePage:
    """All files whose path begins with `prefix`; or, not recursive, what lies in that folder, folders too.

    Then a prefix that is no folder's whole path is taken as the beginning of names: `log` finds `logs` and `log.txt`.
    Raises BadRequest for a cursor of another list.
    """
    if prefix == "/" or not is_storable(prefix):  # no path begins so
        return TreePage([], None)
    behind = _behind(cursor, repo, prefix, recursive)
    sources = [_below(repo, prefix)] if recursive else _lists(repo, prefix)
    parts: list[Iterable[Entry]] = [
        rows.filter(path__gt=behind).order_by("path")[: limit + 1] for rows in sources
    ]
    found = list(heapq.merge(*parts, key=lambda entry: entry.path))
    shown = found[:limit]
    following = (
        paging.encode_cursor([repo.id, prefix, recursive, shown[-1].path]) if len(found) > limit else None
    )
    return TreePage(shown, following)


def _behind(cursor: str, repo: RepoRow, prefix: str, recursive: bool) -> str:
    if not cursor:
        return ""
    position = paging.decode_cursor(cursor)
    if len(position) != 4 or position[:3] != [repo.id, prefix, recursive]:
        raise BadRequest("The cursor belongs to another list", field="cursor", value=cursor)
    return str(position[3])


def _below(repo: RepoRow, prefix: str) -> QuerySet[BucketFile]:
    return BucketFile.objects.filter(begins_with(prefix), bucket_id=repo.id)


def _lists(repo: RepoRow, prefix: str) -> Sequence[QuerySet[BucketFile] | QuerySet[BucketFolder]]:
    """What a folder's listing is merged from: its own entries, and its neighbours whose names begin alike."""
    files, folders = (model.objects.filter(bucket_id=repo.id) for model in (BucketFile, BucketFolder))
    inside = prefix.removesuffix("/")
    found = [files.filter(folder=inside), folders.filter(folder=inside)]
    if prefix and not prefix.endswith("/"):
        beside = Q(folder=prefix.rpartition("/")[0]) & begins_with(prefix)
        found += [files.filter(beside), folders.filter(beside).exclude(path=prefix)]
    return found


def begins_with(prefix: str) -> Q:
    """The rule that a path begins so, as a range that an index answers."""
    if not prefix:
        return Q()
    end = _end(prefix)
    return Q(path__gte=prefix) & (Q(path__lt=end) if end else Q())


def _end(prefix: str) -> str:
    """The first text behind all that begin with `prefix`; empty if there is none. Code points sort as UTF-8 does."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return ""
    last = ord(kept[-1])
    return kept[:-1] + chr(_FIRST_AFTER if last == _LAST_BEFORE_SURROGATES else last + 1)


def files_at(repo: RepoRow, paths: Iterable[str]) -> Iterator[BucketFile]:
    """Those of the paths that are files, in the order in which they were asked for."""
    wanted = list(dict.fromkeys(path for path in paths if is_storable(path)))
    found: dict[str, BucketFile] = {}
    for some in in_pages(wanted):
        rows = BucketFile.objects.filter(bucket_id=repo.id, path__in=some)
        found.update({row.path: row for row in rows})
    return (found[path] for path in wanted if path in found)


def file_at(repo: RepoRow, path: str) -> BucketFile:
    """The file of that path. Raises EntryNotFound."""
    for found in files_at(repo, [path]):
        return found
    raise EntryNotFound(f"Entry not found: {path[:200]!r}", field="path", value=path)


def folder_at(repo: RepoRow, path: str) -> BucketFolder | None:
    """The folder of that path, if there is any file below it."""
    if not is_storable(path):
        return None
    return BucketFolder.objects.filter(bucket_id=repo.id, path=path).first()
