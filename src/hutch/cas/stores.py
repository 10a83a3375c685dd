"""The blob store and the staging folder of this process, opened once for its data folder."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from hutch.settings import current
from hutch.storage.local import LocalBlobStore
from hutch.storage.port import BlobStore
from hutch.storage.staging import Staging


@dataclass(frozen=True, slots=True)
class _Opened:
    root: Path
    blobs: BlobStore
    staging: Staging


_opened: list[_Opened] = []
_opening = threading.Lock()


def blobs() -> BlobStore:
    """Where whole objects lie."""
    return _open().blobs


def staging() -> Staging:
    """Where uploads lie until they are whole; on the blobs' own file system."""
    return _open().staging


def _open() -> _Opened:
    root = current().data / "storage"
    # Asked each time, since an administrator may put another folder in its place (and tests empty theirs).
    with _opening:
        if not (_opened and _opened[-1].root == root and root.exists()):
            _opened[:] = [_Opened(root, LocalBlobStore(root / "blobs"), Staging(root / "staging"))]
        return _opened[-1]
