"""What people start that stands on Xet: the command line, large folders, the file system, short-lived tokens."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.contents import MEGABYTE, assert_same, digest, kinds, laid, noise
from tests.acceptance.counting import Counting, counting
from tests.acceptance.hub import Hub, User
from tests.acceptance.lfs_sender import Sender
from tests.acceptance.xet_sender import cas_of, packed, stored


@pytest.fixture
def repo(xet_user: User, unique: Callable[[str], str]) -> str:
    return f"{xet_user.name}/{unique('tools')}"


@pytest.mark.matrix
def test_command_line_uploads_and_downloads_by_xet(
    xet_client: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    contents = kinds(2 * MEGABYTE, f"{repo} 41")
    up = xet_client.hf("upload", repo, laid(tmp_path / "up", contents), ".")
    assert up.returncode == 0, up.stderr
    assert front.sent("/xorbs/") > 2 * MEGABYTE
    down = xet_client.hf("download", repo, "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    assert_same(tmp_path / "down", contents)
    assert front.of("/reconstructions/")


@pytest.mark.matrix
def test_large_folder_goes_up_and_again_costs_nothing(
    xet_client: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    contents = {f"{n}.bin": noise(100_000 * n + 1, f"{repo} {n}") for n in range(12)} | {
        "empty.bin": b"",
        "a.txt": b"a",
    }
    folder = laid(tmp_path / "up", contents)
    words = ["upload-large-folder", repo, folder, "--repo-type", "model", "--num-workers", "2"]
    if xet_client.name == "current":  # 2.x has made it one with the other command
        words = ["upload", repo, folder, "."]
    for _ in range(2):
        up = xet_client.hf(*words)
        assert up.returncode == 0, up.stderr
    assert MEGABYTE < front.sent("/xorbs/") < 2 * sum(map(len, contents.values()))
    again = xet_client.at(front.url, tmp_path / "again")
    assert_same(
        again.call("import huggingface_hub as h; result = h.snapshot_download(args['repo'])", repo=repo),
        contents,
    )


def test_many_small_files_share_a_few_xorbs(
    newest: Client, front: Counting, server: Hub, repo: str, tmp_path: Path
) -> None:
    contents = {f"{n:03}.bin": noise(3000 + n, f"{repo} {n}") for n in range(120)}
    newest.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        api.create_repo(args["repo"])
        api.upload_folder(folder_path=args["folder"], repo_id=args["repo"])
        """,
        repo=repo,
        folder=laid(tmp_path / "up", contents),
    )
    assert len(front.of("/xorbs/", "POST")) <= 4
    again = newest.at(front.url, tmp_path / "again")
    assert_same(
        again.call("import huggingface_hub as h; result = h.snapshot_download(args['repo'])", repo=repo),
        contents,
    )


def test_file_system_reads_parts_and_writes_by_the_same_hub(
    newest: Client, front: Counting, repo: str, tmp_path: Path
) -> None:
    content = noise(6 * MEGABYTE, f"{repo} 42")
    file = laid(tmp_path / "up", {"a.bin": content}) / "a.bin"
    found = newest.call(
        """
        import hashlib
        from huggingface_hub import HfApi, HfFileSystem
        HfApi().create_repo(args["repo"])
        files = HfFileSystem()
        files.put_file(args["file"], f"{args['repo']}/a.bin")
        with files.open(f"{args['repo']}/a.bin", block_size=100_000) as file:
            file.seek(5_000_000)
            part = file.read(200_000)
        with files.open(f"{args['repo']}/b.bin", "wb") as file:
            file.write(part)
        result = [hashlib.sha256(part).hexdigest(), files.info(f"{args['repo']}/b.bin")["size"]]
        """,
        repo=repo,
        file=file,
    )
    part = content[5_000_000:5_200_000]
    assert found == [digest(part).split()[1], len(part)]


@pytest.fixture(scope="module")
def hasty(new_hub: Callable[..., Hub]) -> Iterator[Hub]:
    """A server whose addresses and tokens are good for a few seconds."""
    hub = new_hub(signed_url_s="3").start()
    yield hub
    hub.stop()


def test_token_and_address_that_expired_are_refused(hasty: Hub) -> None:
    sender = Sender(hasty, hasty.user("expired"))
    repo = sender.create("own")
    file = stored(sender, repo, "a.bin", os.urandom(200_000))
    cas = cas_of(sender, repo)
    address = cas.reconstruction(file.file, 1).json["fetch_info"][file.name][0]["url"]
    part = {"Range": "bytes=0-99"}
    assert cas.plain("GET", address, headers=part).status == 206
    time.sleep(4)
    assert cas.plain("GET", address, headers=part).status == 403
    late = packed(os.urandom(100_000))
    for reply in (
        cas.reconstruction(file.file),
        cas.send_xorb(late.xorb, late.name),
        cas.send_shard(late.shard()),
    ):
        assert (reply.status, reply.headers["x-error-code"]) == (401, "Unauthorized")


def test_client_gets_new_tokens_when_the_old_ones_expire(hasty: Hub, tmp_path: Path) -> None:
    owner = hasty.user("hasty")
    contents = {f"{n}.bin": noise(3 * MEGABYTE, n) for n in range(4)}
    with counting(hasty.port) as front:
        client = Client("current", python_of("current"), tmp_path, front.url, owner.token)
        down = client.call(
            """
            import time
            from huggingface_hub import HfApi, hf_hub_download
            api = HfApi()
            api.create_repo(args["repo"])
            for name in args["names"]:
                api.upload_file(path_or_fileobj=f"{args['folder']}/{name}", path_in_repo=name, repo_id=args["repo"])
                time.sleep(1.5)
            result = [hf_hub_download(args["repo"], name) for name in args["names"]]
            """,
            repo="hasty/files",
            names=[*contents],
            folder=laid(tmp_path / "up", contents),
        )
        assert front.sent("/xorbs/") > 12 * MEGABYTE
    assert_same(Path(down[0]).parent, contents)
