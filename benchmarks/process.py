"""What the kernel knows of a server's process tree: CPU seconds and resident memory."""

from __future__ import annotations

import os
import re
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for member in found:
        for task in Path(f"/proc/{member}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, of a process tree and of its children that have ended."""
    total = 0
    for member in tree(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[11:15])
    return total / _TICKS


def memory_bytes(pid: int, field: str = "RssAnon") -> int:
    """Memory of a process tree, by a field of /proc/PID/status (RssAnon, VmRSS)."""
    total = 0
    for member in tree(pid):
        found = re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{member}/status").read_text())
        total += int(found[1]) * 1024 if found else 0
    return total
