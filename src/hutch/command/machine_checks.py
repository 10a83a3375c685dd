"""Checks of the machine and the data folder, for `hutch doctor`. Nothing is left behind by any of them."""

from __future__ import annotations

import ctypes
import os
import pwd
import re
import resource
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from hutch.command.findings import Finding
from hutch.settings import Settings

GIT_NEEDED = (2, 36)  # the first whose fsync can be told what to sync (core.fsync)
_GIB = 1 << 30
_MIB = 1 << 20
_SPACE_WARN, _SPACE_BAD = 10 * _GIB, 1 * _GIB
_INODES_WARN, _INODES_BAD = 200_000, 10_000
_MEMORY_WARN, _MEMORY_BAD = 512 * _MIB, 128 * _MIB
_FILES_WARN = 4096
_SLOW_FSYNC_S = 0.5
_FUTURE_S = 300
_TIME_ERROR = 5  # adjtimex(2)


def git(settings: Settings) -> Finding:
    """Whether git is there and new enough."""
    program = shutil.which("git")
    if program is None:
        return Finding("git", "bad", "not installed", "install git, for example by `apt-get install git`")
    told = subprocess.run(
        [program, "--version"], capture_output=True, text=True, timeout=20, check=True
    ).stdout
    number = re.search(r"(\d+)\.(\d+)[.\d]*", told)
    if number is None or (int(number[1]), int(number[2])) < GIT_NEEDED:
        needed = ".".join(map(str, GIT_NEEDED))
        return Finding("git", "bad", f"{told.strip()} is too old", f"install git {needed} or newer")
    if shutil.which("setpriv") is None:
        return Finding(
            "git",
            "warn",
            f"{number[0]}, but no setpriv: children of a killed server live on",
            "install util-linux",
        )
    return Finding("git", "ok", number[0])


def space(settings: Settings) -> Finding:
    """How much room the disk has."""
    usage = shutil.disk_usage(_nearest(settings.data))
    what = f"{usage.free / _GIB:.1f} GiB of {usage.total / _GIB:.1f} are free"
    if usage.free < _SPACE_BAD:
        return Finding(
            "space", "bad", what, "free some: uploads are refused, and the database needs room to write"
        )
    if usage.free < _SPACE_WARN:
        return Finding("space", "warn", what, "free some, or move the data folder to a larger disk")
    return Finding("space", "ok", what)


def inodes(settings: Settings) -> Finding:
    """How many files the disk can still hold."""
    fact = os.statvfs(_nearest(settings.data))
    if fact.f_files == 0:
        return Finding("inodes", "ok", "this file system does not count them")
    what = f"{fact.f_favail} of {fact.f_files} are free"
    if fact.f_favail < _INODES_BAD:
        return Finding(
            "inodes", "bad", what, "remove files, or move the data folder to a disk with more inodes"
        )
    if fact.f_favail < _INODES_WARN:
        return Finding("inodes", "warn", what, "a repository takes about 20: plan for a disk with more")
    return Finding("inodes", "ok", what)


def folder(settings: Settings) -> Finding:
    """Whether the data folder belongs to us, may be written to, and is closed to others."""
    data = settings.data
    if not data.exists():
        parent = _nearest(data)
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding("folder", "ok", f"{data} will be made at the first start")
        return Finding("folder", "bad", f"{data} cannot be made in {parent}", f"make it for the user {_me()}")
    fact = data.stat()
    if fact.st_uid != os.geteuid():
        owner = _name(fact.st_uid)
        remedy = f"run this and every other hutch command as {owner}, for example by `sudo -u {owner}`"
        return Finding("folder", "bad", f"{data} belongs to {owner}, you are {_me()}", remedy)
    locked = [entry.name for entry in data.iterdir() if not os.access(entry, os.R_OK | os.W_OK)]
    foreign = [entry.name for entry in data.iterdir() if entry.lstat().st_uid != os.geteuid()]
    if locked or foreign or not os.access(data, os.W_OK | os.X_OK):
        which = ", ".join(sorted({*locked, *foreign})[:5]) or data.name
        return Finding(
            "folder",
            "bad",
            f"cannot be written: {which}",
            f"`chown -R {_me()} {data}`, `chmod -R u+rwX {data}`",
        )
    secret = data / "secret.key"
    if secret.exists() and secret.stat().st_mode & 0o077:
        return Finding("folder", "bad", "others can read secret.key", f"`chmod 600 {secret}`")
    if fact.st_mode & 0o007:
        return Finding("folder", "warn", f"others can look into {data}", f"`chmod o-rwx {data}`")
    return Finding("folder", "ok", str(data))


