"""One chunk in a xorb: a header of eight bytes, and its data plain, as an LZ4 frame, or as four byte planes in one.

    u8 version 0 | u24 stored bytes | u8 scheme | u24 raw bytes | data       (little-endian)

Source: the Xet specification, "Xorb format"; limits as hf_xet 1.8.0 holds them.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

import lz4.frame
import numpy as np

from hutch.xet.buffers import Buffer
from hutch.xet.errors import BadXorb

HEADER_BYTES: Final = 8
MAX_CHUNK_BYTES: Final = 131_072
MAX_STORED_BYTES: Final = 2 * MAX_CHUNK_BYTES
PLAIN, LZ4, BG4_LZ4 = 0, 1, 2
PLANES: Final = 4

_HEADER = struct.Struct("<II")
_SAMPLE_BYTES = 8192
_WORTH_IT = 0.97
"""A compressed form is kept when it is smaller than this part of the raw bytes: reading it costs twice the time."""


class Header(NamedTuple):
    """What stands before a chunk's data."""

    scheme: int
    stored_bytes: int
    raw_bytes: int


def read_header(view: Buffer, at: int, end: int) -> Header:
    """The header at byte `at` of a buffer whose data ends at `end`.

    Raises BadXorb unless version, scheme and both lengths are within limits and the data lies before `end`.
    """
    if end - at < HEADER_BYTES:
        raise _bad("header", at, end - at, f"{HEADER_BYTES} bytes")
    low, high = _HEADER.unpack_from(view, at)
    version, stored, scheme, raw = low & 0xFF, low >> 8, high & 0xFF, high >> 8
    if version != 0:
        raise _bad("version", at, version, 0)
    if not 0 < raw <= MAX_CHUNK_BYTES:
        raise _bad("raw length", at, raw, f"1 to {MAX_CHUNK_BYTES}")
    if not 0 < stored <= min(MAX_STORED_BYTES, end - at - HEADER_BYTES):
        raise _bad("stored length", at, stored, f"1 to {min(MAX_STORED_BYTES, end - at - HEADER_BYTES)}")
    if scheme > BG4_LZ4 or (scheme == PLAIN and stored != raw):
        raise _bad("scheme", at, scheme, f"{LZ4} or {BG4_LZ4}, or {PLAIN} with equal lengths")
    return Header(scheme, stored, raw)


def _bad(field: str, at: int, value: object, limit: object) -> BadXorb:
    return BadXorb(
        f"Xorb: {field} {value} of the chunk at byte {at}, allowed is {limit}",
        field=field,
        value=value,
        limit=limit,
    )


class Decoder:
    """Undoes the compression of one chunk after another; not for two threads at once.

    Never writes more than a chunk's claimed raw bytes, which a checked header keeps to 128 KiB.
    """

    def __init__(self) -> None:
        self._context: Any = lz4.frame.create_decompression_context()

    def decode(self, data: memoryview, header: Header) -> Buffer:
        """The raw bytes of a chunk from its data; a plain chunk's come back as the same view, uncopied.

        Raises BadXorb unless the data is exactly one LZ4 frame of exactly the raw length.
        """
        if header.scheme == PLAIN:
            return data
        raw = self._inflate(data, header.raw_bytes)
        return raw if header.scheme == LZ4 else join_planes(raw)

    def _inflate(self, data: memoryview, raw_bytes: int) -> bytes:
        lz4.frame.reset_decompression_context(self._context)
        try:
            raw, read, ended = lz4.frame.decompress_chunk(self._context, data, max_length=raw_bytes)
            if not ended:
                # The end mark may still stand after the last byte; more bytes than claimed may not.
                more, rest, ended = lz4.frame.decompress_chunk(self._context, data[read:], max_length=1)
                raw, read = raw + more, read + rest
        except RuntimeError as error:
            raise BadXorb(f"Xorb: a chunk is no LZ4 frame ({error})", field="lz4") from None
        if not ended or read != len(data) or len(raw) != raw_bytes:
            raise BadXorb(
                f"Xorb: an LZ4 frame {'has' if ended else 'goes on after'} {len(raw)} raw bytes and {read} of "
                f"{len(data)} stored ones, claimed are {raw_bytes}",
                field="lz4", value=len(raw), limit=raw_bytes,
            )  # fmt: skip
        return raw


def split_planes(raw: Buffer) -> memoryview:
    """Bytes [n] ordered by their index modulo four; the first n % 4 planes are one byte longer."""
    source = np.frombuffer(raw, np.uint8)
    return np.concatenate([source[plane::PLANES] for plane in range(PLANES)]).data


def join_planes(planes: Buffer) -> memoryview:
    """The inverse of `split_planes`: bytes [n] in their order."""
    source = np.frombuffer(planes, np.uint8)
    raw, at = np.empty_like(source), 0
    for plane in range(PLANES):
        target = raw[plane::PLANES]
        target[:] = source[at : at + len(target)]
        at += len(target)
    return raw.data


def encode(raw: Buffer) -> bytes:
    """A chunk of 1 to 131072 raw bytes as it stands in a xorb, in the scheme that suits it; BadXorb for another size.

    Plain unless a compressed form saves at least three percent.
    """
    size = len(raw)
    if not 0 < size <= MAX_CHUNK_BYTES:
        raise _bad("raw length", 0, size, f"1 to {MAX_CHUNK_BYTES}")
    scheme = _choose(raw)
    data = _deflate(raw if scheme == LZ4 else split_planes(raw))
    if len(data) > size * _WORTH_IT:
        scheme, data = PLAIN, bytes(raw)
    return _HEADER.pack(len(data) << 8, size << 8 | scheme) + data


def _choose(raw: Buffer) -> int:
    """LZ4 or BG4_LZ4, whichever makes less of a piece from its middle: both in full take twice as long."""
    middle = (len(raw) - _SAMPLE_BYTES) // 2
    sample = raw if middle <= 0 else raw[middle : middle + _SAMPLE_BYTES]
    return BG4_LZ4 if len(_deflate(split_planes(sample))) < len(_deflate(sample)) else LZ4


def _deflate(raw: Buffer) -> bytes:
    return lz4.frame.compress(
        raw, block_size=lz4.frame.BLOCKSIZE_MAX256KB, block_linked=False, store_size=False
    )
