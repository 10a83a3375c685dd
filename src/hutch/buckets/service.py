"""The verb that changes a bucket's files. A bucket as a whole comes, moves and goes as any repository (`repos`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from hutch.buckets import changelog, planning
from hutch.buckets.batch_lines import Operation
from hutch.buckets.events import BucketChanged
from hutch.buckets.models import Bucket, BucketFile, BucketFolder
from hutch.buckets.planning import EMPTY_FILE, Failure, Plan, Put, parents
from hutch.cas.queries import in_pages
from hutch.cas.xet import links
from hutch.core import clock
from hutch.core.events import emit
from hutch.core.permissions import Actor, require
from hutch.repos import accounting
from hutch.repos.lookup import RepoRow
from hutch.repos.visibility import readable_by
from hutch.storage import faults

faults.declare("buckets.before_commit", "buckets.after_commit")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many operations there were, and with which of them nothing was done."""

    processed: int
    failed: list[Failure]


def change_files(actor: Actor, repo: RepoRow, operations: Sequence[Operation]) -> Outcome:
    """Adds, copies and deletes files, in one transaction; what cannot be done with one file leaves the others alone.

    The last word on a path counts. A file may be put here by whoever sent it for this bucket or may read it elsewhere.
    Raises Forbidden, RepoNotFound, and where nothing is done QuotaExceeded and BadRequest (too many folders).
    """
    require(actor, "repo.write", repo)
    judged = planning.judge(actor, operations)
    with transaction.atomic():
        accounting.hold(repo)
        plan = planning.make(actor, repo, judged)
        if not plan.is_empty:
            _carry_out(actor, repo, plan)
            faults.point("buckets.before_commit")
    faults.point("buckets.after_commit")
    return Outcome(len(operations), [failure for _, failure in sorted(plan.failed.items())])


def _carry_out(actor: Actor, repo: RepoRow, plan: Plan) -> None:
    bucket, _ = Bucket.objects.get_or_create(repo_id=repo.id)
    moment = clock.now()
    wanted = {put.hash for put in plan.puts.values()} - {EMPTY_FILE}
    links.link_files(actor, repo.id, wanted, readable_by(actor))
    _write_folders(repo.id, plan, moment)
    _write_files(repo.id, plan, moment)
    _let_go(repo.id, plan.replaced)
    new = plan.puts.keys() - plan.present.keys()
    bucket.files += len(new) - len(plan.deleted)
    bucket.size_bytes += _grown_bytes(plan)
    bucket.newest_change = changelog.write(repo.id, plan, moment)
    bucket.save(update_fields=["files", "size_bytes", "newest_change"])
    accounting.note_stored(repo, bucket.size_bytes, moment)
    changed = BucketChanged(
        repo_id=repo.id, full_name=repo.full_name, change_id=bucket.newest_change, added=len(new),
        updated=len(plan.puts) - len(new), deleted=len(plan.deleted), files=bucket.files,
        size_bytes=bucket.size_bytes, by_user_id=actor.user_id,
    )  # fmt: skip
    emit(changed, actor=actor)


def _grown_bytes(plan: Plan) -> int:
    return sum(put.size_bytes for put in plan.puts.values()) - sum(row.size_bytes for row in plan.replaced)


def _write_files(bucket_id: int, plan: Plan, moment: datetime) -> None:
    for some in in_pages(plan.deleted):
        BucketFile.objects.filter(bucket_id=bucket_id, path__in=some).delete()
    BucketFile.objects.bulk_create(
        [_row(bucket_id, put, moment) for put in plan.puts.values()], update_conflicts=True,
        unique_fields=["bucket", "path"],
        update_fields=["hash", "size_bytes", "content_type", "mtime", "uploaded_at"],
    )  # fmt: skip


def _row(bucket_id: int, put: Put, moment: datetime) -> BucketFile:
    return BucketFile(
        bucket_id=bucket_id, path=put.path, folder=put.path.rpartition("/")[0], hash=put.hash,
        size_bytes=put.size_bytes, content_type=put.content_type, mtime=put.mtime, uploaded_at=moment,
    )  # fmt: skip


def _write_folders(bucket_id: int, plan: Plan, moment: datetime) -> None:
    files: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for row in plan.replaced:
        for folder in parents(row.path):
            files[folder] -= 1
            sizes[folder] -= row.size_bytes
    renewed = set()
    for put in plan.puts.values():
        for folder in parents(put.path):
            files[folder] += 1
            sizes[folder] += put.size_bytes
            renewed.add(folder)
    rows = []
    for path in files:
        old = plan.folders.get(path)
        seen = moment if path in renewed or old is None else old.uploaded_at
        rows.append(
            BucketFolder(
                bucket_id=bucket_id, path=path, folder=path.rpartition("/")[0], uploaded_at=seen,
                files=files[path] + (old.files if old else 0),
                size_bytes=sizes[path] + (old.size_bytes if old else 0),
            )
        )  # fmt: skip
    _save_folders(bucket_id, rows)


def _save_folders(bucket_id: int, rows: list[BucketFolder]) -> None:
    for some in in_pages(row.path for row in rows if not row.files):
        BucketFolder.objects.filter(bucket_id=bucket_id, path__in=some).delete()
    BucketFolder.objects.bulk_create(
        [row for row in rows if row.files], update_conflicts=True, unique_fields=["bucket", "path"],
        update_fields=["files", "size_bytes", "uploaded_at"],
    )  # fmt: skip


def _let_go(bucket_id: int, replaced: Iterable[BucketFile]) -> None:
    """Unlinks what no file of the bucket is any more, so that a collector may have it."""
    hashes = {row.hash for row in replaced} - {EMPTY_FILE}
    for some in in_pages(hashes):
        used = BucketFile.objects.filter(bucket_id=bucket_id, hash__in=some).values_list("hash", flat=True)
        links.unlink_files(bucket_id, set(some) - set(used))
