"""A writer to a bucket, which has no commits: what counts is the last batch that was acknowledged for each path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import httpx
from huggingface_hub.errors import BucketBatchError

from benchmarks.client_writers import ByHub
from benchmarks.ledger import Ledger, Write, file_of
from benchmarks.writers import Run

_GONE = file_of(b"", is_large=False)


class ByBucket(ByHub):
    """huggingface_hub's `batch_bucket_files`: two files put or one deleted, in one batch."""

    has_rivals = False

    def __init__(self, run: Run, bucket: str, seed: int) -> None:
        super().__init__(run, bucket, "bucket", seed)
        self.api.create_bucket(bucket)

    def step(self) -> None:
        """Sends one batch."""
        contents = {self.path("bin"): self.bytes(600_000), self.path("log"): self.bytes(3_000)}
        there = sorted(self._there() - contents.keys())
        deleted = [self.dice.choice(there)] if there and self.dice.random() < 0.2 else []
        files = {path: file_of(content, is_large=True) for path, content in contents.items()}
        write = self.ledger.plan("bucket", repo=self.repo, files=files | dict.fromkeys(deleted, _GONE))

        def make() -> str:
            added = [(content, path) for path, content in contents.items()]
            with self.gate.sending():
                try:
                    self.api.batch_bucket_files(self.repo, add=added, delete=deleted)
                except BucketBatchError as error:
                    # As when a batch is sent again whose answer a kill had cut off: its deletion finds nothing.
                    raise RuntimeError(str(error)) from error
            return "there"

        self.settle_hub(write, make)

    def _there(self) -> set[str]:
        """The paths that surely have a file: of those the last batch was acknowledged."""
        last = {path: write for write in self.ledger.of("bucket") for path in write.files}
        return {path for path, write in last.items() if write.state == "acked" and write.files[path] != _GONE}


def bucket_problems(ledger: Ledger, http: httpx.Client) -> Iterator[str]:
    """Paths of buckets that are not as the last acknowledged batch, or an unanswered one after it, left them."""
    by_path: dict[tuple[str, str], list[Write]] = defaultdict(list)
    for write in ledger.of("bucket"):
        for path in write.files:
            by_path[write.repo, path].append(write)
    for (bucket, path), writes in by_path.items():
        acked = [place for place, write in enumerate(writes) if write.state == "acked"]
        may_be = writes[acked[-1] if acked else 0 :]
        allowed = {write.files[path] for write in may_be if write.state in ("acked", "sent")}
        answer = http.get(f"/buckets/{bucket}/resolve/{path}", follow_redirects=True)
        found = _GONE if answer.status_code == 404 else file_of(answer.content, is_large=True)
        if answer.status_code not in (200, 404):
            yield f"{path} of {bucket} answers {answer.status_code} {answer.text[:300]}"
        elif found not in allowed and not (found == _GONE and not acked):
            yield f"{path} of {bucket} has {found}, acknowledged was {may_be[0]}"
