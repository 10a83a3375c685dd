"""A process that works on a data folder of its own and dies where it is told to. Run by `test_care_crash`."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import signal
import sys

import hutch.boot
import hutch.routes  # noqa: F401
from hutch.cas import checking, collecting, deduping, service, sources
from hutch.cas.models import LargeObject, ObjectLink, Xorb
from hutch.cas.xet import mending
from hutch.core.database import migrate
from hutch.git.pointers import Pointer
from hutch.storage import faults
from tests.cas.xet_making import (
    ALICE,
    OTHER,
    REPO,
    age,
    blob_of,
    blobs,
    chunks,
    entry_of,
    flip,
    name_of,
    problems,
    register,
    send_file,
    send_xorb,
)

GRACE_S = 2 * 86_400
PIECES, LOST = chunks(9000, 20000, 500, 30000), chunks(7000, 7001, seed=1)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(what: str) -> None:
    """`name:n`: dies when the point is passed for the nth time."""
    name, _, nth = what.partition(":")
    passes = itertools.count(1)
    faults.arm(name, lambda: die() if next(passes) == int(nth) else None)


def prepare() -> None:
    """A blob to cut up, one that is chunks as well, a xorb to compact, one to mend, and what nobody needs."""
    content = random.Random(1).randbytes(3_000_000)
    for some in (content, content[1_000_000:]):
        _link(service.store_bytes(1, REPO, some).oid)
    send_file(PIECES, repo_id=OTHER)
    register(entry_of([(name_of(PIECES), 1, 2)], PIECES[1]))
    _link(hashlib.sha256(PIECES[1]).hexdigest())
    send_file(LOST)
    service.store_bytes(1, REPO, b"".join(LOST))
    send_xorb([*LOST, *chunks(3000, seed=2)])
    service.store_bytes(1, OTHER, b"nobody needs this")
    service.forget_repo(OTHER)
    age()
    flip(blob_of(name_of(LOST)), 100)


def _link(oid: str) -> None:
    row = LargeObject.objects.get(sha256=oid)
    service.link(ALICE, REPO, [Pointer(row.sha256, row.size_bytes)])


def work() -> None:
    """Mends, cuts up, collects: all that moves what is stored."""
    for problem in problems():
        mending.mend(problem)
    deduping.dedupe(lambda fraction, text: None)
    collecting.collect(GRACE_S, lambda doing: None)


def state() -> dict[str, object]:
    """What is there: bytes of everything linked, and whether rows and blobs agree."""
    read, found, lost = {}, problems(), hashlib.sha256(b"".join(LOST)).hexdigest()
    for oid, size in ObjectLink.objects.values_list("object__sha256", "object__size_bytes"):
        stored = service.object_of(REPO, oid)
        assert stored is not None
        read[oid] = hashlib.sha256(sources.read(stored, 0, size)).hexdigest() == oid
    return {
        "whole": all(read.values()), "linked": len(read), "problems": [str(problem) for problem in found],
        "news": [str(problem) for problem in found if problem.oid not in (name_of(LOST), lost)],
        "strays": checking.unknown_blobs().count, "objects": LargeObject.objects.count(),
        "unused": Xorb.objects.filter(users__isnull=True).count(),
        "blobs": [len(blobs("lfs")), len(blobs("xorbs"))], "xorbs": Xorb.objects.count(),
    }  # fmt: skip


def main() -> None:
    what, point = sys.argv[1:]
    migrate()
    if what == "prepare":
        prepare()
    elif what == "kill":
        _arm(point)
        work()
        age(3)
        work()
        raise SystemExit("it lived on")
    elif what == "look":
        print(json.dumps(state()))
    else:
        for _ in range(4):
            work()
            age(3)
        print(json.dumps(state()))


if __name__ == "__main__":
    main()
