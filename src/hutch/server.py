"""Runs Granian over the front door, as one process tree that ends as one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
import urllib.request

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from hutch.settings import current

_PR_SET_PDEATHSIG = 1
_STOP_AFTER_S = 8


def run() -> None:
    """Serves until SIGTERM or SIGINT; prints `Hutch is ready at URL` once `/health` answers."""
    settings = current()
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
    threading.Thread(target=_announce, args=(settings.url if not settings.public_url else _local_url(), os.getpid()), daemon=True).start()
    granian.serve()


def die_with_parent() -> None:
    """Ends this process when its parent dies, even by SIGKILL (Linux, prctl(2))."""
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _local_url() -> str:
    settings = current()
    return f"{'https' if settings.tls_cert else 'http'}://{settings.host}:{settings.port}"


def _announce(url: str, pid: int) -> None:
    import ssl

    trust = ssl._create_unverified_context() if url.startswith("https") else None  # our own certificate, on loopback
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
