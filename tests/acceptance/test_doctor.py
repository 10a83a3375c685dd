"""`hutch doctor` on installations that are sound, and on each that is broken in its own way."""

from __future__ import annotations

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.certificates import self_made
from tests.acceptance.hub import PROGRAM, Hub
from tests.postgres import free_port


def _doctor(hub: Hub, *words: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """The exit status, and the findings by check."""
    command = [PROGRAM, "doctor", "--json", "--port", str(hub.port), "--data", hub.data, *words]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=hub.environment | environment, check=False
    )
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert all(each["remedy"] for each in report["checks"] if each["level"] != "ok"), report
    return done.returncode, {each["check"]: each for each in report["checks"]}


def _bad(hub: Hub, check: str, *words: str, **environment: str) -> str:
    """What is told of the one check that must be bad."""
    status, found = _doctor(hub, *words, **environment)
    assert status == 1
    assert [name for name, each in found.items() if each["level"] == "bad"] == [check], found
    return str(found[check]["what"])


@pytest.fixture(scope="module")
def hub(new_hub: Callable[..., Hub]) -> Hub:
    """A hub that was set up and does not run; its folder is to be left as it is."""
    made = new_hub()
    made.cli("user", "list")
    return made


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    made = Hub(tmp_path_factory.mktemp("template") / "data")
    made.cli("user", "list")
    return made


@pytest.fixture
def sqlite_hub(template: Hub, tmp_path: Path) -> Hub:
    """One on SQLite, whatever the database of the run, to be broken."""
    return Hub(Path(shutil.copytree(template.data, tmp_path / "data")))


def test_a_sound_hub_has_nothing_bad_beside_its_running_server(server: Hub) -> None:
    status, found = _doctor(server)
    assert status == 0, found
    assert "answers" in found["port"]["what"]
    assert "up to date" in found["database"]["what"]
    assert list(found) == [
        "git", "folder", "disk", "space", "inodes", "memory", "clock", "database", "port", "tls", "address", "mail",
    ]  # fmt: skip


def test_before_the_first_start_it_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    hub = Hub(tmp_path / "not" / "yet")
    status, found = _doctor(hub)
    assert status == 0, found
    assert "will be made" in found["folder"]["what"]
    assert "will be made" in found["database"]["what"]
    assert not (tmp_path / "not").exists()


def test_the_text_has_a_line_for_each_check_and_a_verdict(hub: Hub) -> None:
    done = hub.run("doctor", "--port", str(hub.port))
    assert done.returncode == 0, done.stdout
    lines = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert len(lines) == 13
    assert lines[0].startswith("ok    git")
    assert lines[-1].endswith(" 0 bad")


@pytest.mark.parametrize("told", ["git version 2.30.1", "git version 1.9"])
def test_an_old_git_is_bad(hub: Hub, tmp_path: Path, told: str) -> None:
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\necho {told}\n")
    fake.chmod(0o755)
    assert "too old" in _bad(hub, "git", PATH=f"{fake.parent}:{os.environ['PATH']}")


def test_no_git_at_all_is_bad(hub: Hub, tmp_path: Path) -> None:
    assert _bad(hub, "git", PATH=str(tmp_path)) == "not installed"


def test_a_setting_that_does_not_exist_is_bad(sqlite_hub: Hub) -> None:
    (sqlite_hub.data / "hutch.toml").write_text("prot = 80\n")
    assert "there is no setting 'prot'" in _bad(sqlite_hub, "settings")


def test_a_trusted_proxy_that_is_no_address_is_bad(hub: Hub) -> None:
    assert "'nginx' is neither an address" in _bad(hub, "settings", HUTCH_TRUSTED_PROXIES="127.0.0.1, nginx")


def test_a_secret_that_others_can_read_is_bad(sqlite_hub: Hub) -> None:
    (sqlite_hub.data / "secret.key").chmod(0o644)
    assert "secret.key" in _bad(sqlite_hub, "folder")


