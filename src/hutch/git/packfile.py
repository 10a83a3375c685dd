"""Writing a pack and its index by hand (git's Documentation/gitformat-pack), without deltas.

A pack costs four fsyncs whatever it holds, a loose object two: new objects in numbers go into one pack.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pygit2.enums import ObjectType

from hutch.git.repository import fsync_file, fsync_folder, write_durably

_HEADER = struct.Struct(">4sII")
_INDEX_MAGIC = b"\xfftOc\x00\x00\x00\x02"
_LARGE_OFFSET = 1 << 31
_COPY_BYTES = 1 << 20


class _Packed(NamedTuple):
    raw_oid: bytes
    crc: int
    offset: int


class PackWriter:
    """A pack that grows in a temporary file and enters the repository whole, at `finish`."""

    def __init__(self, path: Path) -> None:
        self._folder = path / "objects" / "pack"
        handle, name = tempfile.mkstemp(prefix="tmp_pack_", dir=self._folder)
        self._draft = Path(name)
        self._index_draft = self._folder / f"tmp_idx_{self._draft.name.removeprefix('tmp_pack_')}"
        self._out = os.fdopen(handle, "w+b")
        self._out.write(_HEADER.pack(b"PACK", 2, 0))
        self._offset = _HEADER.size
        self._packed: list[_Packed] = []

    def add(self, kind: ObjectType, oid: str, data: bytes) -> None:
        """Append one object; the caller adds each once."""
        record = _record_header(kind, len(data)) + zlib.compress(data, 1)
        self._out.write(record)
        self._packed.append(_Packed(bytes.fromhex(oid), zlib.crc32(record), self._offset))
        self._offset += len(record)

    def finish(self) -> None:
        """Give the pack its count, checksum and index, and move both into place, durably."""
        checksum = self._seal()
        name = f"pack-{checksum.hex()}"
        write_durably(self._index_draft, _index(sorted(self._packed), checksum))
        for source, suffix in ((self._draft, ".pack"), (self._index_draft, ".idx")):
            source.chmod(0o444)
            source.rename(self._folder / (name + suffix))
        fsync_folder(self._folder)
        fsync_folder(self._folder.parent)

    def _seal(self) -> bytes:
        self._out.seek(0)
        self._out.write(_HEADER.pack(b"PACK", 2, len(self._packed)))
        self._out.seek(0)
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := self._out.read(_COPY_BYTES):
            digest.update(piece)
        self._out.write(digest.digest())
        self._out.close()
        fsync_file(self._draft)
        return digest.digest()

    def discard(self) -> None:
        """Drop what was written; harmless after `finish`."""
        # Closing writes what is still buffered, which a full disk refuses again.
        with suppress(OSError):
            self._out.close()
        self._draft.unlink(missing_ok=True)
        self._index_draft.unlink(missing_ok=True)


def _record_header(kind: ObjectType, size: int) -> bytes:
    byte = (int(kind) << 4) | (size & 15)
    size >>= 4
    out = bytearray()
    while size:
        out.append(byte | 0x80)
        byte = size & 0x7F
        size >>= 7
    out.append(byte)
    return bytes(out)


def _index(packed: Sequence[_Packed], pack_checksum: bytes) -> bytes:
    counts = [0] * 256
    for each in packed:
        counts[each.raw_oid[0]] += 1
    fanout, total = [], 0
    for count in counts:
        total += count
        fanout.append(total)
    large = [each.offset for each in packed if each.offset >= _LARGE_OFFSET]
    places = {offset: _LARGE_OFFSET | position for position, offset in enumerate(large)}
    body = b"".join(
        (
            _INDEX_MAGIC,
            struct.pack(">256I", *fanout),
            b"".join(each.raw_oid for each in packed),
            struct.pack(f">{len(packed)}I", *(each.crc for each in packed)),
            struct.pack(f">{len(packed)}I", *(places.get(each.offset, each.offset) for each in packed)),
            struct.pack(f">{len(large)}Q", *large),
            pack_checksum,
        )
    )
    return body + hashlib.sha1(body, usedforsecurity=False).digest()
