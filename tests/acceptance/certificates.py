"""Certificates that openssl makes for a test."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """Two PEM files that belong together. The certificate is its own issuer: clients are told to trust it."""

    cert: Path
    key: Path


def self_made(folder: Path, *, days: int = 2, name: str = "hub", is_authority: bool = False) -> Certificate:
    """A certificate for this machine's loopback names. `days` -1: one that ended yesterday."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    names = "subjectAltName=DNS:localhost,DNS:hub.example.org,IP:127.0.0.1,IP:::1"
    # By itself openssl makes it an authority's, and hf_xet (rustls) takes no authority's certificate for a server's.
    server = f"basicConstraints=critical,CA:{str(is_authority).upper()}"
    words = [
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=localhost",
        "-addext",
        names,
        "-addext",
        server,
    ]
    if days >= 0:
        _openssl("req", *words, "-days", str(days), "-keyout", made.key, "-out", made.cert)
        return made
    request = folder / f"{name}.csr"
    _openssl("req", *words[1:], "-keyout", made.key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-signkey", made.key, "-days", str(days), "-out", made.cert)
    return made


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