def test_a_new_data_folder_is_closed_to_others(sqlite_hub: Hub) -> None:
    assert _doctor(sqlite_hub)[1]["folder"]["level"] == "ok"


def test_a_folder_of_somebody_else_is_bad_and_its_database_is_not_touched(sqlite_hub: Hub) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in [sqlite_hub.data, *sqlite_hub.data.rglob("*")]:
        os.chown(path, 65534, 65534)
    before = sorted(path.name for path in sqlite_hub.data.iterdir())
    assert "belongs to" in _bad(sqlite_hub, "folder")
    assert sorted(path.name for path in sqlite_hub.data.iterdir()) == before


def test_a_file_of_somebody_else_in_the_folder_is_bad(sqlite_hub: Hub) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(sqlite_hub.data / "secret.key", 65534, 65534)
    assert "secret.key" in _bad(sqlite_hub, "folder")


def test_a_folder_in_memory_is_bad() -> None:
    if not os.path.ismount("/dev/shm"):
        pytest.skip("this machine has no /dev/shm")
    assert "in memory" in _bad(Hub(Path("/dev/shm/hutch-doctor-test")), "disk")


def test_a_port_of_another_program_is_bad(hub: Hub) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", hub.port))
        other.listen()
        assert "in use" in _bad(hub, "port")


def test_a_server_that_is_asked_for_at_the_wrong_port_is_bad(server: Hub) -> None:
    assert "none answers" in _bad(server, "port", "--port", str(free_port()))


def test_a_database_that_cannot_be_reached_is_bad_and_its_password_is_not_shown(hub: Hub) -> None:
    url = f"postgresql://hutch:topsecret@127.0.0.1:{free_port()}/hutch"
    told = _bad(hub, "database", HUTCH_DATABASE_URL=url)
    assert "refused" in told
    assert "topsecret" not in told


def test_a_database_of_a_newer_version_is_bad_and_one_of_an_older_a_warning(sqlite_hub: Hub) -> None:
    path = sqlite_hub.data / "hutch.sqlite3"
    _execute(path, "DELETE FROM django_migrations WHERE app = 'buckets'")  # no other room's stand on these
    status, found = _doctor(sqlite_hub)
    assert (status, found["database"]["level"]) == (0, "warn")
    assert "1 migrations wait" in found["database"]["what"]
    _execute(
        path, "INSERT INTO django_migrations (app, name, applied) VALUES ('core', '0099_later', '2030-01-01')"
    )
    assert "core.0099_later" in _bad(sqlite_hub, "database")


def test_a_damaged_database_is_bad(sqlite_hub: Hub) -> None:
    path = sqlite_hub.data / "hutch.sqlite3"
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(os.urandom(20 * 4096))
    assert _bad(sqlite_hub, "database")


def _execute(path: Path, sql: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(sql)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("days", "level", "told"), [(-1, "bad", "not today"), (3, "warn", "good until"), (90, "ok", "good until")]
)
def test_a_certificate_is_judged_by_its_dates(
    hub: Hub, tmp_path: Path, days: int, level: str, told: str
) -> None:
    made = self_made(tmp_path, days=days)
    status, found = _doctor(hub, HUTCH_TLS_CERT=str(made.cert), HUTCH_TLS_KEY=str(made.key))
    assert (status, found["tls"]["level"]) == (int(level == "bad"), level), found
    assert told in found["tls"]["what"]


def test_a_key_that_does_not_fit_is_bad_and_so_is_one_that_others_can_read(hub: Hub, tmp_path: Path) -> None:
    one, other = self_made(tmp_path, name="one"), self_made(tmp_path, name="other")
    tls = {"HUTCH_TLS_CERT": str(one.cert), "HUTCH_TLS_KEY": str(other.key)}
    assert "do not belong together" in _bad(hub, "tls", **tls)
    one.key.chmod(0o644)
    assert "others can read" in _bad(hub, "tls", **{**tls, "HUTCH_TLS_KEY": str(one.key)})


