"""Contents of files as Xet meets them: what compresses, what does not, and what repeats."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

MEGABYTE = 1 << 20


def noise(size: int, seed: int | str) -> bytes:
    """Bytes that do not compress, and that no other seed gives."""
    return random.Random(seed).randbytes(size)


def text(size: int, seed: int | str) -> bytes:
    """Lines of words: LZ4 makes them smaller."""
    dice = random.Random(seed)
    words = "chunk xorb shard tree blob commit tensor prefill decode cache of the and in to".split()
    lines = [f"{n} {' '.join(dice.choices(words, k=12))}\n" for n in range(size // 40 + 1)]
    return "".join(lines).encode()[:size]


def floats(size: int, seed: int | str) -> bytes:
    """Numbers of four bytes of which one hardly changes: what byte grouping is for."""
    data = bytearray(noise(size, seed))
    data[3::4] = b"\x3d" * len(data[3::4])
    return bytes(data)


def kinds(size: int, seed: int | str) -> dict[str, bytes]:
    """One file of each kind, by name."""
    return {
        "noise.bin": noise(size, f"{seed} noise"),
        "text.bin": text(size, f"{seed} text"),
        "floats.bin": floats(size, f"{seed} floats"),
        "zeros.bin": bytes(size),
    }


def with_inserted(content: bytes, inserted: bytes) -> bytes:
    """The content with more in its middle."""
    middle = len(content) // 2
    return content[:middle] + inserted + content[middle:]


def laid(folder: Path, contents: dict[str, bytes]) -> Path:
    """Writes these files; returns their folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def assert_same(folder: str | Path, contents: dict[str, bytes]) -> None:
    """The folder has these files with these bytes: told by hashes, a difference of megabytes tells nothing."""
    found = {name: digest((Path(folder) / name).read_bytes()) for name in contents}
    assert found == {name: digest(content) for name, content in contents.items()}


def digest(content: bytes) -> str:
    """Its length and SHA-256."""
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}"
