"""Pushes of the real git through our own receive-pack, over a small HTTP server of the test's own."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hutch.core.errors import HutchError
from hutch.git import check, locks, pktline, pointers, process, receive, refs, repository
from hutch.git.errors import InvalidPack, PackTooLarge
from hutch.git.receive import Command, Push, Quarantine, Result
from tests.git.conftest import Git

Accept = Callable[[Path, io.BytesIO], bytes]


def accept(path: Path, body: io.BytesIO, *, max_bytes: int | None = None) -> bytes:
    """What the repos room does with a push, without its rules."""
    push = receive.parse_commands(body)
    try:
        with Quarantine(path) as quarantine:
            if push.has_pack:
                quarantine.unpack(body, max_bytes=max_bytes)
                quarantine.check_connectivity(push.new_oids)
                quarantine.migrate()
    except HutchError as refused:
        return receive.report(push, [], unpack_error=refused.message)
    results = []
    for command in push.commands:
        try:
            refs.update(path, [refs.RefUpdate(command.name, command.old, command.new)])
            results.append(Result(command.name))
        except HutchError as refused:
            results.append(Result(command.name, refused.message))
    return receive.report(push, results, message="Welcome to Hutch")


class _Handler(BaseHTTPRequestHandler):
    path_on_disk: Path
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(receive.advertise(self.path_on_disk), "advertisement")

    def do_POST(self) -> None:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self._answer(accept(self.path_on_disk, io.BytesIO(body)), "result")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/x-git-receive-pack-{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def remote(bare: Path) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"path_on_disk": bare})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/repo.git"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def work(tmp_path: Path, git: Git) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "README.md").write_text("hello\n")
    (folder / "data").mkdir()
    for number in range(20):
        (folder / "data" / f"{number}.txt").write_text(f"{number}\n" * 50)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def _head(git: Git, work: Path) -> str:
    return git(work, "rev-parse", "HEAD").decode().strip()


def _read(bare: Path, name: str) -> str | None:
    return refs.read_ref(repository.open(bare), name)


def test_pushed_commits_come_back_in_a_clone(
    bare: Path, remote: str, work: Path, git: Git, tmp_path: Path
) -> None:
    git(work, "push", "-q", remote, "main")
    (work / "README.md").write_text("hello again\n")
    git(work, "commit", "-qam", "second")
    git(work, "tag", "-a", "v1", "-m", "one")
    git(work, "push", "-q", remote, "main", "v1", "main:refs/pr/1")
    git(tmp_path, "clone", "-q", str(bare), "again")
    assert (tmp_path / "again" / "README.md").read_text() == "hello again\n"
    assert _head(git, tmp_path / "again") == _head(git, work)
    assert _read(bare, "refs/pr/1") == _head(git, work)
    assert refs.resolve(repository.open(bare), "v1").commit == _head(git, work)
    assert check.fsck(bare) == []


def test_user_sees_the_servers_words(bare: Path, remote: str, work: Path, git: Git) -> None:
    git(work, "push", "-q", remote, "main:refs/heads/other")
    done = subprocess.run(
        [process.git_binary(), "-C", str(work), "push", remote, "main"],
        capture_output=True,
        env=process.environment(),
        timeout=60,
        check=True,
    )
    assert b"remote: Welcome to Hutch" in done.stderr


def test_branch_is_deleted_by_a_push_without_pack(bare: Path, remote: str, work: Path, git: Git) -> None:
    git(work, "push", "-q", remote, "main", "main:gone")
    git(work, "push", "-q", remote, ":gone")
    assert _read(bare, "refs/heads/gone") is None
    assert _read(bare, "refs/heads/main") == _head(git, work)


def test_push_from_a_shallow_clone_lands(
    bare: Path, remote: str, work: Path, git: Git, tmp_path: Path
) -> None:
    for number in range(3):
        git(work, "commit", "-q", "--allow-empty", "-m", f"{number}")
    git(work, "push", "-q", remote, "main")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{bare}", "shallow")
    (tmp_path / "shallow" / "new.txt").write_text("new")
    git(tmp_path / "shallow", "add", ".")
    git(tmp_path / "shallow", "commit", "-qm", "from a shallow clone")
    git(tmp_path / "shallow", "push", "-q", remote, "main")
    assert _read(bare, "refs/heads/main") == _head(git, tmp_path / "shallow")
    assert check.fsck(bare) == []


def _pack(git: Git, work: Path, *tips: str) -> bytes:
    revisions = "".join(f"{tip}\n" for tip in tips).encode()
    return git(work, "pack-objects", "--revs", "--stdout", "-q", stdin=revisions)


def _body(*commands: tuple[str | None, str | None, str], pack: bytes = b"") -> io.BytesIO:
    capabilities = b"report-status side-band-64k"
    lines = [f"{old or receive.ZERO} {new or receive.ZERO} {name}".encode() for old, new, name in commands]
    packets = [pktline.line(lines[0] + b"\0" + capabilities), *(pktline.line(line) for line in lines[1:])]
    return io.BytesIO(b"".join(packets) + pktline.FLUSH + pack)


def _files(path: Path) -> set[str]:
    return {
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if name != locks.LOCK_NAME
    }


@pytest.mark.parametrize("kept", [0, 3, 11, 40, 200, -21, -1])
def test_a_pack_cut_off_anywhere_leaves_the_repository_untouched(
    bare: Path, work: Path, git: Git, kept: int
) -> None:
    head = _head(git, work)
    pack = _pack(git, work, head)
    before = _files(bare)
    answer = accept(bare, _body((None, head, "refs/heads/main"), pack=pack[:kept]))
    assert b"unpack The pack was refused" in answer
    assert b"ng refs/heads/main" in answer
    assert _files(bare) == before


def test_a_pack_with_a_flipped_byte_is_refused_at_every_place(bare: Path, work: Path, git: Git) -> None:
    head = _head(git, work)
    pack = _pack(git, work, head)
    before = _files(bare)
    for at in range(0, len(pack), max(1, len(pack) // 25)):
        broken = pack[:at] + bytes([pack[at] ^ 0x41]) + pack[at + 1 :]
        with pytest.raises(InvalidPack), Quarantine(bare) as quarantine:
            quarantine.unpack(io.BytesIO(broken))
    assert _files(bare) == before


def test_a_pack_that_lacks_a_reachable_object_is_refused(bare: Path, work: Path, git: Git) -> None:
    head = _head(git, work)
    commit_only = git(work, "pack-objects", "--stdout", "-q", stdin=f"{head}\n".encode())
    before = _files(bare)
    answer = accept(bare, _body((None, head, "refs/heads/main"), pack=commit_only))
    assert b"ng refs/heads/main" in answer
    assert _files(bare) == before


def test_a_tip_that_is_not_in_the_pack_is_refused(bare: Path, work: Path, git: Git) -> None:
    pack = _pack(git, work, _head(git, work))
    before = _files(bare)
    answer = accept(bare, _body((None, "ab" * 20, "refs/heads/main"), pack=pack))
    assert b"unpack The push is incomplete" in answer
    assert _files(bare) == before
    assert _read(bare, "refs/heads/main") is None


def test_a_pack_above_the_limit_is_refused(bare: Path, work: Path, git: Git) -> None:
    (work / "big").write_bytes(os.urandom(300_000))
    git(work, "add", ".")
    git(work, "commit", "-qm", "big")
    pack = _pack(git, work, _head(git, work))
    before = _files(bare)
    with pytest.raises(PackTooLarge) as refused, Quarantine(bare) as quarantine:
        quarantine.unpack(io.BytesIO(pack), max_bytes=100_000)
    assert refused.value.limit == 100_000
    assert _files(bare) == before


@pytest.mark.parametrize("name", [b".git", b"..", b".GIT", b"a/b", b"git~1"])
def test_a_tree_with_a_dangerous_name_is_refused(bare: Path, work: Path, git: Git, name: bytes) -> None:
    blob = git(work, "hash-object", "-w", "--stdin", stdin=b"x").strip()
    raw = b"100644 " + name + b"\0" + bytes.fromhex(blob.decode())
    tree = git(work, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=raw).decode().strip()
    commit = git(work, "commit-tree", tree, "-m", "evil").decode().strip()
    listed = f"{blob.decode()}\n{tree}\n{commit}\n".encode()
    pack = git(work, "pack-objects", "--stdout", "-q", stdin=listed)
    with pytest.raises(InvalidPack), Quarantine(bare) as quarantine:
        quarantine.unpack(io.BytesIO(pack))


def test_new_pointers_and_files_are_known_before_the_push_lands(
    bare: Path, remote: str, work: Path, git: Git
) -> None:
    git(work, "push", "-q", remote, "main")
    first = _head(git, work)
    pointer = pointers.Pointer("ab" * 32, 12345)
    (work / "big.bin").write_bytes(pointers.render(pointer))
    (work / "small.txt").write_text("small")
    (work / "large.txt").write_text("x" * 5000)
    git(work, "add", ".")
    git(work, "commit", "-qm", "second")
    head = _head(git, work)
    body = _body((first, head, "refs/heads/main"), pack=_pack(git, work, head, f"^{first}"))
    push = receive.parse_commands(body)
    with Quarantine(bare) as quarantine:
        quarantine.unpack(body)
        assert list(quarantine.new_pointers().values()) == [pointer]
        assert {data for _, data in quarantine.new_blobs_small()} == {b"small", pointers.render(pointer)}
        found = {file.path: file.size for file in quarantine.new_paths_and_sizes(push.new_oids)}
    assert found == {"big.bin": len(pointers.render(pointer)), "small.txt": 5, "large.txt": 5000}


def test_a_quarantine_that_is_left_early_leaves_nothing(bare: Path, work: Path, git: Git) -> None:
    before = _files(bare)
    with Quarantine(bare) as quarantine:
        quarantine.unpack(io.BytesIO(_pack(git, work, _head(git, work))))
    assert _files(bare) == before


def test_commands_are_parsed_with_their_capabilities() -> None:
    old, new = "1" * 40, "2" * 40
    raw = (
        pktline.line(f"shallow {old}".encode())
        + pktline.line(f"{receive.ZERO} {new} refs/heads/a\0 report-status quiet agent=git/2.39\n".encode())
        + pktline.line(f"{old} {receive.ZERO} refs/heads/b\n".encode())
        + pktline.FLUSH
        + b"PACK"
    )
    stream = io.BytesIO(raw)
    push = receive.parse_commands(stream)
    assert push == Push(
        [Command("refs/heads/a", None, new), Command("refs/heads/b", old, None)],
        frozenset({"report-status", "quiet", "agent=git/2.39"}),
        [old],
    )
    assert stream.read() == b"PACK"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"00",
        b"zzzz",
        b"0003",
        b"+123",
        b"ffff" + b"x" * 10,
        pktline.line(b"hello"),
        pktline.line(b"1" * 40 + b" " + b"2" * 40 + b" refs/heads/a"),
        pktline.line(b"x" * 40 + b" " + b"2" * 40 + b" refs/heads/a") + b"0000",
        pktline.line(b"1" * 40 + b" " + b"2" * 40 + b" a\0object-format=sha256") + b"0000",
    ],
)
def test_malformed_commands_are_refused(raw: bytes) -> None:
    with pytest.raises(InvalidPack):
        receive.parse_commands(io.BytesIO(raw))


def test_report_tells_each_command_its_own_outcome() -> None:
    push = Push(
        [Command("refs/heads/a", None, "1" * 40), Command("refs/heads/b", None, "1" * 40)],
        frozenset({"report-status"}),
        [],
    )
    answer = receive.report(push, [Result("refs/heads/a"), Result("refs/heads/b", "is\nprotected")])
    stream = io.BytesIO(answer)
    assert list(pktline.read_until_flush(stream, 9)) == [
        b"unpack ok\n",
        b"ok refs/heads/a\n",
        b"ng refs/heads/b is protected\n",
    ]


def test_report_never_says_ok_for_a_command_without_result() -> None:
    push = Push([Command("refs/heads/a", None, "1" * 40)], frozenset({"report-status"}), [])
    assert b"ng refs/heads/a" in receive.report(push, [])
