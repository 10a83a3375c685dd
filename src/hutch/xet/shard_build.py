"""Writes shards: the reply to a dedupe question, and uploads as a client makes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from blake3 import blake3

from hutch.xet import shard_format as form
from hutch.xet.hashes import HASH_BYTES, ZERO, from_hex
from hutch.xet.index import XorbIndex

if TYPE_CHECKING:
    from hutch.xet.shard import FileEntry

_HEADER_BYTES = form.HEADER.size


def build_dedupe(
    xorbs: Iterable[tuple[bytes, XorbIndex]], hmac_key: bytes, created: int, expiry: int
) -> bytes:
    """The reply to a client that asks for a chunk across the hub: what these (hash, index) xorbs hold.

    Chunk hashes stand under `hmac_key` (32 bytes, not zero), so that only who has a chunk can recognise it; the xorbs'
    own hashes stand plain. `created` and `expiry` are Unix seconds; after `expiry` clients forget the reply. A client
    needs all xorbs of the file that holds the chunk, not only the chunk's own, or it sends most of the file again.
    """
    blocks = [_xorb_block(xorb_hash, index, hmac_key) for xorb_hash, index in xorbs]
    return _join([], blocks, _Footer(hmac_key, created, expiry))


def build_upload(
    files: Iterable[FileEntry], xorbs: Iterable[tuple[bytes, XorbIndex]], *, footer: bool = False
) -> bytes:
    """A shard as clients upload it, with the 200-byte footer of the JavaScript client or, as hf_xet does, without."""
    blocks = [_xorb_block(xorb_hash, index, None) for xorb_hash, index in xorbs]
    return _join(
        [_file_block(entry) for entry in files], blocks, _Footer(ZERO, 0, (1 << 64) - 1) if footer else None
    )


class _Footer:
    def __init__(self, hmac_key: bytes, created: int, expiry: int) -> None:
        self._key_and_times = (hmac_key, created, expiry)

    def pack(self, xorbs_at: int, at: int) -> bytes:
        """A footer at byte `at`, right after the sections, with lookup tables of no entries."""
        tables = (at, 0) * 3
        return form.FOOTER.pack(
            form.FOOTER_VERSION, _HEADER_BYTES, xorbs_at, *tables, *self._key_and_times, 0, 0, 0, at
        )


def _join(files: list[bytes], xorbs: list[bytes], footer: _Footer | None) -> bytes:
    head = form.HEADER.pack(form.TAG, form.HEADER_VERSION, form.FOOTER.size if footer else 0)
    file_section = b"".join([*files, form.BOOKEND])
    xorbs_at = len(head) + len(file_section)
    body = b"".join([head, file_section, *xorbs, form.BOOKEND])
    return body + footer.pack(xorbs_at, len(body)) if footer else body


def _file_block(entry: FileEntry) -> bytes:
    flags = form.VERIFICATION * (entry.range_hashes is not None) | form.METADATA * (entry.sha256 is not None)
    records = [form.FILE.pack(entry.hash, flags, len(entry.terms))]
    records += [form.TERM.pack(t.xorb, 0, t.raw_bytes, t.start, t.end) for t in entry.terms]
    records += [form.HASH.pack(h) for h in entry.range_hashes or ()]
    records += [form.HASH.pack(from_hex(entry.sha256))] if entry.sha256 is not None else []
    return b"".join(records)


def _xorb_block(xorb_hash: bytes, index: XorbIndex, hmac_key: bytes | None) -> bytes:
    hashes = index.joined_hashes if hmac_key is None else _under_key(index, hmac_key)
    table = np.zeros(index.count, form.CHUNK)
    table["hash"] = np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES)
    table["offset"] = index.raw_offsets[:-1]
    table["length"] = index.raw_lengths
    return form.XORB.pack(xorb_hash, 0, index.count, index.raw_bytes, index.data_bytes) + table.tobytes()


def _under_key(index: XorbIndex, hmac_key: bytes) -> bytes:
    """Every chunk's hash as `hashes.hmac_hash` has it, one hasher for all."""
    hasher, keyed = blake3(key=hmac_key), []
    for h in index.hashes():
        hasher.reset()
        hasher.update(h)
        keyed.append(hasher.digest())
    return b"".join(keyed)
