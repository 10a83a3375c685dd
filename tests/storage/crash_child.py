"""Run by test_crash: puts blobs until it is killed, and tells on stdout each that was acknowledged.

Arguments: the folder, the seed, and optionally a fault point and how often it is passed before the process dies.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
from pathlib import Path

from hutch.storage import faults
from hutch.storage.keys import content_key
from hutch.storage.local import LocalBlobStore
from hutch.storage.parts import Parts
from hutch.storage.resumable import Resumable
from hutch.storage.staging import Staging


def main(root: Path, seed: int, fault: str = "", passes: int = 0) -> None:
    staging, store = Staging(root / "staging"), LocalBlobStore(root / "blobs")
    if fault:
        arm(fault, passes)
    dice = random.Random(seed)
    number = 0
    while True:
        number += 1
        content = dice.randbytes(dice.choice([10, 5000, 700_000, 9_000_000]))
        digest = hashlib.sha256(content).hexdigest()
        way = number % 3
        if way == 0:
            with staging.create(len(content)) as upload:
                for start in range(0, len(content), 100_000):
                    upload.write(content[start : start + 100_000])
                staged = upload.finish(None, digest)
            store.put(content_key("lfs", digest), staged)
        elif way == 1:
            half = -(-len(content) // 2)
            parts = Parts(staging, f"parts-{number}", len(content), half)
            for index, piece in enumerate((content[:half], content[half:]), 1):
                with parts.begin(index) as file:
                    file.write(piece)
                    file.finish()
            with parts.seal(digest) as staged:
                store.put(content_key("lfs", digest), staged)
            parts.discard()
        else:
            resumable = Resumable(staging, f"tail-{number}")
            with resumable.append_at(0) as append:
                append.write(content[: len(content) // 3])
            with resumable.append_at(len(content) // 3) as append:
                append.write(content[len(content) // 3 :])
            store.put(content_key("lfs", digest), resumable.finish(len(content), digest))
            resumable.discard()
        print(digest, flush=True)
        if number % 5 == 0:
            store.delete(content_key("lfs", digest))
            print("deleted", digest, flush=True)


def arm(fault: str, passes: int) -> None:
    left = passes

    def die() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    faults.arm(fault, die)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4], *(int(n) for n in sys.argv[4:5]))
