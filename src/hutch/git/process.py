"""`git` as a child process: a clean environment, a time limit, nothing inherited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO, cast

from hutch.core.errors import HutchError
from hutch.git import disk_full
from hutch.git.errors import GitFailed, GitTimeout

DEFAULT_TIMEOUT_S = 120.0

# fsync what a lost power cord may not take, except loose objects one by one: callers that need those say so.
DURABLE = ("-c", "core.fsync=committed,reference,index", "-c", "core.fsyncMethod=fsync")


@cache
def git_binary() -> str:
    """The full path of `git`; raises GitFailed where there is none."""
    found = shutil.which("git")
    if found is None:
        raise GitFailed("git is not installed: Hutch needs git 2.36 or newer")
    return found


@cache
def _death_wrapper() -> tuple[str, ...]:
    found = shutil.which("setpriv")
    return (found, "--pdeathsig", "KILL", "--") if found else ()


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The whole environment of a git child: no system, user or caller configuration reaches it."""
    clean = {
        "PATH": os.defpath,
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        # Data folders are often owned by another user than the server's (volumes, sudo).
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "GIT_CONFIG_KEY_1": "gc.auto",
        "GIT_CONFIG_VALUE_1": "0",
    }
    return {**clean, **(extra or {})}


def command(path: Path, args: Sequence[str], *, tied: bool = False) -> list[str]:
    """The argument list for git on a repository; a `tied` child dies with the thread that made it."""
    wrapper = _death_wrapper() if tied else ()
    return [*wrapper, git_binary(), "--git-dir", str(path), *args]


def run(
    path: Path,
    args: Sequence[str],
    *,
    stdin: bytes = b"",
    extra_environment: Mapping[str, str] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    ok: Sequence[int] = (0,),
) -> bytes:
    """Run git to its end and return its output; raises GitFailed (with git's words) or GitTimeout."""
    done = run_raw(path, args, stdin=stdin, extra_environment=extra_environment, timeout_s=timeout_s)
    if done.returncode not in ok:
        raise failure(f"git {args[0]} failed ({done.returncode})", done.stderr)
    return done.stdout


def failure(what: str, stderr: bytes) -> HutchError:
    """The error for a git that failed for no fault of the caller's: InsufficientStorage or GitFailed."""
    complaint = words(stderr)
    return disk_full.error() if disk_full.is_full(complaint) else GitFailed(f"{what}: {complaint}")


def run_raw(
    path: Path,
    args: Sequence[str],
    *,
    stdin: bytes = b"",
    extra_environment: Mapping[str, str] | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
) -> subprocess.CompletedProcess[bytes]:
    """Run git to its end whatever its exit status; raises GitTimeout only."""
    try:
        return subprocess.run(
            command(path, args),
            input=stdin,
            capture_output=True,
            env=environment(extra_environment),
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        raise GitTimeout(f"git {args[0]} took more than {timeout_s:g} s", limit=timeout_s) from late


@contextmanager
def stream(
    path: Path,
    args: Sequence[str],
    *,
    stdin: bytes | None = None,
    extra_environment: Mapping[str, str] | None = None,
    timeout_s: float = 3600.0,
) -> Iterator[BinaryIO]:
    """Git's output as a stream, for answers too large to hold; leaving the block early ends the child.

    Raises GitFailed where git failed before its output ended; a child that outlives `timeout_s` is killed.
    """
    with _as_file(stdin) as source:
        child = subprocess.Popen(
            command(path, args, tied=True),
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(extra_environment),
        )
    output = cast(BinaryIO, child.stdout)
    alarm = threading.Timer(timeout_s, child.kill)
    alarm.daemon = True
    alarm.start()
    finished = False
    try:
        yield output
        finished = not output.read(1)
    finally:
        alarm.cancel()
        if not finished:
            child.kill()
        output.close()
        status = child.wait()
    if finished and status != 0:
        raise GitFailed(f"git {args[0]} failed ({status})")


# A file, not a pipe: a child that writes before it has read everything would block both sides.
@contextmanager
def _as_file(data: bytes | None) -> Iterator[int]:
    if data is None:
        yield subprocess.DEVNULL
        return
    handle = os.memfd_create("hutch-git-stdin")
    try:
        with os.fdopen(os.dup(handle), "wb") as out:
            out.write(data)
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)


# Where our folders lie is nobody's business.
_FOLDERS = re.compile(r"(?<![\w.~-])/[^\s'\":;,]*")


def words(stderr: bytes, limit: int = 500) -> str:
    """Git's complaint as one short line that is safe to show."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    return _FOLDERS.sub("(a path of the server)", "; ".join(lines))[:limit] or "no reason given"
