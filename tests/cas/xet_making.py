"""Xorbs and files of Xet, made and sent without a server, with chunks that a test chooses."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from django.db.models import Model, QuerySet

from hutch.cas import cleaning, collecting, service, stores
from hutch.cas.collecting import Collected
from hutch.cas.models import FileReceipt, LargeObject, Receipt, Told, XetFile, Xorb, XorbReceipt
from hutch.cas.problems import Problem
from hutch.cas.xet import reading, scrubbing, shards, storing, xorbs
from hutch.cas.xet.tokens import NO_LIMIT, CasToken
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.git.pointers import Pointer
from hutch.repos.models import Repo
from hutch.xet import frames, hashes
from hutch.xet.files import Term
from hutch.xet.shard import FileEntry, Shard
from hutch.xet.xorb import XorbIndex
from hutch.xet.xorb import scan as scan_xorb

ALICE, BOB = Actor(user_id=1, username="alice"), Actor(user_id=2, username="bob")
REPO, OTHER = 10, 11
_AGED = {
    LargeObject: ("created_at",), Xorb: ("touched_at", "created_at"), XetFile: ("touched_at", "created_at"),
    Receipt: ("renewed_at",), FileReceipt: ("renewed_at",), XorbReceipt: ("renewed_at",), Told: ("at",),
}  # fmt: skip
Part = tuple[str, int, int]
"""A xorb's hash, the first chunk and the chunk after the last."""


def chunks(*sizes: int, seed: int = 0) -> list[bytes]:
    """Chunks of these sizes that do not compress, the same for the same seed."""
    return [hashlib.shake_128(f"{seed} {number}".encode()).digest(size) for number, size in enumerate(sizes)]


def plainly(pieces: Sequence[bytes]) -> bytes:
    """A xorb of these chunks, none of them compressed."""
    head = [(len(piece) << 8).to_bytes(4, "little") for piece in pieces]
    return b"".join(one + one + piece for one, piece in zip(head, pieces, strict=True))


def compressed(pieces: Sequence[bytes]) -> bytes:
    """A xorb of these chunks as a client makes it."""
    return b"".join(frames.encode(piece) for piece in pieces)


def send_xorb(pieces: Sequence[bytes], actor: Actor = ALICE, data: bytes | None = None) -> str:
    """Takes a xorb of these chunks in, as if the actor had sent it; its hash."""
    data = compressed(pieces) if data is None else data
    name = hashes.to_hex(scan_xorb(data).xorb_hash())
    with stores.staging().create(len(data), hashing=False) as file:
        file.write(data)
        staged, index = storing.scan(file.finish(), name)
        storing.receive(actor, staged, name, index)
    return name


def entry_of(parts: Sequence[Part], content: bytes | None = None) -> FileEntry:
    """A true description of a file out of stored xorbs; with `content`, with its SHA-256."""
    terms, proofs, leaves = [], [], []
    for name, start, end in parts:
        index = xorbs.tables([name])[name].index
        run = list(index.hashes(start, end))
        terms.append(Term(hashes.from_hex(name), start, end, index.raw_length(start, end)))
        proofs.append(hashes.range_hash(run))
        leaves += list(zip(run, map(int, index.raw_lengths[start:end]), strict=True))
    sha256 = None if content is None else hashlib.sha256(content).hexdigest()
    return FileEntry(hashes.file_hash(leaves), terms, proofs, sha256)


def token(actor: Actor = ALICE, repo_id: int = REPO) -> CasToken:
    """What the actor would show the CAS to write into a repository."""
    return CasToken("write", repo_id, actor.user_id or 0, 0, NO_LIMIT, int(time.time()) + 600)


def register(entry: FileEntry, actor: Actor = ALICE, repo_id: int = REPO) -> None:
    """Takes a file in by a shard that describes it."""
    shown = token(actor, repo_id)
    shards.admit(shown, shards.examine(actor, shown, Shard([entry], [])))


def send_file(
    pieces: Sequence[bytes], actor: Actor = ALICE, repo_id: int = REPO, *, link: bool = True
) -> LargeObject:
    """Sends a file of these chunks as one xorb, and commits it unless told otherwise."""
    content = b"".join(pieces)
    name = send_xorb(pieces, actor)
    register(entry_of([(name, 0, len(pieces))], content), actor, repo_id)
    row = LargeObject.objects.get(sha256=hashlib.sha256(content).hexdigest())
    if link:
        service.link(actor, repo_id, [Pointer(row.sha256, row.size_bytes)])
    return row


def problems() -> list[Problem]:
    """Whatever is wrong with what is stored, read from end to end."""
    return [*scrubbing.check_xorbs(), *scrubbing.check_files(), *cleaning.fsck()]


def collected(grace_s: float) -> Collected:
    """A collection that does just what was foreseen, and leaves nothing wrong."""
    foreseen = collecting.foresee(grace_s)
    done = collecting.collect(grace_s, lambda doing: None)
    assert foreseen.shape() == done.shape()
    assert problems() == []
    return done


def a_repo(key: int, visibility: str = "public", gated: str = "") -> QuerySet[Repo]:
    """A model with that key, as a query."""
    name = f"alice/model-{key}"
    Repo.objects.create(
        pk=key, type="model", name=name, full_name=name, lower_full_name=name, visibility=visibility, gated=gated,
        updated_at=clock.now(),
    )  # fmt: skip
    return Repo.objects.filter(pk=key)


def name_of(pieces: Sequence[bytes]) -> str:
    """The hash of a xorb of these chunks."""
    return hashes.to_hex(hashes.xorb_hash([(hashes.chunk_hash(piece), len(piece)) for piece in pieces]))


def index_of(name: str) -> XorbIndex:
    """The stored chunk table of a xorb."""
    return xorbs.tables([name])[name].index


def content_of(row: LargeObject) -> bytes:
    """An object's bytes out of its chunks, each of them verified."""
    assert row.xet_file is not None
    return b"".join(reading.stream(reading.terms_of(row.xet_file.hash), verify=True))


def blob_of(name: str) -> Path:
    """The file in which a xorb is stored."""
    return stores.blobs().locate(Xorb.objects.get(hash=name).storage_key).path  # type: ignore[union-attr]


def blobs(shelf: str) -> set[str]:
    """The keys of what is stored on a shelf."""
    return {blob.key for blob in stores.blobs().list(f"{shelf}/")}


def flip(path: Path, at: int) -> None:
    """Changes a byte of a file."""
    path.chmod(0o640)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x55]))


def age(days: float = 30) -> None:
    """Makes all that is stored so many days older."""
    for model, columns in _AGED.items():
        for row in model._default_manager.all():
            _shift(row, columns, days)
    for path in Path(stores.blobs().root).rglob("*"):  # type: ignore[attr-defined]
        moment = path.stat().st_mtime - days * 86_400
        os.utime(path, (moment, moment))


def _shift(row: Model, columns: tuple[str, ...], days: float) -> None:
    values = {column: getattr(row, column) - timedelta(days=days) for column in columns}
    type(row)._default_manager.filter(pk=row.pk).update(**values)
