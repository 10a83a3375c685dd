"""Buckets by the JavaScript client: it sends, lists, reads, copies and deletes as the others do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.contents import MEGABYTE, assert_same, kinds, laid
from tests.acceptance.hub import User
from tests.acceptance.test_xet_javascript import DOWNLOAD, UPLOAD, JavaScript, javascript

__all__ = ["javascript"]

pytestmark = pytest.mark.npm
AFTERWARDS = """
const repo = args.repo;
const listed = async (asked) => {
    const found = [];
    for await (const entry of hub.listFiles({ repo, hubUrl, accessToken, ...asked })) found.push(entry);
    return found.map(entry => `${entry.type} ${entry.path}`).sort();
};
result = { listed: await listed({ recursive: true }), flat: await listed({ path: "in" }) };
result.exists = [
    await hub.fileExists({ repo, hubUrl, accessToken, path: "noise.bin" }),
    await hub.fileExists({ repo, hubUrl, accessToken, path: "absent.bin" }),
];
const info = await hub.fileDownloadInfo({ repo, hubUrl, accessToken, path: "noise.bin" });
result.info = [info.size, info.xet !== undefined];
const copy = { hubUrl, accessToken, destination: { repo, path: "copied.bin" } };
await hub.copyFile({ ...copy, source: { repo, path: "noise.bin" } });
await hub.deleteFiles({ repo, hubUrl, accessToken, paths: ["noise.bin", "in/one.bin"] });
result.left = await listed({ recursive: true });
try { await hub.deleteFile({ repo, hubUrl, accessToken, path: "absent" }); } catch (error) { result.refused = error.statusCode; }
await hub.deleteRepo({ repo, hubUrl, accessToken });
"""  # noqa: E501


def test_bucket_lives_by_the_javascript_client(
    javascript: JavaScript, xet_user: User, unique: Callable[[str], str], tmp_path: Path
) -> None:
    repo = f"buckets/{xet_user.name}/{unique('box')}"
    contents = kinds(3 * MEGABYTE, repo) | {"one.bin": b"1"}
    laid(tmp_path / "up", contents)
    names = {name: f"in/{name}" if name == "one.bin" else name for name in contents}
    javascript(
        UPLOAD + "result = null;", repo=repo, files={names[name]: tmp_path / "up" / name for name in contents}
    )
    down = laid(tmp_path / "down", {})
    (down / "in").mkdir()
    for xet in (True, False):
        javascript(DOWNLOAD, repo=repo, folder=down, paths=[*names.values()], xet=xet)
        assert_same(down, {names[name]: content for name, content in contents.items()})
    left = ["file copied.bin", "file floats.bin", "file text.bin", "file zeros.bin"]
    assert javascript(AFTERWARDS, repo=repo) == {
        "listed": sorted(f"file {name}" for name in names.values()), "flat": ["file in/one.bin"],
        "exists": [True, False], "info": [3 * MEGABYTE, True], "left": left, "refused": 422,
    }  # fmt: skip
