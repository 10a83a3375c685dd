"""A real Hutch server process, and its command line, over a data folder of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.postgres import free_port

PROGRAM = Path(sys.executable).with_name("hutch")
PASSWORD = "correct horse battery staple"
_READY = "Hutch is ready at "
_START_LIMIT_S = 60
_STOP_LIMIT_S = 10


@dataclass
class User:
    """An account of a test and a token of it with role write."""

    name: str
    token: str


@dataclass
class Hub:
    """One server over one data folder. `settings` are given to the process as `HUTCH_<NAME>`."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    host: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        scheme = "https" if "tls_cert" in self.settings else "http"
        return f"{scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"

    @property
    def log(self) -> Path:
        """What the server printed, over all its starts."""
        return self.data.with_name(self.data.name + ".log")

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HUTCH_", "HF_", "DJANGO_"))
        }
        return kept | {f"HUTCH_{name.upper()}": value for name, value in self.settings.items()}

    def start(self) -> Hub:
        """Starts the server and waits for its line that it is ready. Raises with the log if it ends before."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "serve", "--host", self.host, "--port", str(self.port), "--data", self.data],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while f"{_READY}{self.url}".encode() not in self.log.read_bytes()[begin:]:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the server did not get ready:\n{self.log.read_text()[-5000:]}")
            time.sleep(0.05)
        return self

    def stop(self) -> int:
        """Ends the server by SIGTERM and returns its exit status; a server that stays is killed and that raises."""
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.terminate()
        try:
            return process.wait(timeout=_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise AssertionError(f"the server did not end within {_STOP_LIMIT_S} s of SIGTERM") from None

    def kill(self) -> None:
        """Ends the whole process tree at once, as a power cut would."""
        if self.process is not None:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def restart(self) -> Hub:
        """Stops the server and starts it again at the same address over the same folder."""
        self.stop()
        return self.start()

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Runs `hutch WORDS... --data FOLDER` and returns what became of it."""
        return subprocess.run(
            [PROGRAM, *words, "--data", self.data],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            env=self.environment,
            check=False,
        )

    def cli(self, *words: str, stdin: str = "") -> str:
        """The output of a command that must succeed, without the line's end."""
        done = self.run(*words, stdin=stdin)
        assert done.returncode == 0, (
            f"hutch {' '.join(words)} ended with {done.returncode}: {done.stderr}{done.stdout}"
        )
        return done.stdout.strip()

    def cli_json(self, *words: str, stdin: str = "") -> Any:
        """The result of a command that must succeed, read from its `--json`."""
        return json.loads(self.cli(*words, "--json", stdin=stdin))

    def user(self, name: str, *options: str) -> User:
        """Makes an account (password: `PASSWORD`) and a token of it that may write, by the command line."""
        self.cli("user", "create", name, "--password-stdin", *options, stdin=PASSWORD + "\n")
        return User(name, self.token(name))

    def token(self, user: str, *, role: str = "write", name: str = "test") -> str:
        """Makes a token of an account by the command line."""
        return self.cli("token", "create", user, "--name", name, "--role", role)
