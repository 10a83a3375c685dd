"""Shards: which chunks make which file. Nothing that a client says here is believed.

A file becomes known once each of its runs lies in xorbs that its sender may use, proves that the sender has seen the
chunks, and together they have the file's hash; its SHA-256, once the file was put together and hashed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from django.db.models import Exists, OuterRef

from hutch.cas import usage
from hutch.cas.errors import ChecksumRefused, QuotaRefused, XorbsRefused
from hutch.cas.models import FileReceipt, LargeObject, ObjectLink, Receipt
from hutch.cas.queries import in_one_go, kept
from hutch.cas.service import write_receipts
from hutch.cas.xet import epochs, registering, rights, spans, xorbs
from hutch.cas.xet.tokens import NO_LIMIT, CasToken
from hutch.cas.xet.xorbs import StoredXorb
from hutch.core import clock
from hutch.core.permissions import Actor
from hutch.storage import faults
from hutch.xet import files, hashes
from hutch.xet.errors import UnknownXorb
from hutch.xet.shard import FileEntry, Shard
from hutch.xet.xorb import XorbIndex

_KEPT_INDEXES = 32

faults.declare("cas.after_shard_rows")


@dataclass(frozen=True, slots=True)
class Examined:
    """A shard that holds what it says, but for the SHA-256 of `unproven`: entries by their place in `files`."""

    actor: Actor
    files: list[FileEntry]
    sizes: list[int]
    known: _Known
    unproven: list[int]


def examine(actor: Actor, token: CasToken, shard: Shard) -> Examined:
    """Holds a shard against what is stored and what its sender may use.

    Raises XorbsRefused naming what this actor may not use or never sent, BadFile, ChecksumRefused, QuotaRefused. After
    XorbsRefused the actor's CAS address is another one, so that a client with an old cache does not fail for ever.
    """
    known = _Known(actor, shard)
    try:
        known.check_rights(shard)
        for described in shard.xorbs:
            files.check_xorb(described, known.index_of(described.hash))
        sizes = [files.check_file(entry, known.index_of) for entry in shard.files]
    except XorbsRefused:
        epochs.begin_anew([token.user_id])
        raise
    if token.room_bytes != NO_LIMIT and sum(sizes) > token.room_bytes:
        raise QuotaRefused(sum(sizes), token.room_bytes)
    unproven = [place for place, entry in enumerate(shard.files) if not _is_proven(actor, entry)]
    return Examined(actor, shard.files, sizes, known, unproven)


def check_sha256(entry: FileEntry, found: str) -> None:
    """Raises ChecksumRefused if a file has another SHA-256 than its shard says."""
    if found != entry.sha256:
        raise ChecksumRefused(hashes.to_hex(entry.hash), named=entry.sha256 or "")


def admit(token: CasToken, examined: Examined) -> int:
    """Takes in the files of a shard, for the token's repository, once each SHA-256 is proven; how many.

    Durable on return, all or none; safe to repeat. Raises XorbsRefused if a xorb was collected since it was examined.
    """
    try:
        _admit(token, examined)
    except XorbsRefused:
        epochs.begin_anew([token.user_id])
        raise
    faults.point("cas.after_shard_rows")
    return len(examined.files)


@in_one_go
def _admit(token: CasToken, examined: Examined) -> None:
    examined.known.keep(examined.files)
    in_order = sorted(zip(examined.files, examined.sizes, strict=True), key=lambda pair: pair[0].hash)
    written = [(_write(token, entry, size, examined), entry.sha256 or "", size) for entry, size in in_order]
    for key, sha256, size in sorted(written, key=lambda row: row[1]):
        if sha256:
            _write_object(token, key, sha256, size)


def _is_proven(actor: Actor, entry: FileEntry) -> bool:
    """Whether no hashing is needed: no SHA-256 is claimed, or this very file was hashed before, and the actor may know.

    To anybody else it takes as long, and tells as much meanwhile, as a file that nobody has.
    """
    if entry.sha256 is None:
        return True
    chunks = {"object": OuterRef("pk"), "xet_file__hash": hashes.to_hex(entry.hash)}
    there = ObjectLink.objects.filter(**chunks, repo_id__in=rights.readable_by(actor).values("pk"))
    sent = Receipt.objects.filter(**chunks, user_id=actor.user_id)
    rows = LargeObject.objects.filter(Exists(there) | Exists(sent))
    known = rows.values_list("sha256", flat=True).first()
    if known is not None:
        check_sha256(entry, known)
    return known is not None


class _Known:
    """The xorbs that a shard names: rows, chunk tables, and which chunks the actor may use."""

    def __init__(self, actor: Actor, shard: Shard) -> None:
        named = {term.xorb for entry in shard.files for term in entry.terms} | {x.hash for x in shard.xorbs}
        by_text = {hashes.to_hex(name): name for name in named}
        # A damaged one is as good as none: nothing new is built on it.
        self.rows: dict[bytes, StoredXorb] = {
            by_text[key]: row for key, row in xorbs.find(by_text).items() if not row.damaged
        }
        keys = [row.id for row in self.rows.values()]
        xorbs.touch(keys)
        self._usable = rights.usable(actor, keys)
        self._indexes: OrderedDict[bytes, XorbIndex] = OrderedDict()

    def check_rights(self, shard: Shard) -> None:
        """Raises XorbsRefused for every xorb that is not there, or of which the actor may not use these chunks."""
        runs = [(term.xorb, term.start, term.end) for entry in shard.files for term in entry.terms]
        runs += [(described.hash, 0, len(described.table)) for described in shard.xorbs]
        refused = {name for name, start, end in runs if not self._may_use(name, start, end)}
        if refused:
            raise XorbsRefused(sorted(hashes.to_hex(name) for name in refused))

    def keep(self, entries: list[FileEntry]) -> None:
        """Keeps those that these files use, until the caller's transaction ends. Raises XorbsRefused if one is gone."""
        named = {self.rows[term.xorb].id: term.xorb for entry in entries for term in entry.terms}
        if gone := named.keys() - registering.keep_xorbs(named):
            raise XorbsRefused(sorted(hashes.to_hex(named[key]) for key in gone))

    def index_of(self, name: bytes) -> XorbIndex:
        """The chunk table of one of them; a few are kept. Raises XorbsRefused if it was collected meanwhile."""
        if name not in self._indexes:
            try:
                self._indexes[name] = xorbs.index_of(self.rows[name].id)
            except UnknownXorb as error:
                raise XorbsRefused([hashes.to_hex(name)]) from error
            if len(self._indexes) > _KEPT_INDEXES:
                self._indexes.popitem(last=False)
        return self._indexes[name]

    def _may_use(self, name: bytes, start: int, end: int) -> bool:
        row = self.rows.get(name)
        if row is None:
            return False
        usable = self._usable.get(row.id, [])
        # Who may use all of it is told of chunks that it does not have by what checks the file.
        return spans.covers(usable, start, end) or usable == [(0, row.chunks)]


