"""Downloads and uploads of one 1 GB file, beside nginx, in turn."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import process
from benchmarks.client import Api
from benchmarks.peers import nginx
from benchmarks.report import Result, spread
from tests.acceptance.hub import Hub

GIGABYTE = 1 << 30
_ROUNDS = 5


def random_file(path: Path, size: int, salt: int = 0) -> Path:
    """A file of `size` bytes that does not compress, quick to make and different for each salt."""
    block = hashlib.shake_256(str(salt).encode()).digest(1 << 20)
    with path.open("wb") as file:
        for number in range(size >> 20):
            file.write(number.to_bytes(8, "little") + block[8:])
    return path


def _curl(*words: str) -> float:
    begin = time.monotonic()
    subprocess.run(["curl", "-sS", "--fail", *words], check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin


def download(folder: Path) -> Iterator[Result]:
    """GET of a large object by its resolve address, against nginx with sendfile; then fifty at once."""
    hub = Hub(folder / "data")
    with nginx(folder / "nginx") as (peer, served):
        try:
            hub.start()
            assert hub.process is not None
            api = Api(hub, "bench")
            source = random_file(folder / "file.bin", GIGABYTE)
            os.link(source, served / "file.bin")
            api.create("bench/large")
            api.upload_lfs("bench/large", {"file.bin": source})
            ours, theirs = f"{hub.url}/bench/large/resolve/main/file.bin", f"{peer}/file.bin"
            _curl("-L", "-o", "/dev/null", ours), _curl("-o", "/dev/null", theirs)
            before = process.memory_bytes(hub.process.pid)
            ratios, seconds, grown = [], [], []
            for _ in range(_ROUNDS):
                mine, peers = _curl("-L", "-o", "/dev/null", ours), _curl("-o", "/dev/null", theirs)
                ratios.append(peers / mine)
                seconds.append(mine)
                grown.append((process.memory_bytes(hub.process.pid) - before) / 2**20)
            yield Result(
                "download of 1 GB, speed against nginx sendfile",
                statistics.median(ratios),
                0.9,
                "at least",
                "x",
                f"{spread(ratios)}; ours {spread(seconds)} s",
            )
            yield Result(
                "anonymous memory grown by these downloads",
                max(grown),
                16,
                "at most",
                "MiB",
                f"RssAnon; {spread(grown)}",
            )
            yield from _fifty(hub, ours, before)
        finally:
            hub.stop()


def _fifty(hub: Hub, url: str, before: int) -> Iterator[Result]:
    assert hub.process is not None
    clients = [subprocess.Popen(["curl", "-sSL", "--fail", "-o", "/dev/null", url]) for _ in range(50)]
    most = before
    while any(client.poll() is None for client in clients):
        most = max(most, process.memory_bytes(hub.process.pid))
        time.sleep(0.2)
    failed = sum(client.returncode != 0 for client in clients)
    grown = (most - before) / 2**20
    yield Result(
        "fifty downloads of 1 GB at once: failed",
        failed,
        0,
        "at most",
        "",
        f"RssAnon grown by {grown:.0f} MiB meanwhile",
    )
    yield Result(
        "anonymous memory for each of the fifty", grown / 50, 5, "at most", "MiB", "the pieces under way"
    )


def upload(folder: Path) -> Iterator[Result]:
    """PUT of a large object to its signed address, against nginx DAV PUT, fsync and one SHA-256 of the file."""
    hub = Hub(folder / "data", {"multipart_from_bytes": str(8 * GIGABYTE)})
    with nginx(folder / "nginx") as (peer, served):
        try:
            hub.start()
            api = Api(hub, "bench")
            api.create("bench/large")
            ratios = []
            for number in range(_ROUNDS):
                source = random_file(folder / "file.bin", GIGABYTE, number)
                digest = hashlib.sha256(source.read_bytes()).hexdigest()
                href = api.lfs_batch("bench/large", digest, GIGABYTE)["actions"]["upload"]["href"]
                mine = _curl("-T", str(source), href)
                begin = time.monotonic()
                _curl("-T", str(source), f"{peer}/put.bin")
                with (served / "put.bin").open("rb") as file:
                    os.fsync(file.fileno())
                    hashlib.file_digest(file, "sha256")
                ratios.append(mine / (time.monotonic() - begin))
                (served / "put.bin").unlink()
            yield Result(
                "upload of 1 GB by LFS, wall against nginx PUT + fsync + SHA-256",
                statistics.median(ratios),
                1.15,
                "at most",
                "x",
                spread(ratios),
            )
        finally:
            hub.stop()
