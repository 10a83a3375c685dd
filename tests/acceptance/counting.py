"""A proxy in front of a hub that counts what clients send and fetch, request by request."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE_BYTES = 1 << 18
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r]*chunked", re.IGNORECASE)


@dataclass
class Asked:
    """A request: `sent` and `got` are the bytes of its body and (on its connection, until the next) of its answer."""

    method: str
    path: str
    sent: int = 0
    got: int = 0
    status: int = 0


@dataclass
class Counting:
    """What passed. `url` is the address for clients."""

    url: str
    asked: list[Asked] = field(default_factory=list)

    def of(self, part: str, method: str = "") -> list[Asked]:
        """The requests whose path has this part."""
        return [a for a in self.asked if part in a.path and a.method.startswith(method)]

    def sent(self, part: str = "") -> int:
        """Bytes of the bodies sent to such paths."""
        return sum(a.sent for a in self.asked if part in a.path)

    def got(self, part: str = "") -> int:
        """Bytes of the answers from such paths, heads included."""
        return sum(a.got for a in self.asked if part in a.path)

    def forget(self) -> None:
        """Counts from zero again."""
        self.asked.clear()


@contextmanager
def counting(port: int) -> Iterator[Counting]:
    """A proxy in front of a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    counted = Counting(f"http://127.0.0.1:{listener.getsockname()[1]}")
    threading.Thread(target=_accept, args=(listener, port, counted), daemon=True).start()
    try:
        yield counted
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _accept(listener: socket.socket, port: int, counted: Counting) -> None:
    while True:
        try:
            near = listener.accept()[0]
        except OSError:
            return
        try:
            far = socket.create_connection(("127.0.0.1", port))
        except OSError:
            near.close()
            continue
        requests = _Requests(counted.asked)
        for ends in ((near, far, requests.feed), (far, near, requests.answer)):
            threading.Thread(target=_pump, args=ends, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket, note: Callable[[bytes], None]) -> None:
    with suppress(OSError):
        while data := source.recv(_PIECE_BYTES):
            note(data)
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()


class _Requests:
    """Reads the requests of one connection as they pass."""

    def __init__(self, asked: list[Asked]) -> None:
        self.asked = asked
        self.buffer = b""
        self.now: Asked | None = None
        self.left = 0  # bytes of the body, or of its chunk, that are still to come
        self.is_chunked = False

    def answer(self, data: bytes) -> None:
        """Bytes of an answer, which belong to the last request."""
        if self.now is not None:
            if self.now.got == 0 and data.startswith(b"HTTP/1.1 ") and data[9:12] != b"100":
                self.now.status = int(data[9:12])
            self.now.got += len(data)

    def feed(self, data: bytes) -> None:
        """Bytes of requests."""
        self.buffer += data
        while self._step():
            pass

    def _step(self) -> bool:
        if self.left:
            return self._body()
        if self.is_chunked:
            return self._chunk()
        return self._head()

    def _head(self) -> bool:
        head, end, rest = self.buffer.lstrip(b"\r\n").partition(b"\r\n\r\n")
        if not end:
            return False
        self.buffer = rest
        method, path = head.split(b" ", 2)[:2]
        self.now = Asked(method.decode(), path.decode())
        self.asked.append(self.now)
        length = _LENGTH.search(head)
        self.left = int(length[1]) if length else 0
        self.is_chunked = _CHUNKED.search(head) is not None
        return True

    def _body(self) -> bool:
        taken = min(self.left, len(self.buffer))
        self.buffer = self.buffer[taken:]
        self.left -= taken
        if self.now is not None:
            self.now.sent += taken
        return taken > 0

    def _chunk(self) -> bool:
        line, end, rest = self.buffer.lstrip(b"\r\n").partition(b"\r\n")
        if not end:
            return False
        self.buffer = rest
        self.left = int(line.split(b";")[0], 16)
        self.is_chunked = self.left > 0
        return True
