"""pkt-lines, the framing of git's wire (git's gitprotocol-common)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from hutch.git.errors import InvalidPack

FLUSH = b"0000"
MAX_DATA_BYTES = 65516
# One byte of a side-band packet is the band.
MAX_BAND_BYTES = MAX_DATA_BYTES - 1
_HEX = frozenset(b"0123456789abcdefABCDEF")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes, b'' at the end."""


def line(data: bytes) -> bytes:
    """One packet; `data` is at most 65,516 bytes."""
    if len(data) > MAX_DATA_BYTES:
        raise ValueError(f"a packet holds at most {MAX_DATA_BYTES} bytes, not {len(data)}")
    return b"%04x%s" % (len(data) + 4, data)


def banded(band: int, data: bytes) -> bytes:
    """Data of any length as packets of one side-band."""
    pieces = (data[at : at + MAX_BAND_BYTES] for at in range(0, len(data), MAX_BAND_BYTES))
    return b"".join(line(bytes([band]) + piece) for piece in pieces)


def read_until_flush(stream: Readable, max_packets: int) -> Iterator[bytes]:
    """The packets up to the next flush, which is consumed; raises InvalidPack where the framing breaks."""
    for _ in range(max_packets):
        packet = _read(stream)
        if packet is None:
            return
        yield packet
    raise InvalidPack(f"A push of more than {max_packets} commands", field="commands", limit=max_packets)


def _read(stream: Readable) -> bytes | None:
    head = read_exactly(stream, 4)
    if not _HEX.issuperset(head):
        raise InvalidPack("A packet without a length", field="pkt-line", value=head.hex())
    size = int(head, 16)
    if size == 0:
        return None
    if size < 4 or size > MAX_DATA_BYTES + 4:
        raise InvalidPack("A packet of a length that cannot be", field="pkt-line", value=size)
    return read_exactly(stream, size - 4)


def read_exactly(stream: Readable, size: int) -> bytes:
    """Exactly `size` bytes; raises InvalidPack where the stream ends before."""
    pieces = []
    while size:
        piece = stream.read(size)
        if not piece:
            raise InvalidPack("The request ends in the middle of a packet", field="pkt-line")
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)
