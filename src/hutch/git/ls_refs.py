"""Protocol 2's `ls-refs` answered here (git's gitprotocol-v2): a child process would cost as much as a small clone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pygit2

from hutch.git import pktline, repository
from hutch.git.pktline import FLUSH
from hutch.git.refs import read_ref

MAX_REQUEST_BYTES = 1 << 16

_DELIMITER = b"0001"
_HIDDEN = "refs/hutch/"
_COMMAND = b"command=ls-refs"
_KNOWN_CAPABILITIES = (b"agent=", b"object-format=sha1", b"session-id=")


@dataclass(frozen=True, slots=True)
class Request:
    """Which prefixes (none: all), and whether tags are peeled, HEAD explained, an unborn HEAD told."""

    prefixes: tuple[str, ...]
    peel: bool
    symrefs: bool
    unborn: bool


def parse_request(body: bytes) -> Request | None:
    """The request in a whole body, or None where git itself had better answer."""
    packets = _packets(body)
    if packets is None or _DELIMITER not in packets:
        return None
    at = packets.index(_DELIMITER)
    head, arguments = (
        [each.rstrip(b"\n") for each in packets[:at]],
        [each.rstrip(b"\n") for each in packets[at + 1 :]],
    )
    if head[:1] != [_COMMAND] or not all(each.startswith(_KNOWN_CAPABILITIES) for each in head[1:]):
        return None
    prefixes = [each.removeprefix(b"ref-prefix ") for each in arguments if each.startswith(b"ref-prefix ")]
    flags = set(arguments) - {b"ref-prefix " + prefix for prefix in prefixes}
    if not flags <= {b"peel", b"symrefs", b"unborn"}:
        return None
    names = tuple(prefix.decode("utf-8", "surrogateescape") for prefix in prefixes)
    return Request(names, b"peel" in flags, b"symrefs" in flags, b"unborn" in flags)


def _packets(body: bytes) -> list[bytes] | None:
    found: list[bytes] = []
    at = 0
    while True:
        head = body[at : at + 4]
        if head == FLUSH:
            return found if at + 4 == len(body) else None
        if head == _DELIMITER:
            found.append(_DELIMITER)
            at += 4
            continue
        try:
            size = int(head, 16)
        except ValueError:
            return None
        if size < 5 or at + size > len(body):
            return None
        found.append(body[at + 4 : at + size])
        at += size


def answer(path: Path, request: Request) -> bytes:
    """The whole answer, as `git upload-pack` would give it."""
    repo = repository.open(path)
    wanted = [name for name in repo.listall_references() if _is_wanted(name, request)]
    lines = [*_head(repo, request), *(_ref(repo, name, request) for name in sorted(wanted, key=_encode))]
    return b"".join(pktline.line(line + b"\n") for line in lines if line) + FLUSH


def _is_wanted(name: str, request: Request) -> bool:
    return not name.startswith(_HIDDEN) and (not request.prefixes or name.startswith(request.prefixes))


def _head(repo: pygit2.Repository, request: Request) -> Iterator[bytes]:
    if request.prefixes and not "HEAD".startswith(request.prefixes):
        return
    branch = _encode("refs/heads/" + repository.default_branch(repo))
    target = read_ref(repo, "HEAD")
    if target is not None:
        yield target.encode() + b" HEAD" + (b" symref-target:" + branch if request.symrefs else b"")
    elif request.unborn:
        yield b"unborn HEAD" + (b" symref-target:" + branch if request.symrefs else b"")


def _ref(repo: pygit2.Repository, name: str, request: Request) -> bytes:
    target = read_ref(repo, name)
    if target is None:
        return b""
    line = target.encode() + b" " + _encode(name)
    found = repo.get(target) if request.peel and name.startswith("refs/tags/") else None
    if isinstance(found, pygit2.Tag):
        line += b" peeled:" + str(found.peel(None).id).encode()
    return line


def _encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
