"""The JavaScript client: it asks by an LFS batch whether Xet will do, and reads files by Xet."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import ROOT, Client, python_of
from tests.acceptance.contents import MEGABYTE, assert_same, kinds, laid, noise, with_inserted
from tests.acceptance.counting import Counting
from tests.acceptance.hub import User

pytestmark = pytest.mark.npm
FOLDER = ROOT / ".venvs" / "npm"

# A script finds its arguments in `args`, the client in `hub`, and leaves its answer in `result`.
_FRAME = """
import * as hub from "@huggingface/hub";
import { openAsBlob, writeFileSync } from "node:fs";
const args = JSON.parse(process.argv[1]);
const { hubUrl, accessToken } = args;
let result = null;
%s
console.log(JSON.stringify(result));
"""

UPLOAD = """
try { await hub.createRepo({ repo: args.repo, hubUrl, accessToken }); } catch (error) { if (error.statusCode !== 409) throw error; }
const files = [];
for (const [path, file] of Object.entries(args.files)) files.push({ path, content: await openAsBlob(file) });
result = await hub.uploadFiles({ repo: args.repo, files, hubUrl, accessToken, useXet: args.useXet });
"""  # noqa: E501
DOWNLOAD = """
for (const path of args.paths) {
    const blob = await hub.downloadFile({ repo: args.repo, path, hubUrl, accessToken, xet: args.xet });
    writeFileSync(`${args.folder}/${path}`, Buffer.from(await blob.arrayBuffer()));
}
"""


@dataclass(frozen=True)
class JavaScript:
    """The client of npm in a process of Node."""

    endpoint: str
    token: str

    def __call__(self, script: str, /, **args: Any) -> Any:
        asked = args | {"hubUrl": self.endpoint, "accessToken": self.token}
        done = subprocess.run(
            ["node", "--input-type=module", "-e", _FRAME % script, json.dumps(asked, default=str)],
            capture_output=True,
            text=True,
            timeout=300,
            cwd=FOLDER,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            check=False,
        )
        assert done.returncode == 0, done.stderr[-5000:]
        return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def javascript(front: Counting, xet_user: User) -> JavaScript:
    if not (FOLDER / "node_modules").exists():
        raise RuntimeError("the environment npm is missing: run `make venvs`")
    return JavaScript(front.url, xet_user.token)


@pytest.fixture
def repo(xet_user: User, unique: Callable[[str], str]) -> str:
    return f"{xet_user.name}/{unique('javascript')}"


@pytest.fixture
def contents(repo: str) -> dict[str, bytes]:
    return kinds(5 * MEGABYTE, f"{repo} 31") | {
        "one.bin": b"1",
        "large.bin": noise(20 * MEGABYTE, f"{repo} 32"),
        "README.md": b"# Hi\n",
    }


def _files(folder: Path, contents: dict[str, bytes]) -> dict[str, Path]:
    laid(folder, contents)
    return {name: folder / name for name in contents}


def test_files_sent_by_javascript_come_down_by_it_and_by_python(
    javascript: JavaScript,
    front: Counting,
    xet_user: User,
    repo: str,
    contents: dict[str, bytes],
    tmp_path: Path,
) -> None:
    javascript(UPLOAD, repo=repo, files=_files(tmp_path / "up", contents))
    assert front.sent("/xorbs/") > 25 * MEGABYTE
    assert front.of("/shards", "POST")
    front.forget()
    down = laid(tmp_path / "down", {})
    javascript(DOWNLOAD, repo=repo, folder=down, paths=[*contents])
    assert_same(down, contents)
    assert front.of("/reconstructions/")
    plain = laid(tmp_path / "plain", {})
    javascript(DOWNLOAD, repo=repo, folder=plain, paths=[*contents], xet=False)
    assert_same(plain, contents)
    python = Client("current", python_of("current"), tmp_path, front.url, xet_user.token)
    assert_same(python.call("import huggingface_hub as h; result = h.snapshot_download(args['repo'])", repo=repo),
                contents)  # fmt: skip


def test_changed_file_sent_by_javascript_costs_what_is_new(
    javascript: JavaScript, front: Counting, repo: str, tmp_path: Path
) -> None:
    content = noise(20 * MEGABYTE, f"{repo} 33")
    changed = with_inserted(content, noise(MEGABYTE, f"{repo} 34"))
    javascript(UPLOAD, repo=repo, files=_files(tmp_path / "1", {"a.bin": content}))
    front.forget()
    javascript(UPLOAD, repo=f"{repo}-2", files=_files(tmp_path / "2", {"b.bin": changed}))
    assert front.sent("/xorbs/") < 3 * MEGABYTE
    front.forget()
    javascript(UPLOAD, repo=f"{repo}-2", files=_files(tmp_path / "3", {"b.bin": changed}))
    assert front.sent() < 100_000


def test_javascript_with_xet_switched_off_sends_by_lfs(
    javascript: JavaScript, front: Counting, repo: str, tmp_path: Path
) -> None:
    content = {"a.bin": noise(6 * MEGABYTE, f"{repo} 35")}
    javascript(UPLOAD, repo=repo, files=_files(tmp_path / "up", content), useXet=False)
    assert front.of("/xorbs/") == []
    down = laid(tmp_path / "down", {})
    javascript(DOWNLOAD, repo=repo, folder=down, paths=["a.bin"])
    assert_same(down, content)


def test_part_of_a_file_is_read_by_javascript(
    javascript: JavaScript, front: Counting, repo: str, tmp_path: Path
) -> None:
    content = noise(20 * MEGABYTE, f"{repo} 36")
    javascript(UPLOAD, repo=repo, files=_files(tmp_path / "up", {"a.bin": content}))
    front.forget()
    down = laid(tmp_path / "down", {})
    javascript(
        """
        const blob = await hub.downloadFile({ repo: args.repo, path: "a.bin", hubUrl, accessToken });
        for (const [name, [start, end]] of Object.entries(args.parts))
            writeFileSync(`${args.folder}/${name}`, Buffer.from(await blob.slice(start, end).arrayBuffer()));
        """,
        repo=repo,
        folder=down,
        parts={"head": [0, 10], "middle": [9_999_999, 10_300_000], "tail": [len(content) - 7, len(content)]},
    )
    assert_same(down, {
        "head": content[:10], "middle": content[9_999_999:10_300_000], "tail": content[-7:],
    })  # fmt: skip
    assert front.got() < 3 * MEGABYTE
