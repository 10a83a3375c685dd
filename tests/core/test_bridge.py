"""The door and the bridge to Django, in a live server process, spoken to over bare sockets where clients would mend."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import free_port

ROOT = Path(__file__).parents[2]
MOST = 300_000
MOST_COMMIT = 5_000_000
TOKEN = "hf_of_the_bridge"


@dataclass
class Door:
    """One running server."""

    port: int
    data: Path

    def ask(self, method: str, target: str, body: Any = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(connection):
            connection.request(method, target, body=body, headers=sent)
            with connection.getresponse() as response:
                response.body = response.read()  # type: ignore[attr-defined]
                return response

    def echo(self, *words: Any, **headers: str) -> dict[str, Any]:
        response = self.ask(*words, **headers)
        assert response.status == 200, response.body  # type: ignore[attr-defined]
        return json.loads(response.body)  # type: ignore[attr-defined]

    def raw(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    @property
    def notes(self) -> list[str]:
        path = self.data / "notes"
        return path.read_text().split("\n")[:-1] if path.exists() else []


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited for 30 s"
        time.sleep(0.02)
    return found


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    door = Door(free_port(), folder / "data")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUTCH_", "DJANGO_"))}
    settings = {
        "HUTCH_DATA": str(door.data), "HUTCH_MAX_REQUEST_BYTES": str(MOST), "HUTCH_JOB_WORKERS": "0",
        "HUTCH_MAX_COMMIT_BYTES": str(MOST_COMMIT), "HUTCH_PUBLIC_URL": "https://hub.example",
        "HUTCH_TRUSTED_PROXIES": "127.0.0.1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.core.bridge_child", str(door.port), TOKEN],
            env=kept | settings, stdout=output, stderr=output, start_new_session=True, cwd=folder,
        )  # fmt: skip
    try:
        until(lambda: process.poll() is not None or listens(door.port))
        assert process.poll() is None, log.read_text()
        yield door
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def door(started: Door) -> Door:
    (started.data / "notes").unlink(missing_ok=True)
    return started


def read_all(connection: socket.socket) -> bytes:
    found = b""
    try:
        while chunk := connection.recv(65536):
            found += chunk
    except ConnectionError:  # hung up on what we still send
        pass
    return found


@pytest.mark.parametrize("size", [0, 1, 65536, MOST])
def test_body_of_known_length_arrives_whole(door: Door, size: int) -> None:
    body = os.urandom(size)
    found = door.echo("POST", "/echo/x", body)
    assert (found["bytes"], found["sha256"]) == (size, hashlib.sha256(body).hexdigest())


def test_chunked_body_arrives_whole(door: Door) -> None:
    parts = [os.urandom(7), os.urandom(70_000), b"x", os.urandom(1000)]
    found = door.echo("PUT", "/echo/x", iter(parts))
    assert (found["method"], found["sha256"]) == ("PUT", hashlib.sha256(b"".join(parts)).hexdigest())
    assert found["bytes"] == 71_008


def test_body_larger_than_memory_is_spooled_and_arrives_whole(door: Door) -> None:
    body = os.urandom(MOST_COMMIT)
    found = door.echo("POST", "/api/models/a/b/commit/main", body, Authorization=f"Bearer {TOKEN}")
    assert found["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("authorization", ["", "Bearer hf_unknown", "Basic aGZfdW5rbm93bjo="])
def test_nobody_may_fill_the_disk_with_a_large_commit(door: Door, authorization: str) -> None:
    line = f"Authorization: {authorization}\r\n" if authorization else ""
    head = "POST /api/models/a/b/commit/main HTTP/1.1\r\nHost: localhost\r\n"
    head += f"{line}Content-Length: {MOST_COMMIT}\r\n\r\n"
    with door.raw() as connection:
        connection.sendall(head.encode() + os.urandom(2 * MOST))
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"x-error-code: Unauthorized" in answer
    assert door.notes == []


def test_body_over_the_limit_is_refused_before_it_is_sent(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(
            f"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MOST + 1}\r\n\r\n".encode()
        )
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert f'"limit": {MOST}'.encode() in answer
    assert b"x-error-code: PayloadTooLarge" in answer
    assert door.notes == []


def test_chunked_body_over_the_limit_is_refused(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        answer = b""
        try:
            for _ in range(MOST // 0x10000 + 2):
                connection.sendall(piece)
            answer = connection.recv(65536)
        except ConnectionError:  # it was told and hung up while we still sent
            pass
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413 ")
    assert door.notes == []
    assert door.echo("GET", "/echo/x")["bytes"] == 0


@pytest.mark.parametrize(
    "start",
    [
        b"Content-Length: 1000\r\n\r\nonly this",
        b"Transfer-Encoding: chunked\r\n\r\n400\r\nonly this",
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nthis\r\n",
        b"Content-Length: 1000\r\n\r\n",
    ],
)
def test_body_that_breaks_off_reaches_no_view(door: Door, start: bytes) -> None:
    with door.raw() as connection:
        connection.sendall(b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\n" + start)
        time.sleep(0.2)
    assert door.echo("GET", "/echo/after")["bytes"] == 0
    time.sleep(0.2)
    assert door.notes == ["echo 0"]


def test_body_that_is_no_chunking_is_refused(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(
            b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nthis\r\n0\r\n\r\n"
        )
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)
    assert not answer.startswith(b"HTTP/1.1 2")
    assert door.notes == []


def test_client_that_waits_for_100_is_told_to_go_on(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(
            b"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"hello")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"bytes": 5' in answer


def test_client_that_waits_for_100_with_too_large_a_body_is_refused_at_once(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(
            f"POST /echo/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: {MOST + 1}\r\n".encode()
            + b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_head_has_the_headers_of_get_and_no_body(door: Door) -> None:
    got, head = door.ask("GET", "/cookies"), door.ask("HEAD", "/cookies")
    assert (head.status, head.body) == (200, b"")  # type: ignore[attr-defined]
    assert head.getheader("Content-Length") == got.getheader("Content-Length") == "3"
    with door.raw() as connection:
        connection.sendall(b"HEAD /stream?count=3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\n")
    assert door.notes == []


@pytest.mark.parametrize("status", [204, 304])
def test_answer_without_body_has_no_length_either(door: Door, status: int) -> None:
    with door.raw() as connection:
        connection.sendall(
            f"GET /empty/{status} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        answer = read_all(connection)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"content-length" not in answer.lower()
    assert answer.endswith(b"\r\n\r\n")


def test_cookies_go_both_ways(door: Door) -> None:
    response = door.ask("GET", "/cookies")
    assert sorted(value.partition(";")[0] for value in response.headers.get_all("Set-Cookie") or []) == [
        "one=1",
        'two="2\\073 not another"',
    ]
    with door.raw() as connection:
        connection.sendall(
            b"GET /echo/x HTTP/1.1\r\nHost: localhost\r\nCookie: one=1\r\nCookie: two=2\r\nConnection: close\r\n\r\n"
        )
        answer = read_all(connection)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["cookies"] == {"one": "1", "two": "2"}


def test_header_names_with_underscores_do_not_pass_for_others(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(
            b"GET /echo/x HTTP/1.1\r\nHost: localhost\r\nX_Forwarded_For: 6.6.6.6\r\n"
            b"X-Two: a\r\nX-Two: b\r\nConnection: close\r\n\r\n"
        )
        found = json.loads(read_all(connection).partition(b"\r\n\r\n")[2])
    assert found["address"] == "127.0.0.1"
    assert found["headers"]["X-Two"] == "a, b"
    assert not [name for name in found["headers"] if "Forwarded" in name]


def test_view_sees_segments_apart_and_the_query_as_sent(door: Door) -> None:
    found = door.echo("GET", "/echo/refs%2Fpr%2F1/a%20b/%C3%A9%25?x=%2F&y=%FF")
    assert found["path_info"] == "/echo/refs%2Fpr%2F1/a b/é%25"
    assert found["query"] == "x=%2F&y=%FF"


@pytest.mark.parametrize(
    "target", ["/echo/%FF%FE", "/echo/%00", "/%", "/%zz", "/%ED%B2%80", "/echo/" + "a" * 7000, "//", "/\\"]
)
def test_strange_paths_are_answered_and_break_nothing(door: Door, target: str) -> None:
    assert door.ask("GET", target).status in (200, 400, 404)
    assert door.echo("GET", "/echo/x")["bytes"] == 0


def test_client_behind_the_proxy_is_seen_with_its_host_and_scheme(door: Door) -> None:
    found = door.echo(
        "GET",
        "/echo/x",
        Host="backend:1",
        X_Forwarded_Host="hub.example",
        X_Forwarded_Proto="https",
        X_Forwarded_For="203.0.113.9",
    )
    assert (found["host"], found["secure"], found["address"]) == ("hub.example", True, "203.0.113.9")


def test_error_of_the_house_is_its_json_in_one_line_headers(door: Door) -> None:
    response = door.ask("GET", "/refuse")
    assert response.status == 409
    assert response.getheader("X-Error-Code") == "Conflict"
    assert response.getheader("X-Error-Message") == "two of one name  X-Evil: 1"
    assert response.getheader("X-Evil") is None
    assert json.loads(response.body)["value"] == "é☃"  # type: ignore[attr-defined]


def test_failure_of_a_view_is_a_500_that_tells_nothing(door: Door) -> None:
    response = door.ask("GET", "/fail")
    assert response.status == 500
    assert b"42" not in response.body  # type: ignore[attr-defined]
    assert b"Traceback" not in response.body  # type: ignore[attr-defined]


def test_stream_arrives_whole_and_is_closed(door: Door) -> None:
    response = door.ask("GET", "/stream?count=20")
    assert response.body == b"".join(b"%d\n" % n for n in range(20))  # type: ignore[attr-defined]
    until(lambda: door.notes == ["stream done", "stream closed"])


def test_stream_that_fails_half_way_is_seen_to_be_broken(door: Door) -> None:
    with pytest.raises(http.client.IncompleteRead):
        door.ask("GET", "/stream?count=20&fail=5")
    until(lambda: door.notes == ["stream closed"])


def test_stream_stops_when_the_client_has_gone(door: Door) -> None:
    with door.raw() as connection:
        connection.sendall(b"GET /stream?count=100000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    until(lambda: door.notes == ["stream closed"])


def test_each_of_many_requests_at_once_keeps_its_own_number(door: Door) -> None:
    def ask(number: int) -> tuple[str, bytes, str | None]:
        wanted = f"request-{number}"
        response = door.ask("GET", "/number", X_Request_Id=wanted)
        return wanted, response.body, response.getheader("X-Request-Id")  # type: ignore[attr-defined]

    with ThreadPoolExecutor(12) as pool:
        for wanted, seen, told in pool.map(ask, range(120)):
            assert (seen.decode(), told) == (wanted, wanted)


def test_request_without_a_number_gets_one(door: Door) -> None:
    first, second = door.ask("GET", "/number"), door.ask("GET", "/number")
    assert first.body.decode() == first.getheader("X-Request-Id")  # type: ignore[attr-defined]
    assert first.getheader("X-Request-Id") != second.getheader("X-Request-Id")
