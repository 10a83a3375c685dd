from __future__ import annotations

import errno

import pytest

from hutch.core import full_disk


class DatabaseTrouble(Exception):
    """As a driver raises it: the words are all there is."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        DatabaseTrouble("database or disk is full"),
        DatabaseTrouble('could not extend file "base/1": No space left on device'),
    ],
)
def test_a_full_disk_is_told_apart_in_whatever_words(error: Exception) -> None:
    told = full_disk.named(error)
    assert told is not None
    assert (told.status, told.code) == (507, "InsufficientStorage")


def test_a_full_disk_is_found_behind_what_it_caused() -> None:
    with pytest.raises(RuntimeError) as caught:
        try:
            raise OSError(errno.ENOSPC, "No space left on device", "/secret/path")
        except OSError as full:
            raise RuntimeError("the commit failed") from full
    told = full_disk.named(caught.value)
    assert told is not None
    assert "/secret/path" not in told.message


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "Permission denied"), ValueError("x"), KeyboardInterrupt()]
)
def test_other_failures_stay_what_they_are(error: BaseException) -> None:
    assert full_disk.named(error) is None
