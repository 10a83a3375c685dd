"""Speaks Xet over raw HTTP, as well or as badly as a test wants, with chunks of one size."""

from __future__ import annotations

import hashlib
import http.client
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from hutch.xet import hashes
from hutch.xet.files import Term
from hutch.xet.shard import FileEntry, build_upload
from hutch.xet.xorb import XorbBuilder, XorbIndex
from tests.acceptance.lfs_sender import Reply, Sender

CHUNK = 1 << 16


@dataclass(frozen=True)
class Packed:
    """A file as the chunks of one xorb, and what a shard says of it."""

    content: bytes
    xorb: bytes
    index: XorbIndex
    entry: FileEntry

    @property
    def name(self) -> str:
        """The xorb's hash, as text."""
        return hashes.to_hex(self.index.xorb_hash())

    @property
    def file(self) -> str:
        """The file's hash, as text."""
        return hashes.to_hex(self.entry.hash)

    @property
    def oid(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def chunks(self) -> list[bytes]:
        """The chunks' hashes."""
        return list(self.index.hashes(0, self.index.count))

    def described(self, **changes: Any) -> FileEntry:
        """What a shard says, with some of it changed."""
        return replace(self.entry, **changes)

    def shard(self, entry: FileEntry | None = None, *, with_xorb: bool = True, footer: bool = False) -> bytes:
        """A shard of this file alone."""
        xorbs = [(self.index.xorb_hash(), self.index)] if with_xorb else []
        return build_upload([entry or self.entry], xorbs, footer=footer)


def packed(content: bytes, chunk: int = CHUNK) -> Packed:
    """Cuts a file of at least one byte and at most 64 MiB into chunks of a xorb of its own."""
    builder = XorbBuilder()
    for at in range(0, len(content), chunk):
        builder.add(content[at : at + chunk])
    xorb, name, index = builder.build()
    return Packed(content, xorb, index, described([(name, index, 0, index.count)], content))


def described(parts: Sequence[tuple[bytes, XorbIndex, int, int]], content: bytes) -> FileEntry:
    """A true description of a file out of runs of chunks: (xorb, its table, first chunk, chunk after the last)."""
    terms, proofs, leaves = [], [], []
    for name, index, start, end in parts:
        run = list(index.hashes(start, end))
        terms.append(Term(name, start, end, index.raw_length(start, end)))
        proofs.append(hashes.range_hash(run))
        leaves += list(zip(run, map(int, index.raw_lengths[start:end]), strict=True))
    return FileEntry(hashes.file_hash(leaves), terms, proofs, hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Cas:
    """The CAS as a hub told a client of it: where it is, with which token."""

    port: int
    path: str
    token: str

    def __call__(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends a request to a path below the CAS, with its token."""
        return self.plain(
            method, self.path + path, body, {"Authorization": f"Bearer {self.token}"} | dict(headers or {})
        )

    def plain(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Sends a request without the token, as to a fetch address."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        parts = urlsplit(url)
        try:
            # A server that refuses by the head alone answers before it has all of the body.
            with suppress(BrokenPipeError, ConnectionResetError):
                line.request(
                    method, parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers or {})
                )
            reply = line.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read())
        finally:
            line.close()

    def send_xorb(self, data: bytes, name: str, prefix: str = "default") -> Reply:
        return self("POST", f"/v1/xorbs/{prefix}/{name}", data)

    def send_shard(self, shard: bytes) -> Reply:
        """By the first version, whose status tells how it went."""
        return self("POST", "/v1/shards", shard)

    def streamed_shard(self, shard: bytes) -> list[dict[str, Any]]:
        """By the second version: the events of its answer."""
        reply = self("POST", "/v2/shards", shard)
        assert reply.status == 200, reply.body
        return [json.loads(line) for line in reply.body.splitlines() if line.strip()]

    def send(self, file: Packed) -> None:
        """Uploads a file as it should be."""
        xorb, shard = self.send_xorb(file.xorb, file.name), self.send_shard(file.shard())
        assert (xorb.status, shard.status) == (200, 200), (xorb.body, shard.body)

    def reconstruction(self, file: str, version: int = 2, headers: Mapping[str, str] | None = None) -> Reply:
        return self("GET", f"/v{version}/reconstructions/{file}", headers=headers)

    def hit(self, chunk: bytes, prefix: str = "default") -> Reply:
        """Asks the hub whether it has a chunk."""
        return self("GET", f"/v1/chunks/{prefix}/{hashes.to_hex(chunk)}")


def ask_for_cas(sender: Sender, repo: str, right: str = "write", rev: str = "main", query: str = "") -> Reply:
    """Asks the hub for a token of the CAS."""
    return sender("GET", f"/api/models/{repo}/xet-{right}-token/{rev}{query}")


def cas_of(sender: Sender, repo: str, right: str = "write", **more: str) -> Cas:
    """The CAS for a model of somebody who has that right."""
    reply = ask_for_cas(sender, repo, right, **more)
    assert reply.status == 200, reply.body
    return Cas(sender.hub.port, urlsplit(reply.json["casUrl"]).path, reply.json["accessToken"])


def stored(sender: Sender, repo: str, path: str, content: bytes) -> Packed:
    """A file that was sent by Xet and committed."""
    file = packed(content)
    cas_of(sender, repo).send(file)
    reply = sender.commit(repo, path, content)
    assert reply.status == 200, reply.body
    return file
