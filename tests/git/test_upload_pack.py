"""Clones and fetches of the real git through our upload-pack, over a small asynchronous HTTP server of the test's."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hutch.git import check, ls_refs, pktline, process, refs, repository, upload_pack
from hutch.git.commits import Put
from hutch.git.errors import GitFailed, GitTimeout
from tests.git.conftest import Committer, Git


async def _connection(bare: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = [line.partition(":") for line in head[1:] if line]
            headers = {key.lower(): value.strip() for key, _, value in fields}
            protocol = headers.get("git-protocol")
            if head[0].startswith("GET"):
                answer = await upload_pack.advertise(bare, protocol)
            else:
                body = await _body(reader, headers)
                answer = b"".join([piece async for piece in upload_pack.serve(bare, _once(body), protocol)])
            kind = "advertisement" if head[0].startswith("GET") else "result"
            writer.write(
                f"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-{kind}\r\n"
                f"Content-Length: {len(answer)}\r\n\r\n".encode()
            )
            writer.write(answer)
            await writer.drain()
    writer.close()


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    else:
        body = await reader.readexactly(int(headers["content-length"]))
    return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


@pytest.fixture
def remote(bare: Path) -> Iterator[str]:
    """The address of a running server for `bare`."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> asyncio.Server:
        return await asyncio.start_server(lambda r, w: _connection(bare, r, w), "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/repo.git"

    async def stop() -> None:
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_clone_and_fetch_by_each_protocol(
    bare: Path, put: Committer, remote: str, git: Git, tmp_path: Path, version: str
) -> None:
    for number in range(30):
        first = put(Put(f"f{number}/x", os.urandom(2000)))
    git(bare, "update-ref", "refs/pr/1", first)
    git(tmp_path, "-c", f"protocol.version={version}", "clone", "-q", remote, "work")
    work = tmp_path / "work"
    assert git(work, "rev-parse", "HEAD").decode().strip() == first
    second = put(Put("new", b"new"))
    git(work, "-c", f"protocol.version={version}", "pull", "-q")
    assert git(work, "rev-parse", "HEAD").decode().strip() == second
    git(work, "fetch", "-q", "origin", "refs/pr/1")
    git(work, "fsck", "--full")


def test_shallow_and_partial_clones(
    bare: Path, put: Committer, remote: str, git: Git, tmp_path: Path
) -> None:
    put(Put("old", os.urandom(100_000)))
    put(Put("old", b"small now"), Put("big", os.urandom(100_000)))
    git(tmp_path, "clone", "-q", "--depth=1", remote, "shallow")
    assert git(tmp_path / "shallow", "rev-list", "--count", "HEAD") == b"1\n"
    git(tmp_path / "shallow", "fetch", "-q", "--unshallow")
    assert git(tmp_path / "shallow", "rev-list", "--count", "HEAD") == b"2\n"
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", remote, "partial")
    missing = git(tmp_path / "partial", "rev-list", "--objects", "--all", "--missing=print").decode()
    assert sum(line.startswith("?") for line in missing.splitlines()) == 3
    git(tmp_path / "partial", "checkout", "-q", "main")


def test_an_empty_repository_can_be_cloned(bare: Path, remote: str, git: Git, tmp_path: Path) -> None:
    repository.set_default_branch(bare, "trunk")
    git(tmp_path, "clone", "-q", remote, "work")
    assert git(tmp_path / "work", "symbolic-ref", "HEAD") == b"refs/heads/trunk\n"


def test_any_commit_can_be_fetched_by_its_hash(
    bare: Path, put: Committer, remote: str, git: Git, tmp_path: Path
) -> None:
    first = put(Put("a", b"1"))
    put(Put("a", b"2"))
    git(tmp_path, "init", "-q", "work")
    git(tmp_path / "work", "fetch", "-q", "--depth=1", remote, first)
    assert git(tmp_path / "work", "show", "FETCH_HEAD:a") == b"1"


def _want(oid: str) -> bytes:
    return (
        pktline.line(f"want {oid} side-band-64k ofs-delta\n".encode())
        + pktline.FLUSH
        + pktline.line(b"done\n")
    )


def _children(bare: Path) -> list[str]:
    found = []
    for child in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (child / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            environment = (child / "environ").read_bytes()
            if str(bare) in command or str(bare).encode() in environment:
                found.append(command)
    return found


def _large(bare: Path, put: Committer) -> str:
    return put(*(Put(f"{number}", os.urandom(1 << 20)) for number in range(12)))


def test_a_client_that_goes_away_ends_git_at_once(bare: Path, put: Committer) -> None:
    head = _large(bare, put)

    async def walk() -> None:
        answer = upload_pack.serve(bare, _once(_want(head)))
        await anext(answer)
        assert _children(bare)
        await answer.aclose()
        assert _children(bare) == []

    asyncio.run(walk())


def test_a_cancelled_clone_ends_git_at_once(bare: Path, put: Committer) -> None:
    head = _large(bare, put)

    async def walk() -> None:
        began = asyncio.Event()

        async def consume() -> None:
            async for _ in upload_pack.serve(bare, _once(_want(head))):
                began.set()
                await asyncio.sleep(3600)

        task = asyncio.create_task(consume())
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.get_running_loop().shutdown_asyncgens()
        assert _children(bare) == []

    asyncio.run(walk())


def test_a_clone_that_takes_too_long_is_ended(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))

    async def never() -> AsyncIterator[bytes]:
        await asyncio.sleep(3600)
        yield b""

    async def walk() -> None:
        with pytest.raises(GitTimeout):
            [piece async for piece in upload_pack.serve(bare, never(), timeout_s=0.3)]
        assert _children(bare) == []

    asyncio.run(walk())


@pytest.mark.parametrize("body", [b"rubbish", b"", b"0032want " + b"0" * 40 + b"\n00000009done\n"])
def test_a_request_that_makes_no_sense_fails_and_ends(bare: Path, put: Committer, body: bytes) -> None:
    put(Put("a", b"1"))

    async def walk() -> bytes:
        return b"".join([piece async for piece in upload_pack.serve(bare, _once(body))])

    try:
        answer = asyncio.run(walk())
    except GitFailed:
        answer = b""
    assert b"PACK" not in answer
    assert _children(bare) == []


def test_a_request_that_breaks_off_passes_its_error_on(bare: Path, put: Committer) -> None:
    put(Put("a", b"1"))

    async def broken() -> AsyncIterator[bytes]:
        yield b"00"
        raise ConnectionAbortedError("client left")

    async def walk() -> None:
        with pytest.raises((ConnectionAbortedError, GitFailed)):
            [piece async for piece in upload_pack.serve(bare, broken())]

    asyncio.run(walk())
    assert _children(bare) == []


def test_a_protocol_header_of_rubbish_is_ignored(bare: Path, put: Committer) -> None:
    head = put(Put("a", b"1"))
    for header in (None, "version=9", "version=2\nX=1", "x" * 10_000):
        assert head.encode() in asyncio.run(upload_pack.advertise(bare, header))
    assert b"version 2" in asyncio.run(upload_pack.advertise(bare, "version=2"))


def test_a_missing_repository_fails(tmp_path: Path) -> None:
    with pytest.raises(GitFailed):
        asyncio.run(upload_pack.advertise(tmp_path / "missing.git"))


def test_refs_that_move_during_clones_never_break_them(
    bare: Path, put: Committer, remote: str, git: Git, tmp_path: Path
) -> None:
    put(Put("a", b"0"))
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            put(Put("a", b"%d" % number))
            number += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for number in range(4):
            git(tmp_path, "clone", "-q", remote, f"work{number}")
    finally:
        stop.set()
        thread.join()
    assert check.fsck(bare) == []
    assert refs.read_ref(repository.open(bare), "refs/heads/main")


REQUESTS = {
    "everything": [],
    "as clone asks": [
        b"peel\n",
        b"symrefs\n",
        b"unborn\n",
        b"ref-prefix HEAD\n",
        b"ref-prefix refs/heads/\n",
    ],
    "tags": [b"peel", b"ref-prefix refs/tags/"],
    "no newline": [b"symrefs", b"unborn"],
    "part of a name": [b"ref-prefix refs/heads/m", b"ref-prefix H"],
    "nothing there": [b"ref-prefix refs/nope/"],
    "hidden": [b"ref-prefix refs/hutch/"],
}


def _ls_refs(arguments: list[bytes]) -> bytes:
    head = [b"command=ls-refs\n", b"agent=git/2.39.5", b"object-format=sha1"]
    return (
        b"".join(map(pktline.line, head)) + b"0001" + b"".join(map(pktline.line, arguments)) + pktline.FLUSH
    )


@pytest.mark.parametrize("arguments", REQUESTS.values(), ids=REQUESTS.keys())
@pytest.mark.parametrize("filled", [True, False])
def test_ls_refs_answers_byte_for_byte_as_git(
    bare: Path, put: Committer, git: Git, arguments: list[bytes], filled: bool
) -> None:
    if filled:
        commit = put(Put("a", b"1"))
        put(Put("b", b"1"), branch="ünï/x")
        for number in range(5):
            git(bare, "tag", f"v{number}", commit)
            git(bare, "tag", "-a", f"w{number}", "-m", "annotated", commit)
        git(bare, "tag", "-a", "nested", "-m", "tag of a tag", "w1")
        git(bare, "pack-refs", "--all")
        for name in ("refs/pr/1", "refs/convert/parquet", "refs/notes/x", "refs/hutch/secret"):
            git(bare, "update-ref", name, commit)
    body = _ls_refs(arguments)
    args = ["upload-pack", "--stateless-rpc", str(bare)]
    expected = process.run(bare, args, stdin=body, extra_environment={"GIT_PROTOCOL": "version=2"})

    async def ours() -> bytes:
        return b"".join([piece async for piece in upload_pack.serve(bare, _once(body), "version=2")])

    assert ls_refs.parse_request(body) is not None
    assert asyncio.run(ours()) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"0000",
        _ls_refs([])[:-4],
        _ls_refs([]) + b"x",
        _ls_refs([b"unknown-argument"]),
        _ls_refs([]).replace(b"command=ls-refs", b"command=no-refs"),
        _ls_refs([]).replace(b"=sha1", b"=shaX"),
        b"00zz",
        b"0003",
        pktline.line(b"command=ls-refs") + pktline.FLUSH,
    ],
)
def test_what_is_no_plain_ls_refs_is_left_to_git(body: bytes) -> None:
    assert ls_refs.parse_request(body) is None
