"""Xorbs: checked as they come, read chunk by chunk, built.

A xorb is chunks back to back (`frames.py`) and is named by the Merkle root over their hashes. Some clients append a
footer that begins with `XETBLOB`: it says nothing that the chunks do not, so it is neither read nor counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from blake3 import blake3

from hutch.xet.buffers import Buffer
from hutch.xet.builder import XorbBuilder
from hutch.xet.errors import BadXorb, DamagedXorb
from hutch.xet.frames import HEADER_BYTES, MAX_CHUNK_BYTES, Decoder, read_header
from hutch.xet.hashes import DATA_KEY, to_hex
from hutch.xet.index import MAX_CHUNKS, XorbIndex

MAX_RAW_BYTES: Final = 64 * 1024 * 1024
"""What clients put into one xorb, uncompressed."""
MAX_DATA_BYTES: Final = MAX_RAW_BYTES + MAX_CHUNKS * HEADER_BYTES
"""All frames: hf_xet counts raw bytes alone against 64 MiB, so that incompressible ones come with headers on top."""
MAX_XORB_BYTES: Final = MAX_DATA_BYTES + 64 * 1024 + MAX_CHUNKS * 40
"""A whole upload, with the largest footer that a client may append."""
FOOTER_MAGIC: Final = b"XETBLOB"

__all__ = [
    "MAX_CHUNKS", "MAX_CHUNK_BYTES", "MAX_DATA_BYTES", "MAX_XORB_BYTES", "XorbBuilder", "XorbIndex", "decode_frames",
    "read_chunk", "read_frames", "scan",
]  # fmt: skip


def scan(buffer: Buffer, expected: bytes | None = None) -> XorbIndex:
    """Check a whole xorb and give its chunk table: `data_bytes` is where to cut a footer off.

    Every chunk is decompressed and hashed, none is kept. Raises BadXorb for a header beyond its limits, a chunk of
    another length than it claims, no chunk or more than 8192, more than `MAX_DATA_BYTES`, or another name than
    `expected`. Leaves no view on the buffer behind, not in an error's traceback either: an mmap can be closed.
    """
    with memoryview(buffer) as view:
        hashes, raw_lengths, frame_lengths = _scan_frames(view)
    index = XorbIndex.of_lengths(hashes, raw_lengths, frame_lengths)
    if expected is not None and index.xorb_hash() != expected:
        raise BadXorb(
            f"The xorb's chunks make {to_hex(index.xorb_hash())}, its name says {to_hex(expected)}",
            field="hash", value=to_hex(index.xorb_hash()), limit=to_hex(expected),
        )  # fmt: skip
    return index


def _scan_frames(view: memoryview) -> tuple[bytes, list[int], list[int]]:
    """Hashes, raw lengths and frame lengths of the chunks up to the end or the footer."""
    decoder, hasher, at, end = Decoder(), blake3(key=DATA_KEY), 0, len(view)
    hashes: list[bytes] = []
    raw_lengths: list[int] = []
    frame_lengths: list[int] = []
    while at < end and bytes(view[at : at + len(FOOTER_MAGIC)]) != FOOTER_MAGIC:
        header = read_header(view, at, end)
        frame_end = at + HEADER_BYTES + header.stored_bytes
        _check_bounds(len(hashes), frame_end)
        with view[at + HEADER_BYTES : frame_end] as data:
            hasher.reset()
            hasher.update(decoder.decode(data, header))
        hashes.append(hasher.digest())
        raw_lengths.append(header.raw_bytes)
        frame_lengths.append(frame_end - at)
        at = frame_end
    if not hashes:
        raise BadXorb("A xorb has at least one chunk", field="chunks", value=0, limit=1)
    return b"".join(hashes), raw_lengths, frame_lengths


def _check_bounds(chunks_before: int, frame_end: int) -> None:
    if chunks_before >= MAX_CHUNKS:
        raise BadXorb(f"The xorb has more than {MAX_CHUNKS} chunks", field="chunks", limit=MAX_CHUNKS)
    if frame_end > MAX_DATA_BYTES:
        raise BadXorb(f"The xorb has more than {MAX_DATA_BYTES} bytes", field="size", limit=MAX_DATA_BYTES)


def read_chunk(
    frame: Buffer, index: XorbIndex, chunk: int, *, decoder: Decoder | None = None, verify: bool = False
) -> bytes:
    """The raw bytes of one chunk from exactly its frame's bytes (`index.frame_range(chunk, chunk + 1)`).

    Raises DamagedXorb when they are not what the index promises: by length, and with `verify` by hash.
    """
    raw_bytes = index.raw_length(chunk, chunk + 1)
    first, last = index.frame_range(chunk, chunk + 1)
    try:
        if len(frame) != last - first:
            raise BadXorb(f"{len(frame)} bytes are there of {last - first}", field="size", value=len(frame))
        with memoryview(frame) as view:
            header = read_header(view, 0, len(view))
            if header.raw_bytes != raw_bytes or header.stored_bytes != len(view) - HEADER_BYTES:
                raise BadXorb(f"Its header says {header}, {raw_bytes} raw bytes are expected", field="header")
            with view[HEADER_BYTES:] as data:
                raw = bytes((decoder or Decoder()).decode(data, header))
    except BadXorb as error:
        raise DamagedXorb(
            f"Chunk {chunk} at byte {first}: {error.message}", field="chunk", value=chunk
        ) from None
    if verify and blake3(raw, key=DATA_KEY).digest() != index.hash(chunk):
        raise DamagedXorb(f"Chunk {chunk} at byte {first} has another hash", field="chunk", value=chunk)
    return raw


def decode_frames(
    buffer: Buffer, start_chunk: int, end_chunk: int, index: XorbIndex, *, verify: bool = False
) -> Iterator[bytes]:
    """The raw bytes of chunks `start_chunk` to `end_chunk` (exclusive) out of a whole xorb, one at a time.

    Raises BadFile for a range that the xorb does not have, DamagedXorb as `read_chunk` does.
    """
    index.check_range(start_chunk, end_chunk)
    decoder = Decoder()
    for chunk in range(start_chunk, end_chunk):
        first, last = index.frame_range(chunk, chunk + 1)
        with memoryview(buffer) as view, view[first:last] as frame:
            raw = read_chunk(frame, index, chunk, decoder=decoder, verify=verify)
        yield raw


def read_frames(
    stream: BinaryIO, start_chunk: int, end_chunk: int, index: XorbIndex, *, verify: bool = False
) -> Iterator[bytes]:
    """As `decode_frames`, from a stream that begins at the first of these frames (`index.frame_range`)."""
    index.check_range(start_chunk, end_chunk)
    decoder = Decoder()
    for chunk in range(start_chunk, end_chunk):
        first, last = index.frame_range(chunk, chunk + 1)
        yield read_chunk(_read_exactly(stream, last - first), index, chunk, decoder=decoder, verify=verify)


def _read_exactly(stream: BinaryIO, size_bytes: int) -> bytes:
    """Up to so many bytes, however few a single read gives; fewer only at the end of the stream."""
    data = stream.read(size_bytes)
    while len(data) < size_bytes and (more := stream.read(size_bytes - len(data))):
        data += more
    return data
