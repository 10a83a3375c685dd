"""Looks for damage: git and tables and storage must tell the same story. Works beside a running server too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from hutch.cas import checking as cas_checking
from hutch.cas import service as cas
from hutch.core import clock, database
from hutch.core.errors import HutchError
from hutch.git import check as git_check
from hutch.git import refs as git_refs
from hutch.git import repository
from hutch.git.check import FoundPointer
from hutch.git.errors import GitFailed
from hutch.git.refs import HEADS, PULL_REQUESTS
from hutch.repos import accounting, folders, fsck_objects
from hutch.repos.changes.refs import INTENT_LEASE
from hutch.repos.fsck_report import Bad, Problem, Report, Tell, name_of
from hutch.repos.lookup import RepoRow, git_path, repo_by_id
from hutch.repos.models import Pull, RefIntent, Repo

__all__ = ["Problem", "Report", "check"]

# What is seen amid a push or a repack is looked at again before it is called damage.
_SECOND_LOOK_S = 1.0
_PAGE = 200
_POINTERS = 500


def check(tell: Tell, *, is_served: bool, repair: bool = False) -> Report:
    """Hashes every object and xorb, walks every ref, resolves every pointer, and compares tables with folders.

    `is_served`: a server works on this folder, so what is unfinished may just be under way. With `repair` damage to
    large objects is put right where another copy is; all else is only looked at.
    """
    report = Report()
    report.problems += _database()
    bad = fsck_objects.check(report, tell, repair=repair)
    total = Repo.objects.count()
    for repo in _repositories():
        tell("repositories", report.repositories, total)
        report.problems += _repository(repo, bad, report)
        report.repositories += 1
    report.problems += _homeless_links()
    _folders(report, is_served)
    _intents(report, is_served)
    strays = cas_checking.unknown_blobs()
    if strays.count:
        report.notes.append(
            f"{strays.count} uploads ({strays.size_bytes} bytes) that were cut off lie in storage"
        )
    return report


def _database() -> Iterator[Problem]:
    for what in database.damage():
        yield Problem("database", what, "stop the server and restore hutch.sqlite3 from a backup")


# By pages, as in cas: no query stays open while git works.
def _repositories() -> Iterator[RepoRow]:
    last = 0
    while page := list(Repo.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_PAGE]):
        for key in page:
            row = _row(key)
            if row is not None:
                yield row
        last = page[-1]


def _row(key: int) -> RepoRow | None:
    try:
        return repo_by_id(key)
    except HutchError:
        return None


def _repository(repo: RepoRow, bad: Mapping[str, Bad], report: Report) -> list[Problem]:
    if not repo.has_git:  # the room `buckets` looks after its own
        return []
    if not repo.path.is_dir():
        found = [_of(repo, "folder", f"its folder {repo.path} is missing", "restore it from a backup")]
        return found if _row(repo.id) else []
    found = [*_twice(lambda: _git(repo)), *_twice(lambda: _rows(repo, report))]
    found += _pointers(repo, bad, report, is_whole=not found)
    return found if _row(repo.id) else []


def _twice(look: Callable[[], list[Problem]]) -> list[Problem]:
    """What is found at a second look too."""
    first = look()
    if not first:
        return []
    time.sleep(_SECOND_LOOK_S)
    return look()


def _git(repo: RepoRow) -> list[Problem]:
    remedy = (
        f"restore {repo.path} from a backup, or push again from a clone that is whole "
        "(into a new repository, if this one refuses it)"
    )
    return [_of(repo, f"git {found.kind}", found.what, remedy) for found in git_check.fsck(repo.path)]


def _rows(repo: RepoRow, report: Report) -> list[Problem]:
    row = _row(repo.id)
    if row is None:
        return []
    try:
        opened = repository.open(row.path)
        refs = {ref.name: ref.target for ref in git_refs.list_refs(opened)}
        head = repository.default_branch(opened)
    except Exception as broken:
        return [_of(row, "repository", f"cannot be read: {broken}", f"restore {row.path} from a backup")]
    report.refs += len(refs)
    moving = set(RefIntent.objects.filter(repo_id=row.id).values_list("ref", flat=True))
    return [*_head_problems(row, refs, head, moving), *_pull_problems(row, refs, moving)]


def _head_problems(row: RepoRow, refs: Mapping[str, str], head: str, moving: set[str]) -> Iterator[Problem]:
    ref = HEADS + row.default_branch
    remedy = "push any commit to this branch: that writes the row anew"
    if row.head_oid != refs.get(ref, "") and ref not in moving:
        there = refs.get(ref, "") or "nowhere"
        yield _of(row, "row", f"the table has it at {row.head_oid or 'nowhere'}, git at {there}", remedy, ref)
    if head != row.default_branch:
        remedy = f"write `ref: {ref}` into {row.path / 'HEAD'}"
        yield _of(
            row,
            "row",
            f"the default branch is {row.default_branch} in the table, {head} in git",
            remedy,
            "HEAD",
        )


def _pull_problems(row: RepoRow, refs: Mapping[str, str], moving: set[str]) -> Iterator[Problem]:
    for number, oid in (
        Pull.objects.filter(repo_id=row.id).exclude(head_oid="").values_list("number", "head_oid")
    ):
        ref = f"{PULL_REQUESTS}{number}"
        if ref not in moving and refs.get(ref) != oid:
            what = f"the table has it at {oid}, git at {refs.get(ref) or 'nowhere'}"
            yield _of(row, "row", what, f"restore the ref: git update-ref {ref} {oid}", ref)


def _pointers(repo: RepoRow, bad: Mapping[str, Bad], report: Report, *, is_whole: bool) -> Iterator[Problem]:
    page: list[FoundPointer] = []
    try:
        for found in git_check.pointers(repo.path):
            page.append(found)
            if len(page) == _POINTERS:
                yield from _unresolved(repo, page, bad, report)
                page = []
        yield from _unresolved(repo, page, bad, report)
    except GitFailed as error:
        if is_whole:
            yield _of(
                repo, "repository", f"its history cannot be walked: {error}", "restore it from a backup"
            )


def _unresolved(
    repo: RepoRow, page: list[FoundPointer], bad: Mapping[str, Bad], report: Report
) -> Iterator[Problem]:
    report.pointers += len(page)
    linked = cas.objects_of(repo.id, [found.pointer.oid for found in page])
    upload = "upload the file again by `git lfs push --all` or the commit API from wherever it is"
    for found in page:
        oid, stored = found.pointer.oid, linked.get(found.pointer.oid)
        if stored is None:
            what = f"its pointer names the object {oid}, which is not linked here"
            yield _of(repo, "pointer", what, upload, found.path, oid)
        elif stored.size != found.pointer.size:
            what = f"its pointer says {found.pointer.size} bytes, the object {oid} has {stored.size}"
            yield _of(repo, "pointer", what, upload, found.path, oid)
        elif oid in bad:
            yield _of(repo, "pointer", f"its object {oid} {bad[oid].what}", bad[oid].remedy, found.path, oid)


def _homeless_links() -> Iterator[Problem]:
    for repo_id, count in cas_checking.homeless_links(Repo.objects.all()).items():
        what = f"{count} objects are linked to repository number {repo_id}, which does not exist"
        yield Problem("row", what, "restore the database from a backup")


def _folders(report: Report, is_served: bool) -> None:
    # Twice, since one may be made or deleted this moment: first its marker, then its folder, then its row.
    unknown = accounting.folders_without_row()
    if unknown:
        time.sleep(_SECOND_LOOK_S)
        unknown &= accounting.folders_without_row()
    unfinished = folders.unfinished()
    for storage_id in sorted(unknown - unfinished):
        path = git_path(storage_id)
        remedy = f"look into {path}; restore its row with a backup of the database, or move the folder away"
        report.problems.append(Problem("folder", f"{path} belongs to no repository", remedy, oid=storage_id))
    if unfinished and not is_served:
        report.notes.append(
            f"{len(unfinished)} repositories were being made or deleted: the next start settles them"
        )


def _intents(report: Report, is_served: bool) -> None:
    left = RefIntent.objects.select_related("repo").order_by("pk")
    if not is_served:
        if count := left.count():
            report.notes.append(f"{count} refs were being moved: the next start settles them")
        return
    for intent in left.filter(created_at__lt=clock.now() - INTENT_LEASE):
        name = name_of(intent.repo.type, intent.repo.full_name)
        what = f"its move from {intent.old or 'nothing'} to {intent.new or 'nothing'} was never settled"
        report.problems.append(
            Problem("intent", what, "restart the server: its start settles it", name, intent.ref, intent.new)
        )


def _of(repo: RepoRow, kind: str, what: str, remedy: str, place: str = "", oid: str = "") -> Problem:
    return Problem(kind, what, remedy, repo.prefix + repo.full_name, place, oid)
