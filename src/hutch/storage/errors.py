"""The storage branch of the error tree; `InsufficientStorage` (507) is core's own.

BadRequest                 400
├── BadKey                 400  BadKey              a blob key or an upload's name that may not be a path
├── SizeMismatch           400  SizeMismatch        both sizes are named
├── ChecksumMismatch       400  ChecksumMismatch    both digests are named
└── PartsMissing           400  PartsMissing        which numbers are absent
NotFound
└── BlobNotFound           404  BlobNotFound
Conflict
├── OffsetMismatch         409  OffsetMismatch      where a resumed upload has to go on
├── UploadBusy             409  UploadBusy          two requests append to one upload
└── KeyConflict            409  KeyConflict         one key would be the folder of another
"""

from __future__ import annotations

from hutch.core.errors import BadRequest, Conflict, NotFound, shown


class BadKey(BadRequest):
    """This may not be a key."""

    code = "BadKey"


class SizeMismatch(BadRequest):
    """The number of bytes is not the one that was announced."""

    code = "SizeMismatch"

    def __init__(self, *, expected: int, received: int) -> None:
        super().__init__(
            f"Expected {expected} bytes, received {received}", field="size", value=received, limit=expected
        )
        self.expected, self.received = expected, received


class ChecksumMismatch(BadRequest):
    """The bytes do not have the SHA-256 that was announced."""

    code = "ChecksumMismatch"

    def __init__(self, *, expected: str, received: str) -> None:
        super().__init__(
            f"Expected SHA-256 {expected}, the received bytes have {received}", field="sha256", value=received
        )
        self.expected, self.received = expected, received


class PartsMissing(BadRequest):
    """Some parts of the upload are not here."""

    code = "PartsMissing"


class BlobNotFound(NotFound):
    """There is no such blob."""

    code = "BlobNotFound"

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no blob {shown(key)}", field="key", value=key)


class OffsetMismatch(Conflict):
    """The upload goes on at another offset."""

    code = "OffsetMismatch"

    def __init__(self, *, offset: int, asked: int) -> None:
        super().__init__(f"The upload goes on at byte {offset}, not at {asked}", field="offset", value=asked)
        self.offset, self.asked = offset, asked


class UploadBusy(Conflict):
    """Another request is writing to this upload."""

    code = "UploadBusy"


class KeyConflict(Conflict):
    """One key would be the folder of another."""

    code = "KeyConflict"
