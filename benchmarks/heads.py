"""`resolve` HEAD on a warm repository: requests that one core answers in a second."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import process
from benchmarks.client import Api
from benchmarks.report import Result, spread
from tests.acceptance.hub import Hub

_REQUESTS = 2000


def resolve_heads(folder: Path) -> Iterator[Result]:
    """Requests over the CPU seconds that the whole process tree spends on them: what one core can do."""
    hub = Hub(folder / "data").start()
    assert hub.process is not None
    try:
        api = Api(hub, "bench")
        api.create("bench/warm")
        api.commit_files("bench/warm", {f"folder/file-{n}.json": b"{}" for n in range(100)})
        large = folder / "model.bin"
        large.write_bytes(b"x" * 100_000)
        api.upload_lfs("bench/warm", {"model.safetensors": large})
        for kind, path in (("a small file", "folder/file-7.json"), ("a large object", "model.safetensors")):
            _heads(hub, api.token, path, 300)
            rates = []
            for _ in range(5):
                begin = process.cpu_s(hub.process.pid)
                _heads(hub, api.token, path, _REQUESTS)
                rates.append(_REQUESTS / (process.cpu_s(hub.process.pid) - begin))
            yield Result(
                f"resolve HEAD of {kind}, a second and core",
                statistics.median(rates),
                600,
                "at least",
                "1/s",
                f"with a token; {spread(rates)}",
            )
    finally:
        hub.stop()


def _heads(hub: Hub, token: str, path: str, count: int) -> None:
    target = urlsplit(hub.url)
    request = (
        f"HEAD /bench/warm/resolve/main/{path} HTTP/1.1\r\nHost: {target.netloc}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    with socket.create_connection((target.hostname, target.port)) as connection:
        for _ in range(count):
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                answer += connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise AssertionError(answer.decode("latin-1"))
