"""The smallest content-addressed server that hf_xet talks to: this room's verbs behind an `http.server`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from hutch.core.errors import HutchError
from hutch.xet.files import check_file, check_xorb, plan
from hutch.xet.hashes import from_hex, to_hex
from hutch.xet.shard import FileEntry, Shard, build_dedupe, parse
from hutch.xet.xorb import scan
from tests.xet.conftest import Hub

HMAC_KEY = b"a key for dedupe replies, 32 byte"[:32]
FAR_FUTURE = 1 << 40


class Cas(Hub):
    """What was uploaded, and what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[bytes, FileEntry] = {}
        self.shards: list[Shard] = []
        self.received_bytes = 0
        self.questions: list[bytes] = []
        self.dedupe: dict[bytes, set[bytes]] = {}
        self.lock = Lock()
        self.url = ""

    def take_xorb(self, name: bytes, body: bytes) -> dict:
        index = scan(body, name)
        with self.lock:
            new = name not in self.indexes
            self.received_bytes += len(body)
            self.indexes[name], self.xorbs[name] = index, body[: index.data_bytes]
        return {"was_inserted": new}

    def take_shard(self, body: bytes) -> dict:
        shard = parse(body)
        for xorb in shard.xorbs:
            check_xorb(xorb, self.index_of(xorb.hash))
        for entry in shard.files:
            check_file(entry, self.index_of)
        with self.lock:
            self.shards.append(shard)
            for entry in shard.files:
                self.files[entry.hash] = entry
                first = self.index_of(entry.terms[0].xorb).hash(entry.terms[0].start)
                self.dedupe.setdefault(first, set()).update(term.xorb for term in entry.terms)
        return {"result": 1}

    def answer_dedupe(self, chunk: bytes) -> bytes | None:
        self.questions.append(chunk)
        xorbs = self.dedupe.get(chunk)
        return build_dedupe([(x, self.indexes[x]) for x in xorbs], HMAC_KEY, 1, FAR_FUTURE) if xorbs else None

    def reconstruct(self, name: bytes, range_header: str | None) -> dict:
        start, end = 0, None
        if range_header:
            first, last = range_header.removeprefix("bytes=").split("-")
            start, end = int(first), int(last) + 1 if last else None
        made = plan(self.files[name].terms, self.index_of, start, end)
        return {
            "offset_into_first_range": made.offset_into_first_range,
            "terms": [
                {"hash": to_hex(t.xorb), "unpacked_length": t.raw_bytes, "range": {"start": t.start, "end": t.end}}
                for t in made.terms
            ],
            "fetch_info": {
                to_hex(xorb): [
                    {
                        "range": {"start": run.start, "end": run.end},
                        "url": f"{self.url}/data/{to_hex(xorb)}?{run.byte_start}-{run.byte_end}",
                        "url_range": {"start": run.byte_start, "end": run.byte_end - 1},
                    }
                    for run in runs
                ]
                for xorb, runs in made.xorbs.items()
            },
        }  # fmt: skip


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cas: Cas

    def do_POST(self) -> None:
        body = self._body()
        kind, name = self.path.split("?")[0].removeprefix("/v1").split("/")[1], self.path.rsplit("/", 1)[-1]
        if self.path.startswith("/v2") or kind not in ("xorbs", "shards"):
            return self._send(404, b"")
        try:
            answer = (
                self.cas.take_xorb(from_hex(name), body) if kind == "xorbs" else self.cas.take_shard(body)
            )
        except HutchError as error:
            return self._send(error.status, json.dumps(error.body()).encode())
        return self._send(200, json.dumps(answer).encode())

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        version, _, rest = path.removeprefix("/").partition("/")
        name = path.rsplit("/", 1)[-1]
        if version == "data":
            start, end = (int(part) for part in query.split("-"))
            return self._send(206, self.cas.xorbs[from_hex(name)][start:end], f"bytes {start}-{end - 1}/*")
        if version == "v1" and rest.startswith("reconstructions/"):
            answer = self.cas.reconstruct(from_hex(name), self.headers.get("Range"))
            return self._send(200, json.dumps(answer).encode())
        found = self.cas.answer_dedupe(from_hex(name)) if rest.startswith("chunks/") else None
        return self._send(404 if found is None else 200, found or b"")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, body: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Cas]:
    """A server on loopback for as long as the block runs."""
    cas = Cas()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"cas": cas}))
    cas.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield cas
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
