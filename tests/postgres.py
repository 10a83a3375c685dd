"""A real PostgreSQL server for one test run, in a temporary folder, gone when the run is gone."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

# Nothing of a test run must survive a power cut, so the server may skip its flushes; everything else is real.
_OPTIONS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def _programs() -> Path:
    """The folder of initdb and postgres: the newest of Debian's, else where the path finds them."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4]))
    found = installed[-1] if installed else shutil.which("postgres")
    if not found:
        raise RuntimeError(
            "PostgreSQL is not installed: `make system` installs it, or say how on your machine"
        )
    return Path(found).parent


def free_port() -> int:
    """A port of the loopback address that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Postgres:
    """One server. PostgreSQL refuses to run as root, so root hands it to the system's `postgres` user."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hutch-postgres-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0

    def start(self) -> None:
        """Makes the cluster, starts it and waits until it takes connections."""
        programs, data = _programs(), self.folder / "data"
        if os.getuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        how = ["-U", "hutch", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        initdb = [*self._as_owner(), str(programs / "initdb"), "-D", str(data), *how]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self.folder)
        options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                # The kernel ends the server with this run, however the run ends.
                [*self._as_owner("--pdeathsig=INT"), programs / "postgres", "-D", data, *where, *options],
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        self._wait()

    def _as_owner(self, *options: str) -> list[str]:
        who = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        return ["setpriv", *who, *options] if who or options else []

    def _wait(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError as error:
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(
                        f"PostgreSQL did not start: {(self.folder / 'log').read_text()}"
                    ) from error
                time.sleep(0.05)

    def url(self, database: str) -> str:
        """The address of one database, as the setting `database_url` takes it."""
        return f"postgresql://hutch@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str = "hub") -> str:
        """Makes an empty database and returns its address."""
        self._databases += 1
        name = f"{re.sub(r'[^a-z0-9]+', '_', name.lower())[:40]}_{self._databases}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def stop(self) -> None:
        """Ends the server and removes everything it had."""
        if self._process is not None:
            # INT disconnects the clients that are left; TERM would wait for them.
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
