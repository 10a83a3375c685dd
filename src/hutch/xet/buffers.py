"""What the room reads bytes from. `collections.abc.Buffer` says the same from Python 3.12 on."""

from __future__ import annotations

from mmap import mmap
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview | mmap
