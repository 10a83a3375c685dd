"""The torture's writers: each writes over and over in its own way, and notes what the hub acknowledged."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.gate import Gate
from benchmarks.ledger import File, Ledger, Write, file_of

_PIECE_BYTES = 64 << 10
_PAUSE_S = 0.002
_PATHS = 8  # each writer overwrites a few paths, so that repositories stay small
_RIVAL_WON = (409, 412)


@dataclass
class Run:
    """What all writers of a run share. `problems` is what should not have happened."""

    url: str
    user: str
    token: str
    folder: Path
    ledger: Ledger
    gate: Gate = field(default_factory=Gate)
    problems: list[str] = field(default_factory=list)


class Writer(threading.Thread):
    """Takes steps while the gate is open. A failed step is no problem if the hub died meanwhile."""

    has_rivals = False

    def __init__(self, run: Run, repo: str, branch: str, seed: int) -> None:
        super().__init__(name=f"{type(self).__name__}-{branch}", daemon=True)
        self.of_run = run
        self.ledger, self.gate = run.ledger, run.gate
        self.repo, self.branch = repo, branch
        self.dice = random.Random(seed)
        headers = {"Authorization": f"Bearer {run.token}"}
        self.http = httpx.Client(base_url=run.url, headers=headers, timeout=60, trust_env=False)
        self.sent = 0

    def run(self) -> None:
        """Writes until the run is over."""
        while self.gate.enter():
            deaths = self.gate.deaths
            try:
                self.step()
            except Exception as error:
                if isinstance(error, Refused) or not (self.gate.may_die or self.gate.deaths > deaths):
                    self.of_run.problems.append(f"{self.name} failed while the hub was up: {error!r:.500}")
                    time.sleep(0.2)
            finally:
                self.gate.leave()
        self.http.close()

    def step(self) -> None:
        """One write, or a few that belong together."""
        raise NotImplementedError

    def path(self, ending: str) -> str:
        """The next path to write to."""
        self.sent += 1
        return f"{self.branch}/{self.sent % _PATHS}.{ending}"

    def bytes(self, most: int) -> bytes:
        """Content that was never there before."""
        return self.dice.randbytes(self.dice.randrange(1, most))

    def ask(self, method: str, url: str, **more: Any) -> httpx.Response:
        """A request; raises for every status that is no success."""
        answer = self.http.request(method, url, **more)
        if answer.status_code >= 400:
            raise Refused(
                answer.status_code, f"{method} {url[:100]}: {answer.status_code} {answer.text[:300]}"
            )
        return answer

    def send(self, method: str, url: str, content: bytes, **headers: str) -> httpx.Response:
        """Uploads bytes slowly, by a signed address."""
        named = {"Content-Length": str(len(content)), **{k.replace("_", "-"): v for k, v in headers.items()}}
        with self.gate.sending():
            answer = httpx.request(
                method, url, content=_slowly(content), headers=named, timeout=60, trust_env=False
            )
        if answer.status_code >= 400:
            raise Refused(answer.status_code, f"{method} upload: {answer.status_code} {answer.text[:300]}")
        return answer

    def batch(self, content: bytes, *transfers: str) -> dict[str, Any]:
        """Asks how to upload one object."""
        oid, size = hashlib.sha256(content).hexdigest(), len(content)
        question = {"operation": "upload", "transfers": transfers, "objects": [{"oid": oid, "size": size}]}
        answer = self.ask("POST", f"/{self.repo}.git/info/lfs/objects/batch", json=question).json()
        return dict(answer["objects"][0])

    def commit(self, files: dict[str, bytes], *, large: bool) -> None:
        """Commits files: their bytes, or as large objects that were uploaded."""
        write = self.ledger.plan(
            "commit", repo=self.repo, branch=self.branch,
            files={path: file_of(content, is_large=large) for path, content in files.items()},
        )  # fmt: skip
        lines = [json.dumps({"key": "header", "value": {"summary": write.mark, "description": ""}})]
        lines += [_line(path, content, write.files[path]) for path, content in files.items()]
        self.settle(write, lambda: self._post(lines)["commitOid"])

    def settle(self, write: Write, make: Callable[[], str]) -> None:
        """Sends a write and notes the answer: acknowledged, refused (which raises unless a rival won), or unknown."""
        try:
            answer = make()
        except Refused as error:
            if error.status < 500:
                self.ledger.settle(write, "refused")
            if not (self.has_rivals and error.status in _RIVAL_WON):
                raise
        else:
            self.ledger.settle(write, "acked", answer)

    def _post(self, lines: list[str]) -> Any:
        url = f"/api/models/{self.repo}/commit/{self.branch}"
        body = "\n".join(lines).encode()
        return self.ask("POST", url, content=body, headers={"Content-Type": "application/x-ndjson"}).json()


class Refused(Exception):
    """The hub answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def _slowly(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE_BYTES):
        yield content[start : start + _PIECE_BYTES]
        time.sleep(_PAUSE_S)


