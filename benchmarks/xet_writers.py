"""Writers by Xet: the real client, and the bare protocol, which goes on exactly where a crash broke it off."""

from __future__ import annotations

import json

from huggingface_hub import CommitOperationAdd

from benchmarks.client_writers import ByHub
from benchmarks.ledger import Write, file_of
from benchmarks.writers import Refused, Run, Writer
from tests.acceptance.xet_sender import Packed, packed

_MOST_BYTES = 3_000_000


class ByXet(ByHub):
    """huggingface_hub with hf_xet: a file that changes a little from commit to commit, so that old chunks are named."""

    has_rivals = False

    def __init__(self, run: Run, repo: str, branch: str, seed: int) -> None:
        super().__init__(run, repo, branch, seed)
        self.content = self.dice.randbytes(1_000_000)

    def step(self) -> None:
        """Commits the file with some bytes put in or taken out."""
        at = self.dice.randrange(len(self.content))
        content = self.content[:at] + self.bytes(300_000) + self.content[at:]
        self.content = (
            content[:_MOST_BYTES] if len(content) <= _MOST_BYTES else self.dice.randbytes(1_000_000)
        )
        path = self.path("bin")
        write = self.ledger.plan(
            "commit", repo=self.repo, branch=self.branch, files={path: file_of(self.content, is_large=True)}
        )
        operation = CommitOperationAdd(path, self.content)

        def make() -> str:
            with self.gate.sending():
                made = self.api.create_commit(
                    self.repo, [operation], commit_message=write.mark, revision=self.branch
                )
            return str(made.oid)

        self.settle_hub(write, make)


class ByXorbs(Writer):
    """Xorb, shard, commit: what was acknowledged is not sent again, so that its loss makes the next step fail."""

    file: Packed | None = None
    xorb: Write | None = None
    shard: Write | None = None

    def step(self) -> None:
        """Takes the next file through the steps that it lacks."""
        if self.file is None:
            self.file, self.xorb, self.shard = packed(self.bytes(1_500_000)), None, None
        told = self.ask("GET", f"/api/models/{self.repo}/xet-write-token/{self.branch}").json()
        cas, token = told["casUrl"], f"Bearer {told['accessToken']}"
        if self.xorb is None:
            self.xorb = self._send(
                "xorb", self.file.name, f"{cas}/v1/xorbs/default/{self.file.name}", self.file.xorb, token
            )
        if self.shard is None:
            version = self.dice.choice(["v1", "v2"])
            self.shard = self._send(
                "file", self.file.file, f"{cas}/{version}/shards", self.file.shard(), token
            )
        content, self.file = self.file.content, None
        self.commit({self.path("bin"): content}, large=True)

    def _send(self, kind: str, name: str, url: str, body: bytes, token: str) -> Write:
        write = self.ledger.plan(kind, repo=self.repo, oid=name, size=len(body))
        self.settle(write, lambda: self._told(url, body, token))
        return write

    def _told(self, url: str, body: bytes, token: str) -> str:
        last = self.send("POST", url, body, Authorization=token).text.splitlines()[-1]
        if json.loads(last).get("type", "result") != "result":
            raise Refused(500 if json.loads(last)["retryable"] else 400, last)
        return "there"
