"""Differences as pages show them: files with counts, which of them start folded, pictures side by side."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.git.diffs import Diff, FileDiff
from hutch.repos.pages import links
from hutch.repos.pages.links import Named
from hutch.repos.wires import content_types

# A file with more changed lines than this, and all files behind the first so many lines, start folded.
FOLDED_FILE_LINES = 400
OPEN_LINES = 3000
OPEN_FILES = 40


@dataclass(frozen=True, slots=True)
class ShownFile:
    """One file of a difference. Sizes are what a reader gets: those of the large object where there is one."""

    file: FileDiff
    is_open: bool
    old_size: int
    new_size: int
    old_image: str = ""
    new_image: str = ""

    @property
    def is_large_object(self) -> bool:
        """Whether either side is a pointer, so that sizes say more than lines."""
        return self.file.old_pointer is not None or self.file.new_pointer is not None

    @property
    def note(self) -> str:
        """Why no lines are shown; '' where there are some."""
        if self.is_large_object:
            return "Large object"
        if self.file.binary:
            return "Binary file"
        if self.file.truncated and not self.file.hunks:
            return "Too large to be shown"
        if not self.file.hunks:
            return "Moved without changes" if self.file.status == "renamed" else "Without text"
        return ""


@dataclass(frozen=True, slots=True)
class ShownDiff:
    """A difference: the files that are shown of all that differ, and the counts of lines."""

    files: list[ShownFile]
    total_files: int
    additions: int
    deletions: int

    @property
    def left_out(self) -> int:
        """Files beyond what is shown."""
        return self.total_files - len(self.files)


def shown(repo: Named, diff: Diff, old: str | None, new: str) -> ShownDiff:
    """A difference between two commits (old None: nothing), prepared for a page."""
    files: list[ShownFile] = []
    lines = 0
    for file in diff.files:
        count = sum(len(hunk.lines) for hunk in file.hunks)
        is_open = count <= FOLDED_FILE_LINES and lines + count <= OPEN_LINES and len(files) < OPEN_FILES
        lines += count if is_open else 0
        files.append(_file(repo, file, is_open, old, new))
    additions, deletions = _changed(diff)
    return ShownDiff(files, diff.total_files, additions, deletions)


def _file(repo: Named, file: FileDiff, is_open: bool, old: str | None, new: str) -> ShownFile:
    before = file.old_pointer.size if file.old_pointer else file.old_size
    after = file.new_pointer.size if file.new_pointer else file.new_size
    is_image = content_types.of(file.path, None).media_type.startswith("image/")
    old_image = links.page(repo, "resolve", old, file.old_path) if is_image and old and file.old_path else ""
    new_image = links.page(repo, "resolve", new, file.new_path) if is_image and file.new_path else ""
    return ShownFile(file, is_open, before, after, old_image, new_image)


# The lines of pointers are nobody's writing.
def _changed(diff: Diff) -> tuple[int, int]:
    texts = [file for file in diff.files if not (file.old_pointer or file.new_pointer)]
    return sum(file.additions for file in texts), sum(file.deletions for file in texts)
