"""The Xet branch of the error tree: what a client sent wrongly, and what we find broken in our own keeping.

BadRequest                 400
├── BadHash                400  BadHash        not 64 lower-case hexadecimal digits
├── BadXorb                400  BadXorb        a xorb that breaks the format, its limits or its own hash
├── BadShard               400  BadShard       a shard that breaks the format
├── UnknownXorb            400  UnknownXorb    a file names a xorb that was never uploaded
└── BadFile                400  BadFile        a file whose terms or hashes do not hold
HutchError                 500
├── DamagedXorb            500  DamagedXorb    a stored xorb is no longer what was checked when it came
└── DamagedRecord          500  DamagedRecord  a packed index or term list of ours cannot be read
"""

from __future__ import annotations

from hutch.core.errors import BadRequest, HutchError


class BadHash(BadRequest):
    """This is not a Xet hash: 64 lower-case hexadecimal digits."""

    code = "BadHash"


class BadXorb(BadRequest):
    """The xorb is malformed."""

    code = "BadXorb"


class BadShard(BadRequest):
    """The shard is malformed."""

    code = "BadShard"


class UnknownXorb(BadRequest):
    """The file names a xorb that is not here: upload the xorb before the shard."""

    code = "UnknownXorb"


class BadFile(BadRequest):
    """The file's terms or hashes do not hold."""

    code = "BadFile"


class DamagedXorb(HutchError):
    """A stored xorb is damaged."""

    code = "DamagedXorb"


class DamagedRecord(HutchError):
    """A stored record of a xorb or a file cannot be read."""

    code = "DamagedRecord"
