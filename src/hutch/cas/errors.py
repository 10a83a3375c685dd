"""The cas branch of the error tree.

BadRequest                 400
├── MissingObjects         400  MissingObjects      which objects were not uploaded
├── MissingXetFiles        400  MissingXetFiles     which files were not uploaded
├── XorbsRefused           400  XorbsRefused        a shard names xorbs that its sender never sent, nor may read
├── ChecksumRefused        400  ChecksumRefused     a file has another SHA-256 than its shard says
├── PointerSizeMismatch    400  PointerSizeMismatch both sizes are named
└── InvalidBatch           422  InvalidBatch        git-lfs's word for a request that is JSON but makes no sense
Forbidden
├── QuotaRefused           403  QuotaExceeded       a client would try again after 507
├── TicketInvalid          403  TicketInvalid       a signed address that this server did not give
└── TicketExpired          403  TicketExpired
Conflict
├── FileDamaged            409  FileDamaged         chunks of it are damaged; a client would try again after 500
├── LockExists             409  LockExists          the lock goes along
└── HashAlgorithmRefused   409  HashAlgorithmRefused
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hutch.core.errors import BadRequest, Conflict, Forbidden, shown

_NAMED = 10


class MissingObjects(BadRequest):
    """Large objects that the commit names have not been uploaded."""

    code = "MissingObjects"

    def __init__(self, oids: Sequence[str]) -> None:
        named = ", ".join(oids[:_NAMED]) + (" ..." if len(oids) > _NAMED else "")
        super().__init__(
            f"{len(oids)} large object(s) that this names are not here; upload them first: {named}",
            field="oid",
            value=named,
        )
        self.oids = list(oids)


class MissingXetFiles(BadRequest):
    """Xet files that the request names have not been uploaded."""

    code = "MissingXetFiles"

    def __init__(self, hashes: Sequence[str]) -> None:
        named = ", ".join(hashes[:_NAMED]) + (" ..." if len(hashes) > _NAMED else "")
        super().__init__(
            f"{len(hashes)} file(s) that this names are not here; upload them first: {named}",
            field="xetHash",
            value=named,
        )
        self.hashes = list(hashes)


class XorbsRefused(BadRequest):
    """A shard names xorbs that are not here for whoever sends it."""

    code = "XorbsRefused"

    def __init__(self, names: Sequence[str]) -> None:
        named = ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")
        super().__init__(
            f"{len(names)} xorb(s) that this names are not here; upload the file again, your client will then "
            f"send what is missing: {named}",
            field="xorb",
            value=named,
        )


class ChecksumRefused(BadRequest):
    """A file has another SHA-256 than its shard says."""

    code = "ChecksumRefused"

    def __init__(self, name: str, *, named: str) -> None:
        super().__init__(
            f"The content of the file {name} does not have the SHA-256 {named} that its shard says",
            field="sha256",
            value=named,
        )


class QuotaRefused(Forbidden):
    """The namespace may not store so much."""

    code = "QuotaExceeded"

    def __init__(self, size: int, room: int) -> None:
        super().__init__(
            f"{size} bytes do not fit: this namespace may store {room} more",
            field="size",
            value=size,
            limit=room,
        )


class PointerSizeMismatch(BadRequest):
    """A pointer names another size than its object has."""

    code = "PointerSizeMismatch"

    def __init__(self, oid: str, *, named: int, actual: int) -> None:
        super().__init__(
            f"The object {shown(oid)} has {actual} bytes; {named} were named",
            field="size",
            value=named,
            limit=actual,
        )


class InvalidBatch(BadRequest):
    """The batch makes no sense."""

    status = 422
    code = "InvalidBatch"


class HashAlgorithmRefused(Conflict):
    """Large objects are named by their SHA-256 here."""

    code = "HashAlgorithmRefused"


class TicketInvalid(Forbidden):
    """This signed address is not one that this server gave for this."""

    code = "TicketInvalid"


class TicketExpired(Forbidden):
    """This signed address has expired: ask for a new one."""

    code = "TicketExpired"


class FileDamaged(Conflict):
    """Chunks of the file are damaged."""

    code = "FileDamaged"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"The file {name} is damaged here. Upload it again, or have an administrator run `hutch fsck --repair`",
            field="hash",
            value=name,
        )


class LockExists(Conflict):
    """The file is locked already."""

    code = "LockExists"

    def __init__(self, lock: Any) -> None:
        super().__init__(f"{shown(lock.path)} is locked by {lock.owner_name}", field="path", value=lock.path)
        self.lock = lock
