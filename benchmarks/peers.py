"""The named peers: nginx over a folder (sendfile, DAV PUT) and git daemon, each a real process on loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import free_port

_NGINX = """
user root; daemon off; worker_processes 1; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; client_max_body_size 0; client_body_buffer_size 1m;
  client_body_temp_path {root}/body; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u;
  scgi_temp_path {root}/s; default_type application/octet-stream;
  server {{ listen 127.0.0.1:{port}; root {files}; location / {{ dav_methods PUT DELETE; create_full_put_path on; }} }}
}}
"""


@contextmanager
def nginx(root: Path) -> Iterator[tuple[str, Path]]:
    """nginx with sendfile and DAV over a folder: its address and that folder."""
    files = root / "files"
    files.mkdir(parents=True)
    port = free_port()
    config = root / "nginx.conf"
    config.write_text(_NGINX.format(root=root, files=files, port=port))
    process = subprocess.Popen(["nginx", "-p", str(root), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}", files
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(root)


@contextmanager
def git_daemon(base: Path) -> Iterator[str]:
    """`git daemon` over a folder of bare repositories: its address."""
    port = free_port()
    words = [
        "git",
        "daemon",
        "--export-all",
        f"--base-path={base}",
        "--listen=127.0.0.1",
        f"--port={port}",
        str(base),
    ]
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")
