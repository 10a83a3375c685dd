"""Storage buckets by the unmodified clients: `hf buckets`, HfApi, and files by `hf://buckets/...`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.boxes import API, MEGABYTE, Box, bucket, client, did, newest, noise
from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.hub import Hub, User

__all__ = ["bucket", "client", "newest"]

LIST = "result = sorted(e.path for e in HfApi().list_bucket_tree(args['bucket'], recursive=True))"


def laid(folder: Path, seed: str) -> dict[str, bytes]:
    """A folder of files of every size, as they were written."""
    files = {
        "model.safetensors": noise(9 * MEGABYTE, f"{seed} model"),
        "text/log.txt": b"line\n" * MEGABYTE,
        "text/deep/er/one.bin": b"1",
        "empty.bin": b"",
        "name with ünïcode & signs #?%.bin": noise(70_000, f"{seed} name"),
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return files


def read(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same(found: dict[str, bytes], wanted: dict[str, bytes]) -> bool:
    """Compared without pytest's explanation of megabytes."""
    return found == wanted


@pytest.mark.matrix
def test_folder_is_synced_up_and_down_byte_by_byte(client: Client, bucket: str, tmp_path: Path) -> None:
    files = laid(tmp_path / "up", bucket)
    did(client.hf("buckets", "sync", tmp_path / "up", f"hf://buckets/{bucket}"))
    assert client.call(API + LIST, bucket=bucket) == sorted(files)
    did(client.hf("buckets", "sync", f"hf://buckets/{bucket}", tmp_path / "down"))
    assert same(read(tmp_path / "down"), files)
    # nothing is new: nothing is sent, and nothing fetched
    plan = did(client.hf("buckets", "sync", tmp_path / "up", f"hf://buckets/{bucket}", "--dry-run"))
    assert json.loads(plan.splitlines()[0])["summary"]["uploads"] == 0
    plan = did(client.hf("buckets", "sync", f"hf://buckets/{bucket}", tmp_path / "down", "--dry-run"))
    assert json.loads(plan.splitlines()[0])["summary"]["downloads"] == 0


@pytest.mark.matrix
def test_what_went_here_goes_there_too(client: Client, bucket: str, tmp_path: Path) -> None:
    laid(tmp_path / "up", bucket)
    did(client.hf("buckets", "sync", tmp_path / "up", f"hf://buckets/{bucket}/in/side"))
    (tmp_path / "up" / "empty.bin").unlink()
    (tmp_path / "up" / "text" / "log.txt").unlink()
    (tmp_path / "up" / "text" / "log.txt").mkdir()
    (tmp_path / "up" / "text" / "log.txt" / "part").write_bytes(b"now a folder")
    did(client.hf("buckets", "sync", tmp_path / "up", f"hf://buckets/{bucket}/in/side", "--delete"))
    listed = client.call(API + LIST, bucket=bucket)
    assert listed == sorted(f"in/side/{name}" for name in read(tmp_path / "up"))


