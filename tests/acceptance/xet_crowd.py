"""Many clients that send a large xorb each at the same moment, and what the server's memory does meanwhile."""

from __future__ import annotations

import http.client
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benchmarks import process
from hutch.xet import hashes
from hutch.xet.frames import encode
from hutch.xet.xorb import XorbIndex
from tests.acceptance.contents import floats, noise
from tests.acceptance.hub import Hub
from tests.acceptance.xet_sender import CHUNK, Cas

_WAIT_S = 600


@dataclass
class Crowd:
    """So many xorbs of so many chunks of 64 KB, alike but for their first chunk; half of the chunks are compressed."""

    count: int
    chunks: int

    def __post_init__(self) -> None:
        raws = [(noise, floats)[n % 2](CHUNK, n) for n in range(1, self.chunks)]
        self.frames = [encode(raw) for raw in raws]
        self.body = b"".join(self.frames)
        self.hashes = b"".join(hashes.chunk_hash(raw) for raw in raws)

    def send(self, cas: Cas, number: int, start: threading.Barrier) -> int:
        """Sends one of them, once all are ready; the status of the answer."""
        raw = noise(CHUNK, 1000 + number)
        first = encode(raw)
        index = XorbIndex.of_lengths(
            hashes.chunk_hash(raw) + self.hashes, [CHUNK] * self.chunks, [len(first), *map(len, self.frames)]
        )
        line = http.client.HTTPConnection("127.0.0.1", cas.port, timeout=_WAIT_S)
        start.wait(_WAIT_S)
        line.putrequest("POST", f"{cas.path}/v1/xorbs/default/{hashes.to_hex(index.xorb_hash())}")
        line.putheader("Authorization", f"Bearer {cas.token}")
        line.putheader("Content-Length", str(len(first) + len(self.body)))
        line.endheaders(first)
        line.send(self.body)
        status = line.getresponse().status
        line.close()
        return status

    def send_all(self, hub: Hub, cas: Cas) -> tuple[list[int], int]:
        """All at once: the statuses, and by how many bytes the server's anonymous memory grew at most."""
        assert hub.process is not None
        before = most = process.memory_bytes(hub.process.pid)
        start = threading.Barrier(self.count)
        with ThreadPoolExecutor(self.count) as pool:
            sent = [pool.submit(self.send, cas, number, start) for number in range(self.count)]
            while not all(each.done() for each in sent):
                most = max(most, process.memory_bytes(hub.process.pid))
                time.sleep(0.05)
        return [each.result() for each in sent], most - before
