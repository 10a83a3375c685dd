"""Storage buckets by the unmodified clients: `hf buckets`, HfApi, and files by `hf://buckets/...`."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.clients import NAMES, Client, ClientFailed, python_of
from tests.acceptance.hub import Hub, User

MEGABYTE = 1 << 20
# Older clients know no buckets; these do.
KNOWING = [name for name in NAMES if name in ("current", "hub-1.10")] or ["current"]
LIST = "result = sorted(e.path for e in HfApi().list_bucket_tree(args['bucket'], recursive=True))"
API = "from huggingface_hub import HfApi, HfFileSystem\napi = HfApi()\n"


@pytest.fixture(params=KNOWING)
def client(request: pytest.FixtureRequest, server: Hub, user: User, tmp_path: Path) -> Client:
    """A client of each version that knows buckets, signed in to `server` as `user`."""
    home = tmp_path / "client"
    home.mkdir()
    more = {"HF_XET_CACHE": str(home / "xet")}
    return Client(request.param, python_of(request.param), home, server.url, user.token, more)


@pytest.fixture
def newest(server: Hub, user: User, tmp_path: Path) -> Client:
    """The current version alone."""
    home = tmp_path / "newest"
    home.mkdir()
    return Client("current", python_of("current"), home, server.url, user.token)


@pytest.fixture
def bucket(server: Hub, user: User, unique: Callable[[str], str]) -> str:
    """An empty public bucket of `user`."""
    name = f"{user.name}/{unique('box')}"
    Box(server, user.token, name).ask("POST", "", json={})
    return name


@dataclass(frozen=True)
class Box:
    """A bucket as plain HTTP sees it."""

    server: Hub
    token: str
    name: str

    def ask(self, method: str, path: str = "", status: int = 200, **more: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        found = httpx.request(
            method, f"{self.server.url}/api/buckets/{self.name}{path}", headers=headers, timeout=60, **more
        )
        assert found.status_code == status, f"{found.status_code} {found.text[:500]}"
        return found


@pytest.fixture
def box(server: Hub, user: User, bucket: str) -> Box:
    return Box(server, user.token, bucket)


def noise(size: int, seed: str) -> bytes:
    return random.Random(seed).randbytes(size)


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


def did(done: Any) -> str:
    """The output of a command that must have succeeded."""
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


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


def add(path: str, hash_: str = "0" * 64, **more: Any) -> dict[str, Any]:
    """A line that adds a file; without bytes, if no hash is named."""
    return {"type": "addFile", "path": path, "xetHash": hash_, **more}


def ndjson(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


@dataclass
class Stream:
    """A stream of changes, read event by event."""

    lines: Any

    def next(self) -> tuple[str, Any]:
        name = ""
        for line in self.lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
        raise EOFError


def following(box: Box, **params: str) -> Any:
    return httpx.stream(
        "GET", f"{box.server.url}/api/buckets/{box.name}/events", params=params,
        headers={"Authorization": f"Bearer {box.token}"} if box.token else {}, timeout=40,
    )  # fmt: skip


def changed(event: tuple[str, Any]) -> list[tuple[str, str]]:
    assert event[0] == "changes"
    return [(change["op"], change["path"]) for change in event[1]["changes"]]


def test_stream_tells_each_change_once_over_all_its_sessions(box: Box) -> None:
    with following(box) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        stream = Stream(answer.iter_lines())
        name, ready = stream.next()
        assert name == "ready"
        box.ask("POST", "/batch", content=ndjson(add("a"), add("b/c")))
        first = stream.next()
        assert changed(first) == [("add", "a"), ("add", "b/c")]
    box.ask("POST", "/batch", content=ndjson(add("a"), {"type": "deleteFile", "path": "b/c"}))
    with following(box, cursor=first[1]["cursor"]) as answer:
        stream = Stream(answer.iter_lines())
        second = stream.next()
        assert changed(second) == [("update", "a"), ("delete", "b/c")]
        assert stream.next() == ("ready", {"cursor": second[1]["cursor"]})
    with following(box, cursor=ready["cursor"]) as answer:
        stream = Stream(answer.iter_lines())
        assert [changed(stream.next()) for _ in range(2)] == [changed(first), changed(second)]
    updated = box.ask("GET").json()["updatedAt"]
    with following(box, since=updated) as answer:
        assert changed(Stream(answer.iter_lines()).next()) == changed(second)
    assert following_status(box, cursor="forged") == following_status(box, since="noon") == 400


def following_status(box: Box, **params: str) -> int:
    with following(box, **params) as answer:
        return int(answer.status_code)


def test_stream_ends_when_the_right_to_it_ends(box: Box, server: Hub, unique: Callable[[str], str]) -> None:
    stranger = Box(server, server.user(unique("follower")).token, box.name)
    with following(stranger) as answer:
        stream = Stream(answer.iter_lines())
        assert stream.next()[0] == "ready"
        box.ask("PUT", "/settings", json={"private": True})
        box.ask("POST", "/batch", content=ndjson(add("secret")))
        with pytest.raises(EOFError):
            stream.next()
    assert following_status(stranger) == 404
    assert following_status(Box(server, "", box.name)) == 401


def test_server_that_stops_sends_followers_on_and_stops_at_once(fresh_server: Hub) -> None:
    user = fresh_server.user("ann")
    box = Box(fresh_server, user.token, "ann/box")
    box.ask("POST", "", json={})
    with following(box) as answer:
        stream = Stream(answer.iter_lines())
        name, ready = stream.next()
        assert name == "ready"
        assert fresh_server.stop() == 0
        assert stream.next() == ("reconnect", ready)
    fresh_server.start()
    box.ask("POST", "/batch", content=ndjson(add("a")))
    with following(box, cursor=ready["cursor"]) as answer:
        assert changed(Stream(answer.iter_lines()).next()) == [("add", "a")]


def test_concurrent_batches_all_count(box: Box) -> None:
    def batch(number: int) -> None:
        paths = [f"{number % 3}/{number}-{part}" for part in range(20)]
        box.ask("POST", "/batch", content=ndjson(*(add(path) for path in paths)))
        box.ask(
            "POST", "/batch", content=ndjson(*({"type": "deleteFile", "path": path} for path in paths[::2]))
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(batch, range(24)))
    assert box.ask("GET").json()["totalFiles"] == 240
    listed = box.ask("GET", "/tree").json()
    assert len(listed) == 240
    assert [entry["path"] for entry in listed] == sorted(entry["path"] for entry in listed)
    flat = box.ask("GET", "/tree", params={"recursive": "false"}).json()
    assert [entry["path"] for entry in flat] == ["0", "1", "2"]
    checked = box.server.run("fsck", "--json")
    problems = json.loads(checked.stdout)["problems"]
    assert [each for each in problems if box.name in each["repository"]] == []


def test_refusals_are_clear_and_change_nothing(box: Box, newest: Client) -> None:
    box.ask("POST", "/batch", content=ndjson(add("kept")))
    broken = box.ask("POST", "/batch", 400, content=ndjson(add("new")) + b"\n{").json()
    assert (broken["code"], broken["line"]) == ("InvalidBatch", 2)
    unknown = box.ask("POST", "/batch", 422, content=ndjson(add("new", "ab" * 32), add("../x"))).json()
    assert [each["path"] for each in unknown["failed"]] == ["new", "../x"]
    with pytest.raises(ClientFailed) as refused:
        newest.call(
            API + "api.batch_bucket_files(args['bucket'], delete=['absent', 'gone'])", bucket=box.name
        )
    assert refused.value.kind == "BucketBatchError"
    assert "absent: There is no file of this name" in refused.value.message
    with pytest.raises(ClientFailed) as missing:
        newest.call(API + "api.get_bucket_file_metadata(args['bucket'], 'absent')", bucket=box.name)
    assert (missing.value.status, missing.value.code) == (404, "EntryNotFound")
    assert [entry["path"] for entry in box.ask("GET", "/tree").json()] == ["kept"]


def test_file_is_read_in_ranges_and_says_how_to_fetch_it_by_chunks(
    newest: Client, server: Hub, box: Box, tmp_path: Path
) -> None:
    data = noise(3 * MEGABYTE, box.name)
    (tmp_path / "page.html").write_bytes(data)
    did(newest.hf("buckets", "cp", tmp_path / "page.html", f"hf://buckets/{box.name}/a b/page.html"))
    address = f"{server.url}/buckets/{box.name}/resolve/a%20b/page.html"
    head = httpx.head(address)
    (entry,) = box.ask("GET", "/tree").json()
    assert head.headers["x-linked-size"] == head.headers["content-length"] == str(len(data))
    assert head.headers["x-xet-hash"] == entry["xetHash"]
    assert f'<{server.url}/api/buckets/{box.name}/xet-read-token>; rel="xet-auth"' in head.headers["link"]
    assert head.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in head.headers["content-security-policy"]
    assert httpx.get(address).content == data
    assert httpx.get(address.replace("a%20b/", "a%20b%2F")).content == data
    part = httpx.get(address, headers={"Range": "bytes=1000000-2099999"})
    assert (part.status_code, part.content == data[1_000_000:2_100_000]) == (206, True)
    assert httpx.get(address, headers={"If-None-Match": head.headers["etag"]}).status_code == 304
    asked = httpx.get(
        address, headers={"Accept": "application/vnd.xet-fileinfo+json, */*", "Range": "bytes=0-0"}
    )
    assert asked.headers["content-type"] == "application/vnd.xet-fileinfo+json"
    assert asked.headers["x-linked-size"] == str(len(data))
    assert "attachment" in httpx.head(f"{address}?download=true").headers["content-disposition"]


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
    os.remove(tmp_path / "one")
    did(newest.hf("buckets", "cp", f"hf://buckets/{other}/two", tmp_path / "two"))
    assert same({"": (tmp_path / "two").read_bytes()}, {"": data})
