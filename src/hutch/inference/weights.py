"""Weights as a file on this machine's disk, where runners can map them: a link to the blob, or put together once."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from hutch.cas import sources
from hutch.core.errors import Unavailable
from hutch.inference.admission import Runnable
from hutch.settings import current

_PIECE_BYTES = 4 << 20


def folder() -> Path:
    """Where they lie. All of it can be made again."""
    return current().data / "models"


def file_of(runnable: Runnable) -> Path:
    """The file; seconds for each gigabyte the first time. Raises BlobNotFound, InsufficientStorage."""
    place = folder() / f"{runnable.key}{Path(runnable.path).suffix}"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    source = sources.source(runnable.stored)
    if isinstance(source, Path):
        _linked(source, place)
    else:
        _written(runnable, place)
    return place


def _linked(source: Path, place: Path) -> None:
    partial = _partial(place)
    try:
        os.link(source, partial)
    except OSError:
        partial.symlink_to(source.resolve())
    partial.replace(place)


def _written(runnable: Runnable, place: Path) -> None:
    partial, size = _partial(place), runnable.stored.size
    try:
        with partial.open("wb") as file:
            for at in range(0, size, _PIECE_BYTES):
                file.write(sources.read(runnable.stored, at, at + _PIECE_BYTES))
            file.flush()
            os.fsync(file.fileno())
        if partial.stat().st_size != size:
            raise Unavailable("The model's file changed while it was read")
        partial.replace(place)
    finally:
        partial.unlink(missing_ok=True)


def _partial(place: Path) -> Path:
    return place.with_name(f".{place.name}.{secrets.token_hex(4)}")
