"""Behind a real nginx, with the very configuration of docs/operations.md: large files in and out, links that hold."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.certificates import Certificate, self_made
from tests.acceptance.clients import ROOT, Client, Git, python_of, with_credentials
from tests.acceptance.hub import Hub, User
from tests.postgres import free_port

LARGE_BYTES = 90_000_000
SHELL = """
user root; daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  {server}
}}
"""


@dataclass
class Behind:
    """A hub, and nginx in front of it."""

    hub: Hub
    port: int
    owner: User
    certificate: Certificate

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


@pytest.fixture(scope="module")
def behind(new_hub: Callable[..., Hub], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    folder, port = tmp_path_factory.mktemp("nginx"), free_port()
    certificate = self_made(folder)
    # Parts of the size that larger files have by default, so that they pass through nginx too.
    hub = new_hub(
        trusted_proxies="127.0.0.1", public_url="https://hub.example.org", multipart_from_bytes="60000000",
        part_bytes="20000000",
    ).start()  # fmt: skip
    config = folder / "nginx.conf"
    config.write_text(SHELL.format(folder=folder, server=_server(hub, port, certificate)))
    nginx = subprocess.Popen([shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", config])
    try:
        _wait(port, nginx)
        yield Behind(hub, port, hub.user("owner"), certificate)
    finally:
        nginx.terminate()
        nginx.wait()
        hub.stop()


def _server(hub: Hub, port: int, certificate: Certificate) -> str:
    """The documented configuration with this machine's names in place of the example's."""
    (block,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server_name hub.example.org;": "server_name localhost hub.example.org;",
        "/etc/ssl/hub.example.org.pem": str(certificate.cert),
        "/etc/ssl/hub.example.org.key": str(certificate.key),
        "http://127.0.0.1:8000": hub.url,
    }
    for told, here in changes.items():
        assert told in block
        block = block.replace(told, here)
    return str(block)


def _wait(port: int, nginx: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            assert nginx.poll() is None, "nginx does not take the configuration of docs/operations.md"
            assert time.monotonic() < deadline
            time.sleep(0.05)


def _ask(
    behind: Behind, path: str, host: str = "", body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    trust = ssl.create_default_context(cafile=behind.certificate.cert)
    sent = {
        "Host": host or f"localhost:{behind.port}",
        "Authorization": f"Bearer {behind.owner.token}",
        "Content-Type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    with closing(
        http.client.HTTPSConnection("localhost", behind.port, timeout=60, context=trust)
    ) as connection:
        connection.request("GET" if body is None else "POST", path, body, sent)
        answer = connection.getresponse()
        return answer, answer.read()


def test_a_large_file_goes_through_nginx_in_parts_and_comes_back_whole(
    behind: Behind, tmp_path: Path
) -> None:
    source = tmp_path / "large.bin"
    source.write_bytes(os.urandom(LARGE_BYTES))
    client = Client(
        "current", python_of("current"), tmp_path, behind.url, behind.owner.token
    ).with_environment(SSL_CERT_FILE=str(behind.certificate.cert))
    up = client.hf("upload", "owner/large", source, "large.bin")
    assert up.returncode == 0, up.stderr
    assert behind.url in up.stdout
    down = client.hf("download", "owner/large", "large.bin", "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    assert _sha256(tmp_path / "down" / "large.bin") == _sha256(source)


def test_a_push_with_lfs_goes_through_nginx_and_a_clone_has_it(
    behind: Behind, git: Git, tmp_path: Path
) -> None:
    _, made = _ask(behind, "/api/repos/create", body=json.dumps({"name": "pushed"}).encode())
    assert json.loads(made)["url"] == f"{behind.url}/owner/pushed"
    url = with_credentials(f"{behind.url}/owner/pushed", "owner", behind.owner.token)
    trust = {"GIT_SSL_CAINFO": str(behind.certificate.cert)}
    git("clone", url, tmp_path / "work", **trust)
    (tmp_path / "work" / "weights.bin").write_bytes(os.urandom(20_000_000))
    (tmp_path / "work" / "notes.txt").write_text(os.urandom(3_000_000).hex())
    git("add", ".", cwd=tmp_path / "work", **trust)
    git("commit", "-m", "All", cwd=tmp_path / "work", **trust)
    git("push", "origin", "main", cwd=tmp_path / "work", **trust)
    git("clone", url, tmp_path / "again", **trust)
    for name in ("weights.bin", "notes.txt"):
        assert _sha256(tmp_path / "again" / name) == _sha256(tmp_path / "work" / name)


def test_links_carry_the_outer_address_and_scheme(behind: Behind) -> None:
    for name in ("first", "second"):
        body = json.dumps({"name": name}).encode()
        assert _ask(behind, "/api/repos/create", "hub.example.org", body)[0].status == 200
    for host, base in (
        (f"localhost:{behind.port}", behind.url),
        ("hub.example.org", "https://hub.example.org"),
        ("evil.example", "https://hub.example.org"),
    ):
        answer, _ = _ask(behind, "/api/models?limit=1", host)
        assert (answer.getheader("Link") or "").startswith(f"<{base}/api/models?")


def test_ranges_and_conditions_pass_through_nginx(behind: Behind) -> None:
    path = "/owner/first/resolve/main/.gitattributes"
    whole, content = _ask(behind, path)
    part, some = _ask(behind, path, Range="bytes=5-9")
    assert (part.status, some) == (206, content[5:10])
    same, nothing = _ask(behind, path, If_None_Match=whole.getheader("ETag") or "")
    assert (same.status, nothing) == (304, b"")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