def _line(path: str, content: bytes, file: File) -> str:
    if file.is_large:
        value = {"path": path, "algo": "sha256", "oid": file.sha256, "size": file.size}
        return json.dumps({"key": "lfsFile", "value": value})
    value = {"path": path, "content": base64.b64encode(content).decode(), "encoding": "base64"}
    return json.dumps({"key": "file", "value": value})


class ByBasic(Writer):
    """git-lfs's way: one PUT, verify, commit."""

    def step(self) -> None:
        """Uploads and commits one object."""
        content = self.bytes(1_500_000)
        actions = self.batch(content, "basic")["actions"]
        oid = hashlib.sha256(content).hexdigest()
        write = self.ledger.plan("object", repo=self.repo, oid=oid, size=len(content))
        self.settle(write, lambda: self.send("PUT", actions["upload"]["href"], content).headers["etag"])
        self.ask("POST", actions["verify"]["href"], json={"oid": oid, "size": len(content)})
        self.commit({self.path("bin"): content}, large=True)


class ByParts(Writer):
    """huggingface_hub's way for large files: parts, completion, commit. Goes on where a crash broke it off."""

    content = b""

    def step(self) -> None:
        """Uploads the parts that are missing, and commits."""
        if not self.content:
            content = self.bytes(2_000_000) + self.dice.randbytes(1_100_000)
            self.action: dict[str, Any] = self.batch(content, "basic", "multipart")["actions"]["upload"]
            self.content, self.parts = content, dict[int, Write]()
        step = int(self.action["header"]["chunk_size"])
        for number in range(1, -(-len(self.content) // step) + 1):
            if number not in self.parts:
                self._part(number, self.content[(number - 1) * step : number * step])
        oid = hashlib.sha256(self.content).hexdigest()
        write = self.ledger.plan("object", repo=self.repo, oid=oid, size=len(self.content))
        named = [{"partNumber": number, "etag": part.answer} for number, part in self.parts.items()]
        done = {"oid": oid, "parts": named}
        self.settle(write, lambda: str(self.ask("POST", self.action["href"], json=done).json()["oid"]))
        for part in self.parts.values():
            part.is_checked = True  # joined: they may go
        content, self.content = self.content, b""
        self.commit({self.path("bin"): content}, large=True)

    def _part(self, number: int, content: bytes) -> None:
        url = self.action["header"][f"{number:05d}"]
        whole = hashlib.sha256(self.content).hexdigest()
        write = self.ledger.plan("part", repo=self.repo, url=url, oid=whole, size=len(self.content))
        self.settle(write, lambda: self.send("PUT", url, content).headers["etag"])
        self.parts[number] = write


class ByBrowser(Writer):
    """A browser's way: pieces at offsets, resumed after a crash where the hub says, then a commit."""

    content = b""
    last: Write | None = None
    told: dict[str, Any]

    def step(self) -> None:
        """Sends the pieces that are missing, and commits."""
        if not self.content:
            content = self.bytes(1_500_000)
            fingerprint = f"{self.name}-{self.sent}"
            new = {"path": "by-browser.bin", "size": len(content), "fingerprint": fingerprint}
            self.url = self.ask("POST", f"/api/models/{self.repo}/uploads", json=new).json()["url"]
            self.content, self.last = content, None
        at = self._piece(int(self.ask("HEAD", self.url).headers["upload-offset"]))
        while at < len(self.content):
            at = self._piece(at)
        assert self.told["oid"] == hashlib.sha256(self.content).hexdigest(), (
            f"{self.told} of {len(self.content)}"
        )
        if self.last is not None:
            self.last.is_checked = True
        content, self.content = self.content, b""
        self.commit({self.path("bin"): content}, large=True)

    # Also an empty one at the end: after a crash it has the hub take in what is there already.
    def _piece(self, at: int) -> int:
        piece = self.content[at : at + self.dice.randrange(1, 700_000)]
        write = self.ledger.plan("offset", repo=self.repo, url=self.url, size=at + len(piece))

        def make() -> str:
            self.told = self.send("PATCH", self.url, piece, Upload_Offset=str(at)).json()
            return str(self.told["offset"])

        self.settle(write, make)
        if self.last is not None:
            self.last.is_checked = True  # the later offset says more
        self.last = write
        return int(write.answer)


class ByCommits(Writer):
    """Small files inside the commit itself."""

    def step(self) -> None:
        """Commits two files."""
        self.commit({self.path("txt"): self.bytes(20_000), self.path("txt"): self.bytes(300)}, large=False)
