"""Notes beside an upload what it was found to be, before a store adopts its file.

A crash between that adoption and the row that tells of it would otherwise cost the sender the whole upload: its bytes
are a blob that nobody knows, and the upload's folder is empty. With the note it can be put again, which costs nothing.
"""

from __future__ import annotations

import os
from pathlib import Path

from hutch.storage import disk
from hutch.storage.port import Staged

_NOTE = "sealed"


def note(folder: Path, staged: Staged) -> None:
    """Remember durably what the upload in this folder is."""
    draft = folder / f"{_NOTE}.new"
    with draft.open("w") as file:
        file.write(f"{staged.size} {staged.sha256}")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / _NOTE)
    disk.sync_folder(folder)


def adopted(folder: Path, file: Path) -> Staged | None:
    """What a store took from here, if the upload was sealed and its file is gone."""
    note = folder / _NOTE
    if file.exists() or not note.exists():
        return None
    try:
        size, sha256 = note.read_text().split()
    except FileNotFoundError:  # discarded meanwhile
        return None
    return Staged(file, int(size), sha256)


def forget(folder: Path) -> None:
    """The upload begins anew."""
    (folder / _NOTE).unlink(missing_ok=True)
