"""`make bench`: prints each ratio beside its target, writes docs/benchmarks.md, exits 1 if a target is missed.

`python -m benchmarks.run [NAME ...]` runs only the named ones and writes no page.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import files, gits, heads, starts, trees, xet, xet_memory
from benchmarks.report import Result, line, write_page

CASES = {
    "download": files.download,
    "upload": files.upload,
    "xet": xet.transfers,
    "xet-changed": xet.changed,
    "xet-tuned": xet.tuned,
    "xet-memory": xet_memory.crowd,
    "heads": heads.resolve_heads,
    "trees": trees.big_tree,
    "clone": gits.clone,
    "start": starts.start,
}


def main(names: list[str]) -> int:
    """Runs the cases; returns the exit status."""
    results: list[Result] = []
    for name in names or CASES:
        folder = Path(tempfile.mkdtemp(prefix=f"hutch-bench-{name}-"))
        try:
            for result in CASES[name](folder):
                print(line(result), flush=True)
                results.append(result)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if not names:
        write_page(results)
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
