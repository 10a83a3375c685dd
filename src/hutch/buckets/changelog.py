"""The changes of a bucket's files in their order, for followers who go on where they were."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max

from hutch.buckets.models import Bucket, BucketChange
from hutch.buckets.planning import Plan, Put
from hutch.core import clock, paging
from hutch.core.errors import BadRequest

# How long changes are kept for those who come back.
KEPT = timedelta(days=7)
# Paths of one message to followers, so that none is larger than some 300 KB.
_PATHS_OF_A_ROW = 500
_BUCKETS_A_TURN = 200
_CURSOR = "bucket-changes"
Change = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    """Where a follower begins: behind the change `position`; or what it had is no longer kept and it must look anew."""

    position: int
    is_reset: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Changes that happened at once, and the position behind them."""

    position: int
    changes: list[Change]


def write(bucket_id: int, plan: Plan, moment: datetime) -> int:
    """Writes down what a plan does, in the caller's transaction; the key of the last row."""
    lines = [_put_line(put, moment, is_new=path not in plan.present) for path, put in plan.puts.items()]
    lines += [{"path": path, "op": "delete"} for path in sorted(plan.deleted)]
    rows = [
        BucketChange(bucket_id=bucket_id, changes=lines[start : start + _PATHS_OF_A_ROW], created_at=moment)
        for start in range(0, len(lines), _PATHS_OF_A_ROW)
    ]
    for row in rows:  # one by one: their keys must grow in this order
        row.save(force_insert=True)
    return rows[-1].pk


def _put_line(put: Put, moment: datetime, *, is_new: bool) -> Change:
    line: Change = {
        "path": put.path, "op": "add" if is_new else "update", "size": put.size_bytes, "xetHash": put.hash,
        "uploadedAt": clock.iso(moment),
    }  # fmt: skip
    return line | ({"mtime": clock.iso(put.mtime)} if put.mtime is not None else {})


def cursor_of(bucket_id: int, position: int) -> str:
    """The position as clients keep it."""
    return paging.encode_cursor([_CURSOR, bucket_id, position])


def start(bucket_id: int, *, cursor: str = "", since: str = "") -> Start:
    """Where a follower begins who was at `cursor`, or has seen everything before the time `since`, or neither.

    Raises BadRequest for a cursor of another list and for what is no time.
    """
    bucket = Bucket.objects.filter(pk=bucket_id).first() or Bucket(repo_id=bucket_id)
    if cursor:
        position = _position(bucket_id, cursor)
        return Start(position, not bucket.forgotten_change <= position <= bucket.newest_change)
    if since:
        return _since(bucket, _moment(since))
    return Start(bucket.newest_change)


def _position(bucket_id: int, cursor: str) -> int:
    found = paging.decode_cursor(cursor)
    if len(found) != 3 or found[:2] != [_CURSOR, bucket_id] or not isinstance(found[2], int):
        raise BadRequest("The cursor is not one of this bucket's", field="cursor", value=cursor)
    return found[2]


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise BadRequest("since must be a time by ISO 8601", field="since", value=text) from None


# Times go out in whole milliseconds: a client that sends one back has seen what happened within it.
def _since(bucket: Bucket, moment: datetime) -> Start:
    if bucket.forgotten_at is not None and _in_ms(bucket.forgotten_at) > moment:
        return Start(bucket.newest_change, is_reset=True)
    later = BucketChange.objects.filter(bucket_id=bucket.pk, created_at__gte=moment).order_by("pk")
    first = later.values_list("pk", flat=True).first()
    return Start(bucket.newest_change if first is None else first - 1)


def _in_ms(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def after(bucket_id: int, position: int, limit: int) -> list[Batch]:
    """The next changes behind a position, at most so many batches."""
    rows = BucketChange.objects.filter(bucket_id=bucket_id, pk__gt=position).order_by("pk")[:limit]
    return [Batch(row.pk, row.changes) for row in rows]


def newest(bucket_ids: Iterable[int]) -> dict[int, int]:
    """The position behind the newest change of each of these buckets that has had any."""
    found: dict[int, int] = {}
    keys = list(bucket_ids)
    for at in range(0, len(keys), _BUCKETS_A_TURN):
        some = Bucket.objects.filter(pk__in=keys[at : at + _BUCKETS_A_TURN])
        found.update(some.values_list("pk", "newest_change"))
    return found


def forget(before: datetime) -> int:
    """Removes the changes that are older, remembering how far; how many rows went."""
    old = BucketChange.objects.filter(created_at__lt=before).values_list("bucket").order_by("bucket")
    gone = 0
    for key, last, moment in list(old.annotate(last=Max("pk"), moment=Max("created_at"))):
        with transaction.atomic():
            Bucket.objects.filter(pk=key).update(forgotten_change=last, forgotten_at=moment)
            gone += BucketChange.objects.filter(bucket_id=key, pk__lte=last).delete()[0]
    return gone