def test_a_certificate_that_xet_clients_refuse_is_a_warning(hub: Hub, tmp_path: Path) -> None:
    made = self_made(tmp_path, days=60, is_authority=True)
    tls = {"HUTCH_TLS_CERT": str(made.cert), "HUTCH_TLS_KEY": str(made.key)}
    found = _doctor(hub, **tls)[1]["tls"]
    assert (found["level"], "hf_xet refuses it" in found["what"]) == ("warn", True)


def test_a_certificate_without_the_public_name_is_a_warning(hub: Hub, tmp_path: Path) -> None:
    made = self_made(tmp_path, days=90)
    tls = {"HUTCH_TLS_CERT": str(made.cert), "HUTCH_TLS_KEY": str(made.key)}
    assert _doctor(hub, **tls, HUTCH_PUBLIC_URL="https://hub.example.org")[1]["tls"]["level"] == "ok"
    found = _doctor(hub, **tls, HUTCH_PUBLIC_URL="https://other.example.org")[1]["tls"]
    assert (found["level"], "not other.example.org" in found["what"]) == ("warn", True)


def test_a_public_address_that_is_no_root_of_a_name_is_bad(hub: Hub) -> None:
    assert "public_url" in _bad(hub, "address", HUTCH_PUBLIC_URL="https://example.org/hub")
    assert "public_url" in _bad(hub, "settings", HUTCH_PUBLIC_URL="hub.example.org")


def test_a_public_address_on_loopback_that_does_not_answer_is_bad_while_the_server_runs(server: Hub) -> None:
    assert "does not answer" in _bad(server, "address", HUTCH_PUBLIC_URL=f"http://localhost:{free_port()}")
    found = _doctor(server, HUTCH_PUBLIC_URL=f"http://localhost:{server.port}")[1]["address"]
    assert (found["level"], found["what"]) == ("ok", f"http://localhost:{server.port} answers")


def test_https_without_anybody_who_speaks_it_is_a_warning(hub: Hub) -> None:
    assert _doctor(hub, HUTCH_PUBLIC_URL="https://hub.example.org")[1]["address"]["level"] == "warn"
    behind = {"HUTCH_PUBLIC_URL": "https://hub.example.org", "HUTCH_TRUSTED_PROXIES": "127.0.0.1"}
    assert _doctor(hub, **behind)[1]["address"]["level"] == "ok"


@pytest.fixture
def mail_server() -> Iterator[int]:
    """A server that speaks just enough SMTP to greet; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        line, _ = listener.accept()
        with line, line.makefile("rb") as words:
            line.sendall(b"220 here\r\n")
            for word in words:
                ends = word.upper().startswith(b"QUIT")
                line.sendall(b"221 bye\r\n" if ends else b"250 fine\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.close()
    thread.join(timeout=10)


def test_a_mail_server_that_answers_is_ok_and_one_that_does_not_is_bad(hub: Hub, mail_server: int) -> None:
    found = _doctor(hub, HUTCH_SMTP_URL=f"smtp://127.0.0.1:{mail_server}")[1]["mail"]
    assert (found["level"], found["what"].split()[0]) == ("ok", f"127.0.0.1:{mail_server}")
    assert "refused" in _bad(hub, "mail", HUTCH_SMTP_URL=f"smtp://127.0.0.1:{free_port()}")


def test_a_folder_that_cannot_be_written_is_bad(sqlite_hub: Hub, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        return _as_nobody(sqlite_hub)
    sqlite_hub.data.chmod(0o500)
    assert "cannot be written" in _doctor(sqlite_hub)[1]["folder"]["what"]
    return sqlite_hub.data.chmod(0o700)


def _as_nobody(hub: Hub) -> None:
    """Root may write anywhere: an account without rights looks."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", str(PROGRAM), "doctor", "--json"]
    done = subprocess.run(
        [*words, "--data", "/proc/nowhere"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=hub.environment,
    )
    report = json.loads(done.stdout)
    folder = next(each for each in report["checks"] if each["check"] == "folder")
    assert (done.returncode, folder["level"]) == (1, "bad")
