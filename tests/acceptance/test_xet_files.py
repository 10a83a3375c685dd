"""Files of every kind, sent by Xet and by LFS, come down the same by every road and by every client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.acceptance.clients import Client, Git, with_credentials
from tests.acceptance.contents import MEGABYTE, assert_same, digest, kinds, laid, noise
from tests.acceptance.counting import Counting
from tests.acceptance.hub import Hub, User

UPLOAD = """
from huggingface_hub import HfApi
api = HfApi()
api.create_repo(args["repo"], exist_ok=True)
api.upload_folder(folder_path=args["folder"], repo_id=args["repo"])
"""
DOWNLOAD = "from huggingface_hub import snapshot_download; result = snapshot_download(args['repo'])"
ONE = """
from huggingface_hub import HfApi, hf_hub_download
HfApi().upload_file(path_or_fileobj=args["file"], path_in_repo=args["name"], repo_id=args["repo"])
result = hf_hub_download(args["repo"], args["name"])
"""


@pytest.fixture
def repo(xet_user: User, unique: Callable[[str], str]) -> str:
    return f"{xet_user.name}/{unique('files')}"


@pytest.mark.matrix
def test_folder_sent_by_xet_comes_down_the_same_by_every_road(
    xet_client: Client, front: Counting, server: Hub, xet_user: User, git: Git, repo: str, tmp_path: Path
) -> None:
    contents = kinds(9 * MEGABYTE, f"{repo} 1") | {
        "empty.bin": b"",
        "one.bin": b"1",
        "large.bin": noise(80 * MEGABYTE, f"{repo} 2"),
    }
    folder = laid(tmp_path / "up", contents)
    xet_client.call(UPLOAD, repo=repo, folder=folder)
    assert front.sent("/xorbs/") > 89 * MEGABYTE
    assert front.of("/_cas/lfs/upload") == []

    front.forget()
    assert_same(xet_client.at(front.url, tmp_path / "by-xet").call(DOWNLOAD, repo=repo), contents)
    assert front.of("/reconstructions/")
    assert front.got("/resolve/") < MEGABYTE
    front.forget()
    assert_same(
        xet_client.without_xet().at(front.url, tmp_path / "by-http").call(DOWNLOAD, repo=repo), contents
    )
    assert front.of("/reconstructions/") == []
    git(
        "clone",
        "-q",
        with_credentials(f"{server.url}/{repo}", xet_user.name, xet_user.token),
        tmp_path / "by-git",
    )
    assert_same(tmp_path / "by-git", contents)
    _same_by_address(f"{server.url}/{repo}/resolve/main", contents)


def _same_by_address(address: str, contents: dict[str, bytes]) -> None:
    with httpx.Client(headers={"Accept": "text/html,*/*"}, timeout=120) as browser:
        for name, content in contents.items():
            whole = browser.get(f"{address}/{name}", params={"download": "true"})
            assert (whole.status_code, digest(whole.content)) == (200, digest(content))
        content = contents["large.bin"]
        for start, end in (
            (0, 0),
            (70_000_000, 70_000_009),
            (65_000, 9_000_000),
            (79 * MEGABYTE, len(content) - 1),
        ):
            part = browser.get(f"{address}/large.bin", headers={"Range": f"bytes={start}-{end}"})
            assert (part.status_code, digest(part.content)) == (206, digest(content[start : end + 1]))
        tail = browser.get(f"{address}/large.bin", headers={"Range": "bytes=-100000"})
        assert (tail.status_code, digest(tail.content)) == (206, digest(content[-100_000:]))
        beyond = browser.get(f"{address}/large.bin", headers={"Range": f"bytes={len(content)}-"})
        assert beyond.status_code == 416


@pytest.mark.matrix
@pytest.mark.parametrize("size", [1000, 9 * MEGABYTE])
def test_single_file_sent_by_xet_is_read_back_by_the_same_process(
    xet_client: Client, front: Counting, repo: str, tmp_path: Path, size: int
) -> None:
    xet_client.call("from huggingface_hub import HfApi; HfApi().create_repo(args['repo'])", repo=repo)
    content = noise(size, f"{repo} 3")
    file = laid(tmp_path / "up", {"model.safetensors": content}) / "model.safetensors"
    down = xet_client.call(ONE, repo=repo, file=file, name="model.safetensors")
    assert digest(Path(down).read_bytes()) == digest(content)
    assert front.sent("/xorbs/") >= size
    assert front.of("/reconstructions/")


@pytest.mark.matrix
def test_what_was_sent_by_lfs_is_read_by_clients_of_xet(
    xet_client: Client, front: Counting, server: Hub, xet_user: User, git: Git, repo: str, tmp_path: Path
) -> None:
    contents = kinds(2 * MEGABYTE, f"{repo} 4")
    xet_client.without_xet().call(UPLOAD, repo=repo, folder=laid(tmp_path / "up", contents))
    assert front.of("/xorbs/") == []
    work = tmp_path / "work"
    git("clone", "-q", with_credentials(f"{server.url}/{repo}", xet_user.name, xet_user.token), work)
    git("lfs", "install", "--local", cwd=work)
    contents["pushed.bin"] = noise(2 * MEGABYTE, f"{repo} 5")
    laid(work, {"pushed.bin": contents["pushed.bin"]})
    git("add", ".", cwd=work)
    git("commit", "-qm", "By git", cwd=work)
    git("push", "-q", cwd=work)
    assert_same(xet_client.at(front.url, tmp_path / "again").call(DOWNLOAD, repo=repo), contents)


def test_the_same_file_sent_by_lfs_and_by_xet_is_one_object_that_reads_both_ways(
    newest: Client, front: Counting, server: Hub, xet_user: User, git: Git, repo: str, tmp_path: Path
) -> None:
    contents = {"same.bin": noise(3 * MEGABYTE, f"{repo} 6")}
    folder = laid(tmp_path / "up", contents)
    newest.without_xet().call(UPLOAD, repo=f"{repo}-lfs", folder=folder)
    newest.call(UPLOAD, repo=f"{repo}-xet", folder=folder)
    for way in ("lfs", "xet"):
        here = newest.at(front.url, tmp_path / way)
        assert_same(here.call(DOWNLOAD, repo=f"{repo}-{way}"), contents)
        assert_same(
            here.without_xet().at(front.url, tmp_path / f"{way}-2").call(DOWNLOAD, repo=f"{repo}-{way}"),
            contents,
        )
        clone = with_credentials(f"{server.url}/{repo}-{way}", xet_user.name, xet_user.token)
        git("clone", "-q", clone, tmp_path / f"clone-{way}")
        assert_same(tmp_path / f"clone-{way}", contents)


def test_ranges_of_many_xorbs_in_one_request_are_answered_in_order(
    newest: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    base = noise(8 * MEGABYTE, f"{repo} 7")
    # every second piece is older, so that the file takes many ranges of one xorb
    piece = MEGABYTE // 2
    woven = b"".join(
        base[at : at + piece] + noise(piece // 2, f"{repo} {at}") for at in range(0, len(base), 2 * piece)
    )
    newest.call(UPLOAD, repo=repo, folder=laid(tmp_path / "base", {"base.bin": base}))
    newest.call(UPLOAD, repo=repo, folder=laid(tmp_path / "woven", {"woven.bin": woven}))
    front.forget()
    several = newest.with_environment(HF_XET_CLIENT_ENABLE_MULTIRANGE_FETCHING="true")
    down = several.at(front.url, tmp_path / "again").call(DOWNLOAD, repo=repo)
    assert_same(down, {"base.bin": base, "woven.bin": woven})


@pytest.mark.parametrize("kind", ["dataset", "space"])
def test_repositories_of_other_types_take_and_give_by_xet(
    newest: Client, front: Counting, repo: str, tmp_path: Path, kind: str
) -> None:
    content = noise(MEGABYTE, f"{repo} 8")
    file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
    down = newest.call(
        """
        from huggingface_hub import HfApi, hf_hub_download
        api, kind = HfApi(), args["kind"]
        more = {"space_sdk": "static"} if kind == "space" else {}
        api.create_repo(args["repo"], repo_type=kind, private=True, **more)
        api.upload_file(path_or_fileobj=args["file"], path_in_repo="a.bin", repo_id=args["repo"], repo_type=kind)
        result = hf_hub_download(args["repo"], "a.bin", repo_type=kind)
        """,
        repo=repo, file=file, kind=kind,
    )  # fmt: skip
    assert digest(Path(down).read_bytes()) == digest(content)
    assert front.sent("/xorbs/") >= MEGABYTE
    assert front.of("/reconstructions/")


def test_pull_request_of_somebody_without_a_right_to_write_brings_its_file_by_xet(
    newest: Client, front: Counting, server: Hub, repo: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    newest.call("from huggingface_hub import HfApi; HfApi().create_repo(args['repo'])", repo=repo)
    content = noise(MEGABYTE, f"{repo} 9")
    other = replace(newest, token=server.user(unique("proposer")).token)
    down = other.call(
        """
        from huggingface_hub import HfApi, hf_hub_download
        made = HfApi().upload_file(
            path_or_fileobj=args["file"], path_in_repo="a.bin", repo_id=args["repo"], create_pr=True
        )
        result = hf_hub_download(args["repo"], "a.bin", revision=made.pr_revision)
        """,
        repo=repo,
        file=laid(tmp_path / "up", {"a.bin": content}) / "a.bin",
    )
    assert digest(Path(down).read_bytes()) == digest(content)
    assert front.sent("/xorbs/") >= MEGABYTE
