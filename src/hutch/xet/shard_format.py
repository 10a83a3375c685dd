"""The layout of a shard: records of 48 bytes, little-endian, and a footer that uploads may lack.

    header   tag of 32 bytes | u64 version 2 | u64 footer bytes
    file     hash | u32 flags | u32 n | 8 zero bytes;  n x (xorb | u32 flags | u32 raw bytes | u32 start | u32 end);
             with VERIFICATION n x (range hash | 16);  with METADATA (SHA-256 in the swapped order | 16)
    end      32 bytes FF | 16 zero bytes, after the files and again after the xorbs
    xorb     hash | u32 flags | u32 n | u32 raw bytes | u32 stored bytes;
             n x (chunk hash | u32 raw offset | u32 raw length | u32 flags | 4)
    footer   200 bytes, after the lookup tables that it counts

Source: the Xet specification, "Shard format"; the SHA-256's order and the clients' footers were seen in uploads.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

TAG: Final = b"HFRepoMetaData\0" + bytes.fromhex("556967456a7b815783a5bdd95ccdd14aa9")
HEADER_VERSION: Final = 2
FOOTER_VERSION: Final = 1
RECORD_BYTES: Final = 48
BOOKEND_HASH: Final = b"\xff" * 32
BOOKEND: Final = BOOKEND_HASH + bytes(16)

VERIFICATION: Final = 1 << 31
METADATA: Final = 1 << 30
DEDUPE_CHUNK: Final = 1 << 31
"""On a chunk: its sender offers it to the whole hub (it begins a file)."""

HEADER: Final = struct.Struct("<32sQQ")
FILE: Final = struct.Struct("<32sII8x")
TERM: Final = struct.Struct("<32sIIII")
HASH: Final = struct.Struct("<32s16x")
XORB: Final = struct.Struct("<32sIIII")
FOOTER: Final = struct.Struct("<9Q32sQQ48x4Q")
"""version, file offset, xorb offset, 3 x (lookup offset, entries), HMAC key, created, expiry, 3 totals, own offset."""
LOOKUP_ENTRY_BYTES: Final = (12, 12, 16)
"""An entry of the file, xorb and chunk lookup tables."""

CHUNK: Final = np.dtype(
    [("hash", np.uint8, 32), ("offset", "<u4"), ("length", "<u4"), ("flags", "<u4"), ("unused", "<u4")]
)
