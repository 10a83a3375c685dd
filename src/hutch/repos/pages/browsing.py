"""What the pages of files show: a folder a page at a time, what a file holds, which branches there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hutch.core.errors import HutchError
from hutch.git import trees
from hutch.git.history import Commit
from hutch.git.last_commits import last_commits
from hutch.git.objects import FOLDER_MODE, TreeEntry, decode_name, read_tree
from hutch.git.trees import Entry
from hutch.repos.api.shapes import readable
from hutch.repos.cards import weights
from hutch.repos.reading.contents import At
from hutch.repos.wires import content_types

FOLDER_PAGE = 100
# Text beyond this is not shown but offered to download; of larger files the beginning is shown.
MAX_TEXT_BYTES = 1 << 20
MAX_LINES = 5000
HEAD_BYTES = 64 << 10
_LAST_COMMITS_S = 1.5
_MOST_TENSORS = 400


@dataclass(frozen=True, slots=True)
class Line:
    """One entry of a folder with the commit that last changed it, if that was found in time."""

    entry: Entry
    last: Commit | None

    @property
    def name(self) -> str:
        """Its name in the folder, as text."""
        return readable(self.entry.path.rsplit("/", 1)[-1])


@dataclass(frozen=True, slots=True)
class FolderPage:
    """Entries `first` to `last` (from 1) of the `total` of a folder, folders before files."""

    lines: list[Line]
    number: int
    total: int

    @property
    def first(self) -> int:
        """The number of the first entry."""
        return (self.number - 1) * FOLDER_PAGE + 1

    @property
    def last(self) -> int:
        """The number of the last entry."""
        return self.first + len(self.lines) - 1

    @property
    def has_next(self) -> bool:
        """Whether there are more."""
        return self.last < self.total


def folder_page(here: At, folder: Entry, number: int = 1) -> FolderPage:
    """A page of a folder. Costs a page's worth of look-ups however large the folder is, and one walk for all commits."""  # noqa: E501
    names = sorted(read_tree(here.git, folder.oid), key=_order)
    some = names[(number - 1) * FOLDER_PAGE : number * FOLDER_PAGE]
    prefix = f"{folder.path}/" if folder.path else ""
    paths = [prefix + decode_name(entry.name) for entry in some]
    found = trees.find_files(here.git, here.commit, paths)
    latest = last_commits(here.git, here.commit, paths, budget_s=_LAST_COMMITS_S)
    lines = [Line(found[path], latest.get(path)) for path in paths if path in found]
    return FolderPage(lines, number, len(names))


def _order(entry: TreeEntry) -> tuple[bool, bytes, bytes]:
    return entry.mode != FOLDER_MODE, entry.name.lower(), entry.name


def crumbs(path: str) -> list[tuple[str, str]]:
    """Name and path of each folder on the way, and of the file itself."""
    parts = [part for part in path.split("/") if part]
    return [(readable(name), "/".join(parts[: at + 1])) for at, name in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Content:
    """How a file is shown. `kind`: text, markdown, image, audio, video, symlink, or bytes.

    `text` is the whole of a text, or its beginning where `is_cut`.
    """

    kind: str
    text: str = ""
    is_cut: bool = False

    @property
    def is_editable(self) -> bool:
        """Whether a page may show all of it in a field."""
        return self.kind in ("text", "markdown") and not self.is_cut


def content_of(here: At, entry: Entry) -> Content:
    """What of a file can be shown, read within bounds."""
    if entry.kind == "symlink":
        return Content("symlink", trees.read_blob(here.git, entry.oid, 4096).decode("utf-8", "replace"))
    if entry.kind != "file":
        return Content("bytes")
    known = content_types.of(entry.path, None)
    kind = known.media_type.split("/")[0]
    if kind in ("image", "audio", "video") and known.is_shown:
        return Content(kind)
    sample = _head(here, entry, content_types.SNIFF_BYTES)
    if (
        sample is None
        or not content_types.of(entry.path, sample).is_shown
        or not content_types.reads_as_text(sample)
    ):
        return Content("bytes")
    return _text(here, entry)


def _text(here: At, entry: Entry) -> Content:
    is_cut = entry.content_size > MAX_TEXT_BYTES or (
        entry.pointer is not None and entry.content_size > HEAD_BYTES
    )
    data = _head(here, entry, HEAD_BYTES if is_cut else MAX_TEXT_BYTES) or b""
    text = data.decode("utf-8", "replace")
    if is_cut:
        text = text.rpartition("\n")[0] or text
    kind = "markdown" if entry.path.lower().endswith((".md", ".markdown")) and not is_cut else "text"
    return Content(kind, text, is_cut)


def _head(here: At, entry: Entry, size: int) -> bytes | None:
    try:
        if entry.pointer is None and entry.size <= MAX_TEXT_BYTES:
            return trees.read_blob(here.git, entry.oid, MAX_TEXT_BYTES)[:size]
        if entry.pointer is None:
            with trees.open_blob(here.git, entry.oid) as blob:
                return blob.read(size)
        return weights.reader(here.row.id, here.git, entry)(0, size)
    except HutchError:  # a pointer whose bytes never came: the page says its size and hash all the same
        return None


@dataclass(frozen=True, slots=True)
class Tensor:
    """One line of a safetensors file's header."""

    name: str
    dtype: str
    shape: str


@dataclass(frozen=True, slots=True)
class Tensors:
    """The beginning of a safetensors file's header; `total` counts all tensors."""

    tensors: list[Tensor]
    total: int
    metadata: dict[str, str]


def tensors_of(here: At, entry: Entry) -> Tensors | None:
    """What the header of a safetensors file says; None for any other file, and where it cannot be read."""
    if not entry.path.endswith(".safetensors") or entry.kind != "file":
        return None
    try:
        header = weights.header_at(here.row.id, here.git, here.commit, entry.path)
    except HutchError:
        return None
    named = {
        name: tensor for name, tensor in header.items() if name != "__metadata__" and isinstance(tensor, dict)
    }
    metadata = header.get("__metadata__")
    shown = [
        Tensor(name, str(tensor.get("dtype")), _shape(tensor.get("shape"))) for name, tensor in named.items()
    ]
    said = (
        {str(key): str(value)[:200] for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    )
    return Tensors(shown[:_MOST_TENSORS], len(named), dict(list(said.items())[:20]))


def _shape(shape: Any) -> str:
    return " × ".join(str(size) for size in shape) if isinstance(shape, Sequence) else ""
