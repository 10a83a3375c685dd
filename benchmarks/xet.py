"""Uploads and downloads by Xet, beside the same client with Xet switched off, in turn; and what is sent and stored."""

from __future__ import annotations

import random
import shutil
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import process
from benchmarks.report import Result, spread
from tests.acceptance.clients import Client
from tests.acceptance.contents import noise
from tests.acceptance.counting import counting
from tests.acceptance.hub import Hub

GIGABYTE = 1 << 30
_MEGABYTE = 1 << 20
_ROUNDS = 3
_TENSORS, _TENSOR_BYTES, _CHANGED = 100, 4 * _MEGABYTE, 10

_UPLOAD = """
import time
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
begin = time.monotonic()
api.upload_file(path_or_fileobj=args["file"], path_in_repo=args["name"], repo_id=args["repo"])
result = time.monotonic() - begin
"""
_DOWNLOAD = """
import time
from huggingface_hub import hf_hub_download
begin = time.monotonic()
hf_hub_download(args["repo"], args["name"])
result = time.monotonic() - begin
"""


def noise_file(path: Path, size: int, seed: str, insert: tuple[int, bytes] | None = None) -> Path:
    """A file that neither compresses nor repeats; with `insert` (offset in whole MiB, bytes) in it."""
    dice = random.Random(seed)
    with path.open("wb") as file:
        for number in range(size // _MEGABYTE):
            if insert is not None and insert[0] == number:
                file.write(insert[1])
            file.write(dice.randbytes(_MEGABYTE))
    return path


@dataclass
class _Bench:
    """A hub and its user; each transfer is made by a client that has cached nothing."""

    folder: Path
    hub: Hub
    token: str
    homes: int = 0

    def client(self, url: str = "", *, by_xet: bool = True) -> Client:
        self.homes += 1
        plain = Client("current", Path(sys.executable), self.folder, self.hub.url, self.token)
        client = plain.at(url or self.hub.url, self.folder / f"home-{self.homes}")
        return client if by_xet else client.without_xet()

    def upload(self, client: Client, repo: str, file: Path) -> float:
        """Seconds."""
        seconds: float = client.call(_UPLOAD, repo=repo, file=file, name=file.name)
        shutil.rmtree(client.home)
        return seconds

    def download(self, client: Client, repo: str, name: str) -> float:
        """Seconds."""
        seconds: float = client.call(_DOWNLOAD, repo=repo, name=name)
        shutil.rmtree(client.home)
        return seconds

    def cpu_s(self) -> float:
        assert self.hub.process is not None
        return process.cpu_s(self.hub.process.pid)


def _begin(folder: Path) -> _Bench:
    hub = Hub(folder / "data").start()
    return _Bench(folder, hub, hub.user("bench").token)


def transfers(folder: Path) -> Iterator[Result]:
    """1 GB up and down, by Xet and without, in turn: wall as the client sees it, CPU of the server's process tree."""
    bench = _begin(folder)
    rounds = []
    try:
        for number in range(_ROUNDS):
            rounds.append(_round(bench, number))
    finally:
        bench.hub.stop()
    cpu = [each["cpu by Xet"] / each["cpu by LFS"] for each in rounds]
    up = [each["up by LFS"] / each["up by Xet"] for each in rounds]
    down = [each["down by LFS"] / each["down by Xet"] for each in rounds]
    whole = [each["down whole"] / each["down by Xet"] for each in rounds]
    told = {what: spread([each[what] for each in rounds]) for what in rounds[0]}
    yield Result(
        "server CPU of a first upload of 1 GB by Xet, against LFS", statistics.median(cpu), 2.5, "at most", "x",
        f"{spread(cpu)}; {told['cpu by Xet']} s against {told['cpu by LFS']} s",
    )  # fmt: skip
    yield Result(
        "upload of 1 GB by Xet, speed against the same client without", statistics.median(up), 0.5, "at least", "x",
        f"{spread(up)}; {told['up by Xet']} s",
    )  # fmt: skip
    yield Result(
        "download of 1 GB by Xet, speed against the same client without, of a file sent by LFS",
        statistics.median(down), 0.9, "at least", "x", f"{spread(down)}; {told['down by Xet']} s",
    )  # fmt: skip
    yield Result(
        "download of 1 GB by Xet, speed against the same client without, of the same file",
        statistics.median(whole), 0.9, "at least", "x", f"{spread(whole)}; {told['down whole']} s",
    )  # fmt: skip


def _round(bench: _Bench, number: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for way, by_xet in (("Xet", True), ("LFS", False)):
        file = noise_file(bench.folder / f"{way}-{number}.bin", GIGABYTE, f"{way} {number}")
        before = bench.cpu_s()
        found[f"up by {way}"] = bench.upload(bench.client(by_xet=by_xet), "bench/large", file)
        found[f"cpu by {way}"] = bench.cpu_s() - before
        file.unlink()
    ways = [("down by Xet", "Xet", True), ("down by LFS", "LFS", False), ("down whole", "Xet", False)]
    # Whoever writes first after the uploads pays for memory that the machine has not touched yet, up to half of the
    # time: one that does not count goes ahead, and each is the first of a round.
    turn = number % len(ways)
    for what, way, by_xet in [ways[0], *ways[turn:], *ways[:turn]]:
        client = bench.client(by_xet=by_xet)
        found[what] = bench.download(client, "bench/large", f"{way}-{number}.bin")
    return found


def changed(folder: Path) -> Iterator[Result]:
    """1 GB, then the same with 1 MB more in its middle, by a client that has cached nothing: bytes sent."""
    bench = _begin(folder)
    try:
        with counting(bench.hub.port) as front:
            file = noise_file(folder / "model.bin", GIGABYTE, "changed")
            bench.upload(bench.client(front.url), "bench/model", file)
            front.forget()
            more = random.Random("more").randbytes(_MEGABYTE)
            file = noise_file(folder / "model.bin", GIGABYTE, "changed", (512, more))
            bench.upload(bench.client(front.url), "bench/model", file)
            detail = (
                f"{front.sent('/xorbs/')} B of xorbs; {front.got('/chunks/') / 1e3:.0f} KB of dedupe answers"
            )
            yield Result(
                "1 GB with 1 MB inserted: sent the second time",
                front.sent() / 1e6,
                1.2,
                "at most",
                "MB",
                detail,
            )
    finally:
        bench.hub.stop()


def tuned(folder: Path) -> Iterator[Result]:
    """Two fine-tunes of one base model that differ in a tenth of their tensors: what storage grows by."""
    bench = _begin(folder)
    try:
        size = _TENSORS * _TENSOR_BYTES
        for tune in range(2):
            file = folder / f"tune-{tune}.safetensors"
            with file.open("wb") as out:
                for tensor in range(_TENSORS):
                    # The first is shared: by a file's first chunk a client finds its kin at once, else it sends some
                    # 64 MB until it meets a chunk that it asks for.
                    own = tensor % (_TENSORS // _CHANGED) == 5
                    out.write(noise(_TENSOR_BYTES, f"{tensor} {tune if own else 'base'}"))
            bench.upload(bench.client(), "bench/tunes", file)
            file.unlink()
        stored = sum(
            path.stat().st_size for path in (folder / "data" / "storage").rglob("*") if path.is_file()
        )
        yield Result(
            "two fine-tunes that differ in 10 % of their tensors: stored, against both", stored / (2 * size),
            0.56, "at most", "x", f"{stored / 1e6:.0f} MB of {2 * size / 1e6:.0f} MB, at best 0.55",
        )  # fmt: skip
    finally:
        bench.hub.stop()
