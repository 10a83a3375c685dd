"""Global dedupe: a client has a chunk, and asks in which xorb it stands already.

The answer names the whole file around it, else a client would send most of that file again. What the asker may not use
stands there as random hashes and made-up lengths: position counts, nothing else of it may be learnt.
"""

from __future__ import annotations

import os
import time

import numpy as np

from hutch.cas.models import DedupeChunk, FileXorb, XetFile
from hutch.cas.xet import epochs, rights, spans, xorbs
from hutch.cas.xet.spans import Spans
from hutch.core.errors import NotFound
from hutch.core.permissions import Actor
from hutch.xet import files, hashes
from hutch.xet.errors import UnknownXorb
from hutch.xet.hashes import HASH_BYTES
from hutch.xet.shard import build_dedupe
from hutch.xet.xorb import XorbIndex

ANSWER_S = 86_400
"""How long a client keeps an answer. A collector waits longer before it removes what was told."""
_MOST_XORBS = 128  # 8 GB of file, 6 MB of answer; the chunks behind lead to the next ones
_MOST_PLACES = 20
_MADE_UP_BYTES = 1 << 16


def answer(actor: Actor, chunk: str) -> bytes:
    """A shard that tells where the chunk stands, and its neighbours. Raises NotFound: also for what is not theirs."""
    try:
        return _answer(actor, chunk)
    except UnknownXorb as error:  # collected while we looked
        raise NotFound("No xorb has this chunk", field="chunk", value=chunk) from error


def _answer(actor: Actor, chunk: str) -> bytes:
    found = _place(actor, chunk)
    if found is None:
        raise NotFound("No xorb has this chunk", field="chunk", value=chunk)
    names, told = _around(actor, *found)
    keys = [row.id for row in xorbs.find(names).values()]
    usable = rights.usable(actor, keys)
    xorbs.touch(usable)
    if actor.user_id is not None:
        epochs.note(actor.user_id, told)
    rows = xorbs.find(names)
    blocks = [
        (hashes.from_hex(name), masked(xorbs.index_of(rows[name].id), usable[rows[name].id]))
        for name in names
        if name in rows and rows[name].id in usable and not rows[name].damaged
    ]
    now = int(time.time())
    return build_dedupe(blocks, os.urandom(HASH_BYTES), now, now + ANSWER_S)


def masked(index: XorbIndex, usable: Spans) -> XorbIndex:
    """The chunk table with all that lies outside `usable` made up."""
    if spans.covers(usable, 0, index.count):
        return index
    lengths = np.full(index.count, _MADE_UP_BYTES, np.int64)
    names = bytearray(os.urandom(index.count * HASH_BYTES))
    for start, end in usable:
        lengths[start:end] = index.raw_lengths[start:end]
        names[start * HASH_BYTES : end * HASH_BYTES] = index.joined(start, end)
    return XorbIndex.of_lengths(bytes(names), lengths, lengths)


def _place(actor: Actor, chunk: str) -> tuple[int, int] | None:
    """A xorb (its row's key) and the position where the actor may use the chunk; the newest."""
    rows = DedupeChunk.objects.filter(chunk=chunk, xorb__damaged=False).order_by("-pk")
    places = list(rows.values_list("xorb_id", "position")[:_MOST_PLACES])
    usable = rights.usable(actor, [xorb for xorb, _ in places])
    for xorb, position in places:
        if spans.covers(usable.get(xorb, []), position, position + 1):
            return xorb, position
    return None


def _around(actor: Actor, xorb: int, position: int) -> tuple[list[str], list[int]]:
    """The xorbs of a file that has the chunk, from there on, and the file's key; the xorb alone if there is none."""
    uses = FileXorb.objects.filter(rights.readable_files(actor), xorb_id=xorb).order_by("-pk")
    here = XetFile.objects.none()
    for file, ranges in uses.values_list("file_id", "ranges")[:_MOST_PLACES]:
        if spans.covers(spans.from_text(ranges), position, position + 1):
            here = XetFile.objects.filter(pk=file)
            break
    own = xorbs.name_of(xorb)
    terms = [files.unpack_terms(bytes(packed)) for packed in here.values_list("terms", flat=True)]
    names = [hashes.to_hex(term.xorb) for term in (terms[0] if terms else [])]
    at = names.index(own) if own in names else 0
    following = list(dict.fromkeys([own, *names[at:], *names[:at]]))[:_MOST_XORBS]
    return following, list(here.values_list("pk", flat=True))
