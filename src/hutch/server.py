"""Runs Granian over the front door, as one process tree that ends as one."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import ssl
import sys
import threading
import time
import urllib.request
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from hutch.core.errors import BadRequest, Conflict
from hutch.settings import Settings, current

_PR_SET_PDEATHSIG = 1
_STOP_AFTER_S = 8
_CLAIM_WITHIN_S = 3  # a killed predecessor's worker may need a moment to die


def run() -> None:
    """Serves until SIGTERM or SIGINT; prints `Hutch is ready at URL` once `/health` answers.

    Raises Conflict if the address is taken or another server works on the same data folder, BadRequest for a
    certificate that does not fit its key.
    """
    settings = current()
    if settings.tls_cert and settings.tls_key:
        check_tls(settings.tls_cert, settings.tls_key)
    _check_address(settings)
    claim = _claim(settings)
    granian = Granian(
        "hutch.asgi:app",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        workers=1,
        workers_kill_timeout=_STOP_AFTER_S,
        log_enabled=False,
        ssl_cert=settings.tls_cert,
        ssl_key=settings.tls_key,
        backpressure=512,
    )
    threading.Thread(target=_announce, args=(_local_url(settings),), daemon=True).start()
    granian.serve()
    os.close(claim)


def check_tls(cert: Path, key: Path) -> None:
    """Raises BadRequest unless the two files can be read and belong together."""
    for path, name in ((cert, "tls_cert"), (key, "tls_key")):
        if not os.access(path, os.R_OK):
            raise BadRequest(f"The {name} {path} cannot be read", field=name, value=str(path))
    try:
        # Without the password OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise BadRequest(
            f"The tls_cert {cert} and the tls_key {key} do not belong together, or one is not a PEM file without "
            f"password ({error})",
            field="tls_key",
            value=str(key),
        ) from error


def die_with_parent() -> None:
    """Ends this process when its parent dies, even by SIGKILL (Linux, prctl(2))."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _check_address(settings: Settings) -> None:
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            raise Conflict(
                f"{settings.host} port {settings.port} is in use or not an address of this machine ({error.strerror})",
                field="port",
                value=settings.port,
            ) from error


def _claim(settings: Settings) -> int:
    """Locks the data folder for this process tree; the lock goes with the process, however it ends."""
    handle = os.open(settings.data / "server.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + _CLAIM_WITHIN_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Conflict(
                    f"Another server works on the data folder {settings.data}", field="data"
                ) from None
            time.sleep(0.05)


def _local_url(settings: Settings) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{'https' if settings.tls_cert else 'http'}://{host}:{settings.port}"


def _announce(url: str) -> None:
    trust = (
        ssl._create_unverified_context() if url.startswith("https") else None
    )  # our own certificate, on loopback
    probe = url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{probe}/health", timeout=2, context=trust):
                break
        except OSError:
            time.sleep(0.05)
    else:
        return
    print(f"Hutch is ready at {url}", flush=True)
