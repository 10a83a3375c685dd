"""The words of receive-pack: what is offered, what a push asks for, what it is told (git's gitprotocol-pack)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hutch.git import pktline, refs, repository
from hutch.git.errors import InvalidPack
from hutch.git.pktline import FLUSH, Readable
from hutch.git.quarantine import Quarantine

__all__ = ["Command", "Push", "Quarantine", "Result", "advertise", "parse_commands", "progress", "report"]

ZERO = "0" * 40
MAX_COMMANDS = 10_000
CAPABILITIES = "report-status delete-refs side-band-64k quiet atomic ofs-delta object-format=sha1 agent=hutch"

_COMMAND = re.compile(rb"([0-9a-f]{40}) ([0-9a-f]{40}) ([^\0\n]+)\n?")


@dataclass(frozen=True, slots=True)
class Command:
    """One ref that the client wants to move; None stands for "does not exist"."""

    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Push:
    """What stands before the pack. `shallow` are the client's boundary commits."""

    commands: list[Command]
    capabilities: frozenset[str]
    shallow: list[str]

    @property
    def has_pack(self) -> bool:
        """Whether a pack follows: a push of nothing but deletions has none."""
        return any(command.new is not None for command in self.commands)

    @property
    def new_oids(self) -> list[str]:
        """What the refs shall point to."""
        return [command.new for command in self.commands if command.new is not None]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one command: `error` None means that it happened, durably."""

    name: str
    error: str | None = None


def advertise(path: Path) -> bytes:
    """The whole answer to `GET info/refs?service=git-receive-pack`."""
    lines = [f"{ref.target} {ref.name}" for ref in refs.list_refs(repository.open(path))]
    first, *rest = lines or [f"{ZERO} capabilities^{{}}"]
    packets = [f"{first}\0{CAPABILITIES}\n", *(f"{line}\n" for line in rest)]
    head = pktline.line(b"# service=git-receive-pack\n") + FLUSH
    return (
        head + b"".join(pktline.line(packet.encode("utf-8", "surrogateescape")) for packet in packets) + FLUSH
    )


def parse_commands(stream: Readable) -> Push:
    """Read the commands of a push, leaving the stream at the pack; raises InvalidPack naming what is malformed."""
    commands: list[Command] = []
    capabilities: frozenset[str] = frozenset()
    shallow: list[str] = []
    for packet in pktline.read_until_flush(stream, MAX_COMMANDS):
        if packet.startswith(b"shallow "):
            shallow.append(packet[8:].strip().decode("ascii", "replace"))
            continue
        words, zero, offered = packet.partition(b"\0")
        if zero and not commands:
            capabilities = frozenset(offered.decode("utf-8", "replace").split())
        commands.append(_command(words))
    _check_format(capabilities)
    return Push(commands, capabilities, shallow)


def _command(words: bytes) -> Command:
    found = _COMMAND.fullmatch(words)
    if found is None:
        raise InvalidPack(
            "A command of the push is malformed",
            field="command",
            value=words[:200].decode("utf-8", "replace"),
        )
    old, new, name = (group.decode("utf-8", "surrogateescape") for group in found.groups())
    return Command(name, None if old == ZERO else old, None if new == ZERO else new)


def _check_format(capabilities: frozenset[str]) -> None:
    formats = [word for word in capabilities if word.startswith("object-format=")]
    if formats and formats != ["object-format=sha1"]:
        raise InvalidPack("Only SHA-1 repositories are hosted", field="object-format", value=formats[0])
    if any(word.startswith("push-cert=") for word in capabilities):
        raise InvalidPack("Signed pushes are not offered", field="push-cert")


def report(
    push: Push, results: Sequence[Result], *, unpack_error: str | None = None, message: str = ""
) -> bytes:
    """The whole answer to a push: git's report, in a side-band if the client can, and words for the user.

    With `unpack_error` every command is told that it failed with it. Empty where the client asked for no report.
    """
    banded = "side-band-64k" in push.capabilities
    words = progress(message) if banded and message else b""
    if "report-status" not in push.capabilities:
        return words + FLUSH if banded else b""
    body = b"".join(_report_lines(push, results, unpack_error)) + FLUSH
    return words + pktline.banded(1, body) + FLUSH if banded else body


def _report_lines(push: Push, results: Sequence[Result], unpack_error: str | None) -> Iterator[bytes]:
    yield _packet(f"unpack {_one_line(unpack_error) if unpack_error else 'ok'}\n")
    told = {result.name: result for result in results}
    for command in push.commands:
        result = told.get(command.name) or Result(
            command.name, "unpacker error" if unpack_error else "not done"
        )
        if result.error is None and unpack_error is None:
            yield _packet(f"ok {command.name}\n")
        else:
            yield _packet(f"ng {command.name} {_one_line(result.error or 'unpacker error')}\n")


def progress(message: str) -> bytes:
    """Words that git shows behind `remote: `, for a client with side-bands."""
    return pktline.banded(2, (message.rstrip("\n") + "\n").encode("utf-8", "replace"))


def _packet(text: str) -> bytes:
    return pktline.line(text.encode("utf-8", "surrogateescape")[: pktline.MAX_BAND_BYTES])


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1000] or "failed"
