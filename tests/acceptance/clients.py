"""The unmodified clients, each in its own environment, run as processes of their own.

`HUTCH_TEST_CLIENTS` names the environments of a run: `current` is the one the tests run in, others are folders of
`.venvs` (`make venvs`). `HUTCH_TEST_XET_CLIENTS` names those that the tests of Xet run with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NAMES = (os.environ.get("HUTCH_TEST_CLIENTS") or "current").split()
XET_NAMES = (os.environ.get("HUTCH_TEST_XET_CLIENTS") or " ".join(NAMES)).split()

# A client's script finds its arguments in `args` and leaves its answer in `result`; both travel as JSON.
_FRAME = """
import json, sys
args = json.loads(sys.argv[1])
result = None
try:
{body}
except Exception as error:
    response = getattr(error, "response", None)
    print(json.dumps({{"error": type(error).__name__, "kinds": [kind.__name__ for kind in type(error).__mro__],
        "message": str(error), "status": getattr(response, "status_code", None),
        "code": response.headers.get("X-Error-Code") if response is not None else None}}), file=sys.__stdout__)
else:
    print(json.dumps({{"result": result}}, default=str), file=sys.__stdout__)
"""


class ClientFailed(AssertionError):
    """What a client's script raised: the class, its bases, the message, and the server's status and X-Error-Code."""

    def __init__(self, answer: dict[str, Any], stderr: str) -> None:
        super().__init__(f"{answer['error']}: {answer['message']}\n{stderr}")
        self.kind: str = answer["error"]
        self.kinds: list[str] = answer["kinds"]
        self.message: str = answer["message"]
        self.status: int | None = answer["status"]
        self.code: str | None = answer["code"]


@dataclass(frozen=True)
class Client:
    """One environment with a huggingface_hub of some version, a home folder, a hub and perhaps a token."""

    name: str
    python: Path
    home: Path
    endpoint: str
    token: str | None = None
    more: dict[str, str] = field(default_factory=dict)

    def signed_in(self, token: str | None) -> Client:
        """The same client with another token (None: nobody)."""
        return replace(self, token=token)

    def at(self, endpoint: str, home: Path) -> Client:
        """The same client at another address, with a home folder that is new: nothing is cached there."""
        home.mkdir(parents=True)
        return replace(self, endpoint=endpoint, home=home)

    def without_xet(self) -> Client:
        """The same client with Xet switched off: it sends large files by LFS and fetches them whole."""
        return self.with_environment(HF_HUB_DISABLE_XET="1")

    def with_environment(self, **more: str) -> Client:
        """The same client with more environment variables."""
        return replace(self, more=self.more | more)

    @property
    def environment(self) -> dict[str, str]:
        """All that the client's process sees: its own home, this hub, no other."""
        found = {
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "HF_HOME": str(self.home / "hf"),
            "HF_ENDPOINT": self.endpoint,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "NO_COLOR": "1",
        }
        return found | ({"HF_TOKEN": self.token} if self.token else {}) | self.more

    def call(self, script: str, /, **args: Any) -> Any:
        """Runs a script of the client's (see `_FRAME`) and returns its `result`. Raises ClientFailed."""
        framed = _FRAME.format(body=textwrap.indent(textwrap.dedent(script), "    "))
        done = self._run([str(self.python), "-c", framed, json.dumps(args, default=str)])
        assert done.returncode == 0, f"the script broke:\n{done.stdout}\n{done.stderr}"
        answer = json.loads(done.stdout.splitlines()[-1])
        if "error" in answer:
            raise ClientFailed(answer, done.stderr)
        return answer["result"]

    def hf(self, *words: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the command line `hf`; the caller judges how it ended."""
        return self._run([str(self.python.with_name("hf")), *map(str, words)], cwd=cwd)

    def _run(self, command: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=600,
            env=self.environment,
            cwd=cwd or self.home,
            check=False,
        )


def python_of(name: str) -> Path:
    """The interpreter of an environment. Raises if it was not made: a matrix that skips would prove nothing."""
    python = Path(sys.executable) if name == "current" else ROOT / ".venvs" / name / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"the environment {name} is missing: run `make venvs`")
    return python


@dataclass(frozen=True)
class Git:
    """git and git-lfs with a home of their own, so that nobody's configuration counts."""

    home: Path

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / ".gitconfig").write_text(
            "[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n[core]\n\tpager =\n"
            '[filter "lfs"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n'
            "\tprocess = git-lfs filter-process\n\trequired = true\n"
        )

    def run(
        self, *words: str | Path, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs git; the caller judges how it ended."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        return subprocess.run(
            ["git", *map(str, words)],
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=300,
            env=environment | more,
            cwd=cwd or self.home,
            check=False,
        )

    def __call__(self, *words: str | Path, cwd: Path | None = None, **more: str) -> str:
        """The output of a git command that must succeed."""
        done = self.run(*words, cwd=cwd, **more)
        assert done.returncode == 0, (
            f"git {' '.join(map(str, words))} ended with {done.returncode}: {done.stderr}"
        )
        return done.stdout.strip()


def with_credentials(url: str, user: str, token: str) -> str:
    """An address for git with the token as password."""
    return url.replace("://", f"://{user}:{token}@", 1)
