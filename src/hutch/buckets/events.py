"""What happens to buckets' files, in the past tense. What happens to a bucket as a whole is told by `repos`."""

from __future__ import annotations

from dataclasses import dataclass

from hutch.core.events import Event, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketChanged(Event):
    """Files of a bucket were added, replaced or deleted, by one batch."""

    repo_id: int = doc("the bucket's key")
    full_name: str = doc("its name at that moment")
    change_id: int = doc(
        "the key under which `buckets.changelog` tells the paths, for as long as it keeps them"
    )
    added: int = doc("how many files are new")
    updated: int = doc("how many files were replaced")
    deleted: int = doc("how many files are gone")
    files: int = doc("how many files the bucket has now")
    size_bytes: int = doc("bytes of all its files now")
    by_user_id: int | None = doc("key of the user who did it")
