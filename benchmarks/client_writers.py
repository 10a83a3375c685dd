"""Writers that use the unmodified clients: huggingface_hub and git with git-lfs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils.logging import set_verbosity_error

from benchmarks.ledger import Write, file_of
from benchmarks.writers import Refused, Run, Writer
from tests.acceptance.clients import Git, with_credentials

set_verbosity_error()  # it tells of each retry, and each kill makes some
_LIVE_REPOS = 4
_LIVE_REFS = 4


class ByHub(Writer):
    """huggingface_hub's `create_commit` on a branch that others write to as well."""

    has_rivals = True

    def __init__(self, run: Run, repo: str, branch: str, seed: int) -> None:
        super().__init__(run, repo, branch, seed)
        self.api = HfApi(endpoint=run.url, token=run.token)
        self.own = f"{type(self).__name__.lower()}{seed}"

    def step(self) -> None:
        """Commits a small and a large file."""
        small, large = self.bytes(2_500).hex().encode(), self.bytes(1_000_000)
        own = f"{self.own}-"
        files = {
            own + self.path("txt").replace("/", "-"): small,
            own + self.path("bin").replace("/", "-"): large,
        }
        write = self.ledger.plan(
            "commit", repo=self.repo, branch=self.branch,
            files={path: file_of(content, is_large=content is large) for path, content in files.items()},
        )  # fmt: skip
        operations = [CommitOperationAdd(path, content) for path, content in files.items()]

        def make() -> str:
            with self.gate.sending():
                made = self.api.create_commit(
                    self.repo, operations, commit_message=write.mark, revision=self.branch
                )
            return str(made.oid)

        self.settle_hub(write, make)

    def settle_hub(self, write: Write, make: object) -> None:
        """`settle`, for errors as this client raises them."""

        def told() -> str:
            try:
                return str(make())  # type: ignore[operator]
            except HfHubHTTPError as error:
                status = getattr(error.response, "status_code", None)
                if status is None:
                    raise
                raise Refused(status, f"{write.kind}: {status} {error}") from error

        self.settle(write, told)


class Refs(ByHub):
    """Makes and deletes branches and tags, which are nobody else's."""

    def step(self) -> None:
        """Makes one ref, or deletes the oldest."""
        mine = self._live()
        if len(mine) >= _LIVE_REFS:
            self._drop(mine[0])
            return
        self.sent += 1
        head = str(self.api.model_info(self.repo, revision=self.branch).sha)
        kind = self.dice.choice(["heads", "tags"])
        name = f"{kind[:-1]}-{self.own}-{self.sent}"
        write = self.ledger.plan("ref", repo=self.repo, branch=f"refs/{kind}/{name}", answer=head)
        if kind == "heads":
            self.settle_hub(
                write, lambda: self.api.create_branch(self.repo, branch=name, revision=head) or head
            )
        else:
            self.settle_hub(write, lambda: self.api.create_tag(self.repo, tag=name, revision=head) or head)

    def _live(self) -> list[str]:
        last = {write.branch: write for write in self.ledger.of("ref") if f"-{self.own}-" in write.branch}
        return [name for name, write in last.items() if write.answer and write.state == "acked"]

    def _drop(self, ref: str) -> None:
        _, kind, name = ref.split("/", 2)
        write = self.ledger.plan("ref", repo=self.repo, branch=ref, answer="")
        delete = self.api.delete_branch if kind == "heads" else self.api.delete_tag
        keyword = "branch" if kind == "heads" else "tag"
        self.settle_hub(write, lambda: delete(self.repo, **{keyword: name}) or "")


class Repos(ByHub):
    """Makes repositories, commits to each, and deletes the oldest."""

    def step(self) -> None:
        """Makes one repository with a file, or deletes one."""
        mine = self._live()
        if len(mine) >= _LIVE_REPOS:
            self._drop(mine[0])
            return
        self.sent += 1
        self.repo = f"{self.of_run.user}/short-{self.own}-{self.sent}"
        write = self.ledger.plan("repo", repo=self.repo, answer="there")
        self.settle_hub(write, lambda: self.api.create_repo(self.repo) and "there")
        self.commit({"only.txt": self.bytes(2_000)}, large=False)

    def _live(self) -> list[str]:
        last = {write.repo: write for write in self.ledger.of("repo") if f"-{self.own}-" in write.repo}
        return [repo for repo, write in last.items() if write.answer and write.state == "acked"]

    def _drop(self, repo: str) -> None:
        write = self.ledger.plan("repo", repo=repo, answer="")
        self.settle_hub(write, lambda: self.api.delete_repo(repo) or "")
        if write.state == "acked":
            self.ledger.forget(repo)


class ByPush(Writer):
    """`git push` of commits with small files and, `large`, with git-lfs. What was not acknowledged is pushed again."""

    def __init__(self, run: Run, repo: str, branch: str, seed: int, *, large: bool) -> None:
        super().__init__(run, repo, branch, seed)
        self.large = large
        self.git = Git(run.folder / f"home-{branch}")
        self.clone = run.folder / f"clone-{branch}"
        self.pending: list[Write] = []

    def step(self) -> None:
        """Commits one file and pushes all that is not acknowledged."""
        if not self.clone.exists():
            url = with_credentials(f"{self.of_run.url}/{self.repo}", self.of_run.user, self.of_run.token)
            self.git("clone", "--branch", self.branch, url, self.clone, GIT_LFS_SKIP_SMUDGE="1")
        self._commit()
        for write in self.pending:
            self.ledger.settle(write, "sent")
        with self.gate.sending():
            self.git("push", "origin", self.branch, cwd=self.clone)
        for write in self.pending:
            self.ledger.settle(write, "acked")
        self.pending = []

    def _commit(self) -> None:
        path = self.path("bin" if self.large else "txt")
        content = self.bytes(1_000_000 if self.large else 200_000)
        target = Path(self.clone / path)
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
        write = self.ledger.plan(
            "commit", repo=self.repo, branch=self.branch, files={path: file_of(content, is_large=self.large)}
        )
        self.git("add", path, cwd=self.clone)
        self.git("commit", "-m", write.mark, cwd=self.clone)
        write.answer = self.git("rev-parse", "HEAD", cwd=self.clone)
        self.pending.append(write)


def prepare(run: Run, repo: str, branches: list[str]) -> None:
    """Makes a repository with branches, all at its first commit."""
    HfApi(endpoint=run.url, token=run.token).create_repo(repo)
    git = Git(run.folder / "home-prepare")
    clone = run.folder / f"prepare-{repo.replace('/', '-')}"
    git("clone", with_credentials(f"{run.url}/{repo}", run.user, run.token), clone)
    git("push", "origin", *[f"main:{branch}" for branch in branches if branch != "main"], cwd=clone)


def mirror(run: Run, repo: str) -> Path:
    """An up-to-date copy of a repository, as git brings it over the network."""
    folder = run.folder / "mirrors" / repo
    url = with_credentials(f"{run.url}/{repo}", run.user, run.token)
    if folder.exists():
        _git("-C", str(folder), "fetch", "--quiet", "--prune", "origin", "+refs/*:refs/*")
    else:
        _git("clone", "--quiet", "--mirror", url, str(folder))
    return folder


def _git(*words: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words], capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"git {words[-1]}: {done.stderr[-500:]}")
