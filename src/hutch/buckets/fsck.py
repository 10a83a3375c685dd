"""Whether the tables of buckets tell one story: files and their links, folders and counts. Reads only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator

from django.db.models import Count, Sum

from hutch.buckets.models import Bucket, BucketFile, BucketFolder
from hutch.buckets.planning import EMPTY_FILE, parents
from hutch.cas.xet import links
from hutch.repos.fsck import Problem
from hutch.repos.models import Repo

# What is seen amid a batch is looked at again before it is called damage.
_SECOND_LOOK_S = 1.0
_ROWS = 500
_UPLOAD = "upload it again by `hf buckets cp` from wherever it is, or delete it"
_COUNTS = "add and delete any file there, and tell us: no verb leaves it so"


def check(tell: Callable[[str, int, int], None]) -> list[Problem]:
    """Looks at every bucket that ever had a file; `tell` is told how far it is."""
    keys = list(Bucket.objects.order_by("pk").values_list("pk", flat=True))
    found: list[Problem] = []
    for done, key in enumerate(keys):
        tell("buckets", done, len(keys))
        if list(_problems(key)):
            time.sleep(_SECOND_LOOK_S)
            found += _problems(key)
    return found


def _problems(key: int) -> Iterator[Problem]:
    repo = Repo.objects.filter(pk=key).first()
    if repo is None:  # deleted while we look
        return
    name = f"buckets/{repo.full_name}"
    yield from _files(key, name)
    yield from _counts(repo, name)
    yield from _folders(key, name)


def _files(key: int, name: str) -> Iterator[Problem]:
    """Every file's bytes are linked here, with the size that its row says."""
    last = 0
    while rows := list(BucketFile.objects.filter(bucket_id=key, pk__gt=last).order_by("pk")[:_ROWS]):
        last = rows[-1].pk
        sizes = {EMPTY_FILE: 0, **links.linked_files(key, {row.hash for row in rows})}
        for row in rows:
            size = sizes.get(row.hash)
            if size is None:
                what = f"its bytes, the Xet file {row.hash}, are not linked here"
                yield Problem("bucket file", what, _UPLOAD, name, row.path, row.hash)
            elif size != row.size_bytes:
                what = f"its row says {row.size_bytes} bytes, the Xet file {row.hash} has {size}"
                yield Problem("bucket file", what, _UPLOAD, name, row.path, row.hash)


def _counts(repo: Repo, name: str) -> Iterator[Problem]:
    counted = Bucket.objects.filter(pk=repo.pk).values_list("files", "size_bytes").first()
    found = BucketFile.objects.filter(bucket_id=repo.pk).aggregate(files=Count("pk"), size=Sum("size_bytes"))
    there = (found["files"], found["size"] or 0)
    if counted != there or repo.lfs_bytes != there[1]:
        told = f"{counted} and {repo.lfs_bytes} in the tables, {there} counted"
        yield Problem("bucket", f"the number and the bytes of its files are {told}", _COUNTS, name)


def _folders(key: int, name: str) -> Iterator[Problem]:
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    rows = BucketFile.objects.filter(bucket_id=key).values_list("folder").order_by("folder")
    for folder, count, size in rows.annotate(count=Count("pk"), size=Sum("size_bytes")).iterator():
        for above in (folder, *parents(folder)) if folder else ():
            files[above] += count
            sizes[above] += size
    told = {
        path: (count, size)
        for path, count, size in BucketFolder.objects.filter(bucket_id=key).values_list(
            "path", "files", "size_bytes"
        )
    }
    for path in sorted(files.keys() | told.keys()):
        there = (files[path], sizes[path])
        if told.get(path) != there:
            what = f"the table has {told.get(path)} as the number and bytes of its files, {there} are there"
            yield Problem("bucket folder", what, _COUNTS, name, path)