def _write(token: CasToken, entry: FileEntry, size: int, examined: Examined) -> int:
    """A file's rows and the sender's receipt; its key."""
    known, theirs = examined.known, rights.readable_files(examined.actor, "pk")
    keys = {term.xorb: known.rows[term.xorb].id for term in entry.terms}
    first = known.index_of(entry.terms[0].xorb).hash(entry.terms[0].start) if entry.terms else b""
    file = registering.write_file(entry.hash, size, entry.terms, keys, first, theirs)
    FileReceipt.objects.bulk_create(
        [FileReceipt(user_id=token.user_id, repo_id=token.repo_id, file_id=file, renewed_at=clock.now())],
        update_conflicts=True, update_fields=["renewed_at"], unique_fields=["user_id", "repo_id", "file"],
    )  # fmt: skip
    return file


def _write_object(token: CasToken, file_id: int, sha256: str, size: int) -> None:
    """The object that commits link: a new one, or one that came as a blob and now has its chunks as well."""
    LargeObject.objects.bulk_create(
        [LargeObject(sha256=sha256, size_bytes=size, storage_key="", xet_file_id=file_id)],
        ignore_conflicts=True,
    )
    key = kept(LargeObject.objects.filter(sha256=sha256)).values_list("pk", flat=True).get()
    if LargeObject.objects.filter(pk=key, xet_file__isnull=True).update(xet_file_id=file_id):
        usage.remeasure_users([key])
    write_receipts(token.user_id, token.repo_id, {key: file_id})
