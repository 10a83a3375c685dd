"""TLS by `hutch serve --tls-cert --tls-key`, with a self-made certificate that the real clients are told to trust."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.certificates import Certificate, self_made
from tests.acceptance.clients import Client, Git, python_of, with_credentials
from tests.acceptance.hub import PROGRAM, Hub


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_made(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def secure(new_hub: Callable[..., Hub], certificate: Certificate) -> Iterator[Hub]:
    hub = new_hub(tls_cert=str(certificate.cert), tls_key=str(certificate.key)).start()
    yield hub
    hub.stop()


def _serve(data: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """`hutch serve` with options that it must refuse; without a terminal that could be asked for a password."""
    command = [PROGRAM, "serve", "--port", "0", "--data", data, *words]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, check=False
    )


def test_the_real_clients_work_over_tls_once_they_trust_the_certificate(
    secure: Hub, certificate: Certificate, git: Git, tmp_path: Path
) -> None:
    owner = secure.user("owner")
    source = tmp_path / "weights.bin"
    source.write_bytes(os.urandom(3_000_000))
    client = Client("current", python_of("current"), tmp_path, secure.url, owner.token).with_environment(
        SSL_CERT_FILE=str(certificate.cert)
    )
    up = client.hf("upload", "owner/secure", source, "weights.bin")
    assert up.returncode == 0, up.stderr
    assert f"{secure.url}/owner/secure" in up.stdout
    down = client.hf("download", "owner/secure", "weights.bin", "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    assert (tmp_path / "down" / "weights.bin").read_bytes() == source.read_bytes()
    url, trust = with_credentials(secure.url, owner.name, owner.token), str(certificate.cert)
    git("clone", f"{url}/owner/secure", tmp_path / "clone", GIT_SSL_CAINFO=trust)
    assert (tmp_path / "clone" / "weights.bin").read_bytes() == source.read_bytes()


def test_links_of_a_server_with_tls_are_https(secure: Hub, certificate: Certificate, tmp_path: Path) -> None:
    owner = secure.user("linker")
    client = Client("current", python_of("current"), tmp_path, secure.url, owner.token).with_environment(
        SSL_CERT_FILE=str(certificate.cert)
    )
    made = client.call("import huggingface_hub as h; result = str(h.HfApi().create_repo('linked'))")
    assert made == f"{secure.url}/linker/linked"
    assert made.startswith("https://")


def test_a_client_that_does_not_know_the_issuer_refuses_and_plain_http_gets_nothing(secure: Hub) -> None:
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"{secure.url}/health", timeout=10)
    with pytest.raises((OSError, http.client.HTTPException)):
        urllib.request.urlopen(f"http://127.0.0.1:{secure.port}/health", timeout=10)


def test_old_protocols_are_refused(secure: Hub, certificate: Certificate) -> None:
    context = ssl.create_default_context(cafile=certificate.cert)
    with urllib.request.urlopen(f"{secure.url}/health", timeout=10, context=context) as answer:
        assert answer.status == 200
    spoken = ["openssl", "s_client", "-connect", f"127.0.0.1:{secure.port}", "-tls1_1"]
    done = subprocess.run(spoken, input=b"", capture_output=True, timeout=30, check=False)
    assert b"BEGIN CERTIFICATE" not in done.stdout


def test_the_options_of_the_command_line_are_what_serves(certificate: Certificate, tmp_path: Path) -> None:
    words = ["--tls-cert", certificate.cert, "--tls-key", certificate.key]
    command = [PROGRAM, "serve", "--port", "0", "--data", tmp_path / "data", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "ready" in line)
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert line.startswith("Hutch is ready at https://127.0.0.1:")


def test_a_key_of_another_certificate_is_told_before_anything_is_served(
    certificate: Certificate, tmp_path: Path
) -> None:
    other = self_made(tmp_path, name="other")
    done = _serve(tmp_path / "data", "--tls-cert", certificate.cert, "--tls-key", other.key)
    assert done.returncode != 0
    assert "do not belong together" in done.stderr
    assert str(other.key) in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_with_a_password_is_told_and_not_asked_for(certificate: Certificate, tmp_path: Path) -> None:
    locked = tmp_path / "locked.key"
    words = [
        "openssl",
        "rsa",
        "-aes128",
        "-passout",
        "pass:secret",
        "-in",
        str(certificate.key),
        "-out",
        str(locked),
    ]
    subprocess.run(words, check=True, capture_output=True)
    done = _serve(tmp_path / "data", "--tls-cert", certificate.cert, "--tls-key", locked)
    assert done.returncode != 0
    assert "without password" in done.stderr


def test_a_certificate_without_its_key_is_told(certificate: Certificate, tmp_path: Path) -> None:
    done = _serve(tmp_path / "data", "--tls-cert", certificate.cert)
    assert done.returncode != 0
    assert "must be set together" in done.stderr
