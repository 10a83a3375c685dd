"""The part of the check that reads storage: xorbs, Xet files, large objects; and has damage mended, if asked to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from hutch.cas import checking as cas_checking
from hutch.cas import cleaning
from hutch.cas.problems import Problem as Found
from hutch.cas.xet import mending, scrubbing
from hutch.repos.fsck_report import Bad, Problem, Report, Tell, name_of
from hutch.repos.models import Repo

_SEND_AGAIN = (
    "run `hutch fsck --repair`: what other copies have is put in again, the rest comes back when somebody uploads the "
    "files again"
)


def check(report: Report, tell: Tell, *, repair: bool) -> dict[str, Bad]:
    """Reads and hashes all that is stored; the large objects that are lost or damaged, by SHA-256."""
    totals, xorbs = cas_checking.totals(), cas_checking.xorb_totals()
    report.objects, report.xorbs, report.xet_files = totals.count, xorbs.count, cas_checking.file_count()

    def read_xorb(size: int) -> None:
        report.xorb_bytes += size
        tell("bytes of xorbs", report.xorb_bytes, xorbs.size_bytes)

    def read_object(size: int) -> None:
        report.object_bytes += size
        tell("bytes of large objects", report.object_bytes, totals.size_bytes)

    # In this order: a xorb that was mended makes its files whole.
    for found in chain(scrubbing.check_xorbs(read_xorb), scrubbing.check_files()):
        report.problems += _of_xet(found, _mended(found, repair))
    bad: dict[str, Bad] = {}
    for found in cleaning.fsck(read_object):
        report.problems += _of_object(found, _mended(found, repair), bad)
    return bad


def _mended(found: Found, repair: bool) -> str:
    return mending.mend(found) if repair else ""


def _of_xet(found: Found, repair: str) -> Iterator[Problem]:
    where = _users(cas_checking.users_of(found.oid, found.what))
    what = f"the {_NAMES[found.what]} {found.oid} is {found.kind}: {found.detail} (used by {where})"
    yield Problem(found.what, what, _SEND_AGAIN, place=found.key, oid=found.oid, repair=repair)


_NAMES = {"xorb": "xorb", "file": "Xet file"}


def _of_object(found: Found, repair: str, bad: dict[str, Bad]) -> Iterator[Problem]:
    known = cas_checking.size_and_users(found.oid)
    if known is None:
        return
    size, users = known
    remedy = (
        f"put a file of {size} bytes with that SHA-256, from a backup or any clone, to storage/blobs/{found.key} "
        "in the data folder"
    )
    found_bad = Bad(f"is {found.kind}: {found.detail}", remedy if found.key else _SEND_AGAIN)
    if not repair:
        bad[found.oid] = found_bad
    what = f"the object {found_bad.what} (used by {_users(users)})"
    yield Problem("object", what, found_bad.remedy, place=found.oid, oid=found.oid, repair=repair)


def _users(keys: Iterable[int]) -> str:
    names = Repo.objects.filter(pk__in=list(keys)).values_list("type", "full_name")
    return ", ".join(sorted(name_of(*name) for name in names)) or "no repository"
