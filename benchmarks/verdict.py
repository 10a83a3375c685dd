"""After each kill: is all that was acknowledged there, byte by byte, and nothing else half there?"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import httpx
import pygit2

from benchmarks.bucket_writers import bucket_problems
from benchmarks.client_writers import mirror
from benchmarks.ledger import File, Write
from benchmarks.writers import Run
from tests.acceptance.hub import Hub

_MARK = re.compile(r"\[write (\d+)\]")
_POINTER = re.compile(rb"version \S+\noid sha256:([0-9a-f]{64})\nsize (\d+)\n")
_DOWNLOADS = 12
_CUT_OFF = re.compile(r"\d+ uploads \(\d+ bytes\) that were cut off lie in storage")
_FIRST_COMMIT = "initial commit"


class Verdict:
    """Examines a hub at rest. What a writer never learned is adopted: from then on it counts as told."""

    def __init__(self, run: Run, hub: Hub, dice: random.Random) -> None:
        self.run, self.hub, self.dice = run, hub, dice
        headers = {"Authorization": f"Bearer {run.token}"}
        self.http = httpx.Client(base_url=run.url, headers=headers, timeout=60, trust_env=False)
        self.survived = 0

    def problems(self, *, downloads: int = _DOWNLOADS) -> list[str]:
        """Everything that is not as it must be."""
        found = [*self._fsck(), *self._repos(), *self._uploads(), *self._objects()]
        found += bucket_problems(self.run.ledger, self.http)
        by_repo: dict[str, list[Write]] = defaultdict(list)
        for write in self.run.ledger.of("commit", "ref"):
            by_repo[write.repo].append(write)
        for repo, writes in by_repo.items():
            found += self._history(repo, writes)
        return [*found, *self._downloads(downloads)]

    def _fsck(self) -> Iterator[str]:
        done = self.hub.run("fsck", "--json")
        if done.returncode not in (0, 1) or not done.stdout:
            yield f"fsck broke: {done.stderr[-1000:]}"
            return
        report: dict[str, Any] = json.loads(done.stdout)
        yield from (f"fsck: {problem}" for problem in report["problems"])
        yield from (f"fsck: left over: {note}" for note in report["notes"] if not _CUT_OFF.fullmatch(note))

    def _repos(self) -> Iterator[str]:
        last = {write.repo: write for write in self.run.ledger.of("repo")}
        for repo, write in last.items():
            answer = self.http.get(f"/api/models/{repo}")
            is_there = answer.status_code == 200
            if answer.status_code not in (200, 404):
                yield f"{repo} answers {answer.status_code}"
            if write.state == "sent":
                self._adopt(write, is_there == bool(write.answer))
                if not is_there:
                    self.run.ledger.forget(repo)
            elif is_there != (bool(write.answer) == (write.state == "acked")):
                yield f"{repo} is {'there' if is_there else 'gone'}, though write {write} was {write.state}"
            if is_there and self.http.get(f"/{repo}/resolve/main/.gitattributes").status_code != 200:
                yield f"{repo} is half there"

    def _uploads(self) -> Iterator[str]:
        for write in self.run.ledger.of("part", "offset"):
            if write.state != "acked" or write.is_checked:
                continue
            answer = self.http.head(write.url)
            if write.kind == "part" and answer.status_code == 404 and self._known(write.repo, [write]):
                write.is_checked = True  # the whole object is there; only its answer was lost
            elif answer.status_code != 200:
                yield f"an acknowledged {write.kind} answers {answer.status_code}: {write}"
            elif write.kind == "part" and answer.headers["etag"] != write.answer:
                yield f"an acknowledged part has other bytes: {write}"
            elif write.kind == "offset" and int(answer.headers["upload-offset"]) < write.size:
                yield f"acknowledged bytes are gone: {answer.headers['upload-offset']} left of {write}"

    def _objects(self) -> Iterator[str]:
        by_repo: dict[str, list[Write]] = defaultdict(list)
        for write in self.run.ledger.of("object"):
            if not write.is_checked and write.state in ("acked", "sent"):
                by_repo[write.repo].append(write)
        for repo, writes in by_repo.items():
            known = self._known(repo, writes)
            for write in writes:
                if write.state == "acked" and write.oid not in known:
                    yield f"an acknowledged object is gone: {write}"
                if write.state == "sent":
                    self._adopt(write, write.oid in known)
                write.is_checked = True

    def _known(self, repo: str, writes: list[Write]) -> set[str]:
        """The objects of these writes that need not be sent again."""
        asked = [{"oid": write.oid, "size": write.size} for write in writes]
        question = {"operation": "upload", "transfers": ["basic"], "objects": asked}
        answer = self.http.post(f"/{repo}.git/info/lfs/objects/batch", json=question).json()
        return {each["oid"] for each in answer["objects"] if "actions" not in each and "error" not in each}

    def _history(self, repo: str, writes: list[Write]) -> Iterator[str]:
        try:
            git = pygit2.Repository(str(mirror(self.run, repo)))
        except RuntimeError as error:
            yield f"{repo} cannot be fetched: {error}"
            return
        commits = [write for write in writes if write.kind == "commit"]
        for branch in {write.branch for write in commits}:
            yield from self._branch(git, repo, branch, [write for write in commits if write.branch == branch])
        last = {write.branch: write for write in writes if write.kind == "ref"}
        for write in last.values():
            yield from self._ref(git, write)

    def _branch(self, git: pygit2.Repository, repo: str, branch: str, writes: list[Write]) -> Iterator[str]:
        tip = git.references.get(f"refs/heads/{branch}")
        if tip is None:
            yield f"{repo}: the branch {branch} is gone"
            return
        told: dict[str, str] = {}
        reached = set()
        for commit in git.walk(tip.target):
            reached.add(str(commit.id))
            mark = _MARK.search(commit.message)
            if mark is not None:
                told.setdefault(mark[1], str(commit.id))
            elif commit.message.strip() != _FIRST_COMMIT:
                yield f"{repo}: nobody asked for commit {commit.id} on {branch}: {commit.message!r}"
        for write in writes:
            yield from self._commit(git, write, reached, told.get(str(write.number)))

    def _commit(
        self, git: pygit2.Repository, write: Write, reached: set[str], told: str | None
    ) -> Iterator[str]:
        if write.state == "acked" and write.answer not in reached:
            yield f"an acknowledged commit is gone: {write}"
            return
        if write.state == "refused" and told:
            yield f"a refused commit is there: {write}"
        if write.state == "gone" and told:
            yield f"a commit came back from nowhere: {write}"
        if write.state == "sent":
            self._adopt(write, told is not None, told or "")
        if write.state == "acked" and not write.is_checked:
            for path, file in write.files.items():
                yield from _file(git, write, path, file)
            write.is_checked = True

    def _ref(self, git: pygit2.Repository, write: Write) -> Iterator[str]:
        ref = git.references.get(write.branch)
        target = "" if ref is None else str(ref.peel(pygit2.Commit).id)
        if write.state == "sent":
            self._adopt(write, target == write.answer)
        elif write.state == "acked" and target != write.answer:
            yield f"{write.branch} is at {target or 'nowhere'}, acknowledged was {write}"

    def _downloads(self, most: int) -> Iterator[str]:
        acked = [write for write in self.run.ledger.of("commit") if write.state == "acked"]
        for write in acked[-most // 2 :] + self.dice.sample(acked, min(most // 2, len(acked))):
            path, file = self.dice.choice(list(write.files.items()))
            with self.http.stream(
                "GET", f"/{write.repo}/resolve/{write.answer}/{path}", follow_redirects=True
            ) as got:
                digest = hashlib.sha256()
                for piece in got.iter_raw():
                    digest.update(piece)
            if got.status_code != 200 or digest.hexdigest() != file.sha256:
                yield f"{path} comes down as {got.status_code} {digest.hexdigest()}: {write}"

    def _adopt(self, write: Write, is_there: bool, answer: str = "") -> None:
        self.survived += is_there
        self.run.ledger.settle(write, "acked" if is_there else "gone", answer)


def _file(git: pygit2.Repository, write: Write, path: str, file: File) -> Iterator[str]:
    try:
        data = git[git[write.answer].tree[path].id].data
    except KeyError:
        yield f"{path} is not in the acknowledged commit {write}"
        return
    pointer = _POINTER.fullmatch(data)
    if file.is_large:
        right = pointer is not None and (pointer[1].decode(), int(pointer[2])) == (file.sha256, file.size)
    else:
        right = hashlib.sha256(data).hexdigest() == file.sha256
    if not right:
        yield f"{path} has other bytes in the acknowledged commit {write}"
