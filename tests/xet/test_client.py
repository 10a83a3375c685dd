"""The real hf_xet as a black box: what it sends is true to us, and what we make is true to it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from hutch.xet.chunking import chunks_of
from hutch.xet.files import read_range
from hutch.xet.hashes import from_hex, to_hex
from tests.xet.cas import Cas, serving
from tests.xet.conftest import KINDS, content

CHILD = Path(__file__).parent / "client_child.py"


@pytest.fixture
def cas() -> Iterator[Cas]:
    with serving() as cas:
        yield cas


def client(home: Path, *arguments: str) -> list[str]:
    """What hf_xet prints, with a cache of its own below `home`."""
    environment = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_XET_CACHE": str(home / "xet"),
        "HF_XET_LOG_DEST": str(home / "log"),
    }
    done = subprocess.run(
        [sys.executable, str(CHILD), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def written(folder: Path, contents: list[bytes]) -> list[str]:
    folder.mkdir(exist_ok=True)
    for number, data in enumerate(contents):
        (folder / str(number)).write_bytes(data)
    return [str(folder / str(number)) for number in range(len(contents))]


def test_what_hf_xet_uploads_is_true_and_reads_back(cas: Cas, tmp_path: Path) -> None:
    contents = [content(kind, size, size) for kind in KINDS for size in (1, 100_000, 3_000_000)]
    names = [
        line.split()[0] for line in client(tmp_path, "upload", cas.url, *written(tmp_path / "in", contents))
    ]
    for name, data in zip(names, contents, strict=True):
        terms = cas.files[from_hex(name)].terms
        assert b"".join(read_range(terms, cas.index_of, cas.open_xorb, verify=True)) == data
    assert {xorb[4] for xorb in cas.xorbs.values()} <= {0, 1, 2}


def test_a_changed_file_is_sent_in_part_thanks_to_our_dedupe_reply(cas: Cas, tmp_path: Path) -> None:
    data = content("random", 20_000_000)
    client(tmp_path / "first", "upload", cas.url, *written(tmp_path / "in", [data]))
    before = cas.received_bytes
    changed = data[:10_000_000] + b"inserted" * 10 + data[10_000_000:]
    (line,) = client(tmp_path / "second", "upload", cas.url, *written(tmp_path / "in", [changed]))
    assert cas.questions
    assert cas.received_bytes - before < 600_000
    terms = cas.files[from_hex(line.split()[0])].terms
    assert b"".join(read_range(terms, cas.index_of, cas.open_xorb)) == changed


def test_what_we_build_is_downloaded_by_hf_xet(cas: Cas, tmp_path: Path) -> None:
    contents = [content(kind, size, size) for kind in KINDS for size in (1, 6, 100_000, 3_000_000)]
    wanted = []
    for number, data in enumerate(contents):
        chunks = list(chunks_of(BytesIO(data)))
        xorb = cas.store(chunks)
        entry = cas.entry([(xorb, 0, len(chunks))])
        cas.files[entry.hash] = entry
        wanted.append(f"{to_hex(entry.hash)}:{len(data)}:{tmp_path / str(number)}")
    client(tmp_path, "download", cas.url, *wanted)
    assert [(tmp_path / str(number)).read_bytes() for number in range(len(contents))] == contents