@pytest.mark.matrix
def test_bucket_lives_by_the_commands_of_the_client(
    client: Client, server: Hub, user: User, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("crate")
    assert f"hf://buckets/{user.name}/{name}" in did(client.hf("buckets", "create", name, "--private"))
    assert client.hf("buckets", "create", name).returncode != 0
    did(client.hf("buckets", "create", name, "--exist-ok"))
    told = did(client.hf("buckets", "info", f"{user.name}/{name}"))
    assert "private" in told
    assert f"{user.name}/{name}" in told
    assert f"{user.name}/{name}" in did(client.hf("buckets", "ls", "--quiet"))
    (tmp_path / "a.txt").write_text("hello")
    did(client.hf("buckets", "cp", tmp_path / "a.txt", f"hf://buckets/{user.name}/{name}/in/b.txt"))
    did(client.hf("buckets", "cp", f"hf://buckets/{user.name}/{name}/in/b.txt", tmp_path / "c.txt"))
    assert (tmp_path / "c.txt").read_text() == "hello"
    assert did(client.hf("buckets", "cp", f"hf://buckets/{user.name}/{name}/in/b.txt", "-")) == "hello"
    assert "in/b.txt" in did(client.hf("buckets", "ls", f"{user.name}/{name}", "-R"))
    assert "in/" in did(client.hf("buckets", "ls", f"{user.name}/{name}"))
    moved = f"{user.name}/{name}-moved"
    did(client.hf("buckets", "move", f"{user.name}/{name}", moved))
    assert "b.txt" in did(client.hf("buckets", "ls", f"{moved}/in"))
    did(client.hf("buckets", "rm", f"{moved}/in/b.txt", "--yes"))
    assert client.hf("buckets", "rm", f"{moved}/in/b.txt", "--yes").returncode != 0
    did(client.hf("buckets", "delete", moved, "--yes"))
    gone = client.hf("buckets", "info", moved)
    assert gone.returncode != 0
    assert "not found" in gone.stdout + gone.stderr
    did(client.hf("buckets", "delete", moved, "--yes", "--missing-ok"))


FILESYSTEM = (
    API
    + """
fs = HfFileSystem()
root = "hf://buckets/" + args["bucket"]
with fs.open(root + "/data/a.bin", "wb") as file:
    file.write(bytes(range(256)) * 20000)
with fs.open(root + "/data/deep/b.txt", "w") as file:
    file.write("text")
fs.pipe(root + "/top.txt", b"top")
found = {}
found["ls"] = sorted(fs.ls(root, detail=False))
found["find"] = sorted(fs.find(root))
found["glob"] = sorted(fs.glob(root + "/**/*.txt"))
found["isdir"] = [fs.isdir(root + "/data"), fs.isdir(root + "/top.txt"), fs.exists(root + "/dat")]
found["size"] = fs.info(root + "/data/a.bin")["size"]
with fs.open(root + "/data/a.bin", "rb") as file:
    file.seek(1_000_000)
    found["middle"] = file.read(256) == bytes(range(256))[64:] + bytes(range(256))[:64]
found["whole"] = fs.cat(root + "/data/a.bin") == bytes(range(256)) * 20000
fs.get(root + "/data", args["folder"], recursive=True)
if args["copies"]:
    fs.cp(root + "/data/a.bin", root + "/copy.bin")
    fs.mv(root + "/top.txt", root + "/moved.txt")
else:
    fs.pipe(root + "/copy.bin", fs.cat(root + "/data/a.bin"))
    fs.pipe(root + "/moved.txt", fs.cat(root + "/top.txt"))
    fs.rm(root + "/top.txt")
fs.rm(root + "/data", recursive=True)
found["left"] = sorted(fs.find(root, refresh=True))
found["copied"] = fs.cat(root + "/copy.bin") == bytes(range(256)) * 20000
try:
    fs.ls(root + "/absent")
except FileNotFoundError:
    found["absent"] = True
result = found
"""
)


@pytest.mark.matrix
def test_files_are_used_as_those_of_a_disk(client: Client, bucket: str, tmp_path: Path) -> None:
    copies = client.name == "current"  # the older one's file system copies nothing into a bucket
    found = client.call(FILESYSTEM, bucket=bucket, folder=tmp_path / "got", copies=copies)
    root = f"buckets/{bucket}"
    assert found == {
        "ls": [f"{root}/data", f"{root}/top.txt"],
        "find": [f"{root}/data/a.bin", f"{root}/data/deep/b.txt", f"{root}/top.txt"],
        "glob": [f"{root}/data/deep/b.txt", f"{root}/top.txt"],
        "isdir": [True, False, False], "size": 256 * 20000, "middle": True, "whole": True,
        "left": [f"{root}/copy.bin", f"{root}/moved.txt"], "copied": True, "absent": True,
    }  # fmt: skip
    got = {path.name: path.read_bytes() for path in (tmp_path / "got").rglob("*") if path.is_file()}
    assert same(got, {"a.bin": bytes(range(256)) * 20000, "b.txt": b"text"})


COPY = (
    API
    + """
api.create_repo(args["repo"], private=True)
api.upload_file(path_or_fileobj=args["file"], path_in_repo="w.safetensors", repo_id=args["repo"])
api.upload_file(path_or_fileobj=b"# Card", path_in_repo="README.md", repo_id=args["repo"])
api.copy_files("hf://" + args["repo"] + "/", "hf://buckets/" + args["bucket"] + "/from/")
api.copy_files("hf://buckets/" + args["bucket"] + "/from", "hf://buckets/" + args["other"] + "/again/")
api.delete_repo(args["repo"])
entries = api.list_bucket_tree(args["other"], recursive=True)
result = sorted((e.path, e.size) for e in entries if not e.path.endswith(".gitattributes"))
api.download_bucket_files(args["other"], [("again/w.safetensors", args["down"])])
"""
)


@pytest.mark.matrix
def test_files_of_a_repository_are_copied_by_their_hash_and_outlive_it(
    client: Client, server: Hub, user: User, bucket: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    other, data = f"{user.name}/{unique('other')}", noise(5 * MEGABYTE, bucket)
    Box(server, user.token, other).ask("POST", "", json={})
    (tmp_path / "w").write_bytes(data)
    found = client.call(
        COPY, repo=f"{user.name}/{unique('source')}", bucket=bucket, other=other, file=tmp_path / "w",
        down=tmp_path / "down",
    )  # fmt: skip
    assert found == [["again/README.md", 6], ["again/w.safetensors", len(data)]]
    assert same({"w": (tmp_path / "down").read_bytes()}, {"w": data})


JOBS = (
    API
    + """
inputs = api.sync_job_volume(args["inputs"], "/in")
outputs = api.sync_job_volume(args["outputs"], "/out", remote_name="results", read_only=False)
files = sorted(entry.path for entry in api.list_bucket_tree(inputs.source, recursive=True))
result = [inputs.source, api.bucket_info(inputs.source).private, outputs.path, files]
"""
)


def test_jobs_bring_their_files_in_a_bucket_of_their_own(newest: Client, user: User, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "a.csv").write_text("1,2")
    source, is_private, out, files = newest.call(JOBS, inputs=tmp_path / "in", outputs=tmp_path / "out")
    assert (source, is_private, out) == (f"{user.name}/jobs-artifacts", True, "results")
    assert [name.split("/", 1)[1] for name in files] == ["a.csv", ".keep"]


@pytest.mark.matrix
def test_private_bucket_is_missing_for_all_others(
    client: Client, server: Hub, user: User, bucket: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("secret")
    did(client.hf("buckets", "cp", tmp_path / "a", f"hf://buckets/{bucket}/a"))
    name = client.call(API + "result = next(api.list_bucket_tree(args['bucket'])).xet_hash", bucket=bucket)
    did(client.hf("buckets", "settings", bucket, "--private")) if client.name == "current" else Box(
        server, user.token, bucket
    ).ask("PUT", "/settings", json={"private": True})
    stranger = client.signed_in(server.user(unique("stranger")).token)
    mine = f"{stranger.call(API + 'result = api.whoami()[`name`]'.replace('`', chr(34)))}/mine"
    stranger.call(API + "api.create_bucket(args['mine'])", mine=mine)
    for who in (stranger, client.signed_in(None)):
        for call in (
            "list(api.list_bucket_tree(args['bucket']))",
            "api.bucket_info(args['bucket'])",
            "api.get_bucket_file_metadata(args['bucket'], 'a')",
            "api.batch_bucket_files(args['bucket'], delete=['a'])",
            "api.delete_bucket(args['bucket'])",
        ):
            with pytest.raises(ClientFailed) as refused:
                who.call(API + call, bucket=bucket)
            assert refused.value.code == "RepoNotFound"
            if "/resolve/" not in refused.value.message:
                assert "BucketNotFoundError" in refused.value.kinds
    copy = "api.batch_bucket_files(args['mine'], copy=[('bucket', args['bucket'], args['hash'], 'stolen')])"
    for call in (copy, copy.replace("args['bucket'], args", "args['mine'], args")):
        with pytest.raises(ClientFailed):
            stranger.call(API + call, mine=mine, bucket=bucket, hash=name)
    assert stranger.call(API + LIST, bucket=mine) == []
    assert client.call(API + LIST, bucket=bucket) == ["a"]


FOLLOW = (
    API
    + """
import time
fs = HfFileSystem(live_follow=True)
root = "buckets/" + args["bucket"]
seen = [sorted(fs.ls(root, detail=False))]
from huggingface_hub._bucket_live_follow import BUCKET_FOLLOWERS
follower = next(iter(BUCKET_FOLLOWERS.values()))[0]
deadline = time.time() + 30
while not follower.subscribed and time.time() < deadline:
    time.sleep(0.05)
other = HfFileSystem(skip_instance_cache=True)
for step in (lambda: other.pipe(root + "/new.txt", b"1"), lambda: other.rm(root + "/old.txt")):
    before = time.time()
    step()
    wanted = sorted(other.ls(root, detail=False, refresh=True))
    while sorted(fs.ls(root, detail=False)) != wanted and time.time() < before + 30:
        time.sleep(0.05)
    seen.append(sorted(fs.ls(root, detail=False)))
result = seen
"""
)


def test_listing_that_is_kept_follows_what_others_do(newest: Client, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    did(newest.hf("buckets", "cp", tmp_path / "a", f"hf://buckets/{bucket}/old.txt"))
    old, new = f"buckets/{bucket}/old.txt", f"buckets/{bucket}/new.txt"
    assert newest.call(FOLLOW, bucket=bucket) == [[old], [new, old], [new]]


def test_second_bucket_costs_no_second_sending(
    newest: Client, server: Hub, user: User, bucket: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    data = noise(6 * MEGABYTE, bucket)
    (tmp_path / "one").write_bytes(data)
    did(newest.hf("buckets", "cp", tmp_path / "one", f"hf://buckets/{bucket}/one"))
    other = f"{user.name}/{unique('other')}"
    Box(server, user.token, other).ask("POST", "", json={})
    stored = sum(
        path.stat().st_size for path in server.data.rglob("*") if "xorb" in str(path) and path.is_file()
    )
    did(newest.hf("buckets", "cp", f"hf://buckets/{bucket}/one", f"hf://buckets/{other}/two"))
    after = sum(
        path.stat().st_size for path in server.data.rglob("*") if "xorb" in str(path) and path.is_file()
    )
    assert after == stored >= len(data)
    (tmp_path / "one").unlink()
    did(newest.hf("buckets", "cp", f"hf://buckets/{other}/two", tmp_path / "two"))
    assert same({"": (tmp_path / "two").read_bytes()}, {"": data})