def disk(settings: Settings) -> Finding:
    """Whether the file system keeps what it is told to keep, and how quickly."""
    place = _nearest(settings.data)
    kind = file_system(place)
    if kind in ("tmpfs", "ramfs"):
        return Finding(
            "disk", "bad", f"{place} is {kind}: in memory, gone at the next boot", "choose a folder on a disk"
        )
    staging, blobs = settings.data / "storage" / "staging", settings.data / "storage" / "blobs"
    if staging.exists() and blobs.exists() and staging.stat().st_dev != blobs.stat().st_dev:
        what = "storage/staging and storage/blobs lie on two file systems"
        return Finding("disk", "bad", what, "put both on one: an upload becomes a blob by a rename")
    if not os.access(place, os.W_OK):
        return Finding("disk", "bad", f"{place} cannot be written", "see `folder`")
    took_s = _fsync(place)
    what = f"{kind}, an fsync takes {took_s * 1000:.1f} ms"
    if kind.startswith(("nfs", "cifs", "smb", "fuse")) and not settings.database_url:
        return Finding("disk", "warn", what, "SQLite wants a local disk: move the folder, or use PostgreSQL")
    if took_s > _SLOW_FSYNC_S:
        return Finding("disk", "warn", what, "every commit waits for several: use a faster disk")
    return Finding("disk", "ok", what)


def memory(settings: Settings) -> Finding:
    """How much memory is left, and whether the process may open enough files."""
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(facts["MemAvailable"].split()[0]) << 10
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    what = f"{available / _GIB:.1f} GiB are available, {files} files may be open"
    if available < _MEMORY_BAD:
        return Finding("memory", "bad", what, "end something, or add memory: the server needs 250 MB")
    if available < _MEMORY_WARN:
        return Finding("memory", "warn", what, "pushes and previews of large files may run out of it")
    if files < _FILES_WARN:
        return Finding(
            "memory", "warn", what, "raise the limit: `ulimit -n 65536`, or LimitNOFILE in systemd"
        )
    return Finding("memory", "ok", what)


def clock(settings: Settings) -> Finding:
    """Whether the time can be right: tokens, signed addresses and sign-in by TOTP depend on it."""
    now = time.time()
    what = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    written = [path.stat().st_mtime for path in settings.data.glob("hutch.sqlite3*")]
    if written and max(written) > now + _FUTURE_S:
        return Finding(
            "clock", "bad", f"it is {what}, but the database was written later", "set the clock right"
        )
    if not is_synchronised():
        return Finding("clock", "warn", f"{what}, kept by no time server", "run chrony or systemd-timesyncd")
    return Finding("clock", "ok", what)


def is_synchronised() -> bool:
    """Whether the kernel knows its clock to be kept right by somebody (Linux, adjtimex(2))."""
    state = (ctypes.c_char * 512)()  # a struct timex of zeros only asks
    return ctypes.CDLL(None).adjtimex(state) != _TIME_ERROR


def file_system(path: Path) -> str:
    """The kind of file system on which a folder lies: that of the longest mount point above it."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, found = line.split()[:3]
        point = point.replace("\\040", " ")
        if path.resolve().is_relative_to(point) and len(point) >= len(best):
            best, kind = point, found
    return kind


def _fsync(place: Path) -> float:
    begun = time.monotonic()
    with tempfile.NamedTemporaryFile(dir=place, prefix=".doctor-") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        return time.monotonic() - begun


def _nearest(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _me() -> str:
    return _name(os.geteuid())


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user number {uid}"
