"""How a client puts a file together: which chunks of which xorbs, and the signed addresses where they are.

Shapes as hf_xet 1.8.0 (v2) and 1.2.0 to 1.4.3 (v1) read them. Chunk ranges end exclusive, byte ranges inclusive.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db.models import Exists, OuterRef, Q

from hutch.cas import ranges
from hutch.cas.errors import FileDamaged
from hutch.cas.models import FileLink, FileReceipt, ObjectLink, XetFile
from hutch.cas.xet import rights, tokens, xorbs
from hutch.cas.xet.reading import FileReader
from hutch.cas.xet.tokens import CasToken, XorbRange
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor
from hutch.settings import current
from hutch.storage.errors import BlobNotFound
from hutch.xet import files, hashes
from hutch.xet.errors import DamagedXorb
from hutch.xet.files import Plan, Run, Term
from hutch.xet.xorb import XorbIndex

Shape = dict[str, Any]
Address = Callable[[bytes, Run], str]


def answer(
    actor: Actor, token: CasToken, name: str, base_url: str, *, version: int, range_header: str | None = None
) -> Shape:
    """The reconstruction of a file, or of the bytes that a Range header asks for; of several pieces the first.

    Raises NotFound unless the file is in the token's repository and the actor may still read that, or sent it for it;
    RangeNotSatisfiable, which old clients walk on until they meet it.
    """
    stored = _find(actor, token, name)
    terms = files.unpack_terms(bytes(stored.terms))
    spans = ranges.parse(range_header, stored.size_bytes)
    start, end = (spans[0].start, spans[0].end) if spans else (0, None)
    known = _Seen(terms)
    plan = files.plan(terms, known.index_of, start, end)
    known.require_whole(name, plan)
    xorbs.touch(known.rows)
    expires = int(time.time()) + current().signed_url_s

    def address(xorb: bytes, run: Run) -> str:
        return tokens.xorb_address(
            base_url, XorbRange(known.blobs[xorb], run.byte_start, run.byte_end, expires)
        )

    return {**_head(plan), **(_v2(plan, address) if version == 2 else _v1(plan, address))}


class _Seen:
    """Chunk tables, and of which blobs they were true when they were read last: byte ranges are those of that blob."""

    def __init__(self, terms: list[Term]) -> None:
        self._reader = FileReader(terms, loads=True)
        self.blobs: dict[bytes, str] = {}
        self.rows: set[int] = set()
        self._damaged: set[bytes] = set()

    def index_of(self, name: bytes) -> XorbIndex:
        """A xorb's chunk table. Raises UnknownXorb."""
        table = self._reader.table_of(name)
        self.blobs[name] = xorbs.blob_name(table.storage_key)
        if table.damaged:
            self._damaged.add(name)
        self.rows.add(table.id)
        return table.index

    def require_whole(self, file: str, plan: Plan) -> None:
        """Raises FileDamaged for bad chunks: clients believe whatever they fetch. Reads damaged xorbs alone."""
        try:
            for name in self._damaged & plan.xorbs.keys():
                for run in plan.xorbs[name]:
                    self._reader.verify(name, run)
        except (DamagedXorb, BlobNotFound) as error:
            raise FileDamaged(file) from error


def _find(actor: Actor, token: CasToken, name: str) -> XetFile:
    there = rights.readable_by(actor).filter(pk=token.repo_id)
    linked = Exists(FileLink.objects.filter(file=OuterRef("pk"), repo_id=token.repo_id))
    behind = Exists(ObjectLink.objects.filter(xet_file=OuterRef("pk"), repo_id=token.repo_id))
    sent = FileReceipt.objects.filter(file=OuterRef("pk"), repo_id=token.repo_id, user_id=token.user_id)
    rule = (Q(linked) | Q(behind)) & Q(Exists(there))
    if token.user_id:
        rule |= Q(Exists(sent))
    found = XetFile.objects.filter(rule, hash=name).order_by("pk").first()
    if found is None:
        raise NotFound("This repository has no such file", field="hash", value=name)
    return found


def _head(plan: Plan) -> Shape:
    terms = [
        {
            "hash": hashes.to_hex(term.xorb),
            "unpacked_length": term.raw_bytes,
            "range": {"start": term.start, "end": term.end},
        }
        for term in plan.terms
    ]
    return {"offset_into_first_range": plan.offset_into_first_range, "terms": terms}


def _v1(plan: Plan, address: Address) -> Shape:
    return {
        "fetch_info": {
            hashes.to_hex(xorb): [
                {"range": _chunks(run), "url": address(xorb, run), "url_range": _bytes(run)} for run in runs
            ]
            for xorb, runs in plan.xorbs.items()
        }
    }


def _v2(plan: Plan, address: Address) -> Shape:
    return {
        "xorbs": {
            hashes.to_hex(xorb): [
                {"url": address(xorb, run), "ranges": [{"chunks": _chunks(run), "bytes": _bytes(run)}]}
                for run in runs
            ]
            for xorb, runs in plan.xorbs.items()
        }
    }


def _chunks(run: Run) -> Shape:
    return {"start": run.start, "end": run.end}


def _bytes(run: Run) -> Shape:
    return {"start": run.byte_start, "end": run.byte_end - 1}
