from __future__ import annotations

import logging
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hutch.core.errors import BadRequest
from hutch.settings import Settings, load


def read(folder: Path, toml: str | bytes = "", **variables: str) -> Settings:
    if toml:
        (folder / "hutch.toml").write_bytes(toml if isinstance(toml, bytes) else toml.encode())
    return load(
        {"HUTCH_DATA": str(folder), **{f"HUTCH_{key.upper()}": value for key, value in variables.items()}}
    )


def test_without_anything_set_the_defaults_hold(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.port, found.require_sign_in, found.allowed_hosts, found.tls_cert) == (8000, False, (), None)
    assert found.data == tmp_path


def test_file_is_read_and_the_environment_goes_over_it(tmp_path: Path) -> None:
    toml = 'port = 1\nsite_name = "Ours"\nallowed_hosts = ["a.example", "b.example"]\nopen_sign_up = true\n'
    found = read(tmp_path, toml, port="2")
    assert (found.port, found.site_name, found.open_sign_up) == (2, "Ours", True)
    assert found.allowed_hosts == ("a.example", "b.example")


def test_lists_are_separated_by_commas_in_the_environment(tmp_path: Path) -> None:
    assert read(tmp_path, allowed_hosts=" a.example ,,b.example,").allowed_hosts == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", True),
        ("TRUE", True),
        ("on", True),
        ("yes", True),
        ("0", False),
        ("off", False),
        ("False", False),
        ("no", False),
    ],
)
def test_switch_takes_the_usual_words(tmp_path: Path, word: str, value: bool) -> None:
    assert read(tmp_path, require_sign_in=word).require_sign_in is value


def test_unknown_key_in_the_file_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"there is no setting 'prot'; known are .*port") as caught:
        read(tmp_path, "prot = 1")
    assert caught.value.field == "prot"


def test_unknown_variable_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read(tmp_path, require_signin="1")
    assert caplog.messages == ["there is no setting for the variable HUTCH_REQUIRE_SIGNIN"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("port", "eight"), ("port", ""), ("port", "80.5"), ("port", "-1"), ("port", "65536"), ("job_workers", "-2"),
        ("require_sign_in", "maybe"), ("require_sign_in", ""), ("log_level", "loud"), ("public_url", "hub.example"),
        ("public_url", "ftp://hub.example"), ("public_url", "https://"), ("public_url", "https://hub:port"),
        ("database_url", "mysql://x/y"), ("database_url", "postgresql:///hub"), ("smtp_url", "mail.example:25"),
        ("trusted_proxies", "10.0.0.0/8,proxy.example"), ("trusted_proxies", "10.0.0.0/99"),
    ],
)  # fmt: skip
def test_value_that_does_not_fit_is_refused_with_its_setting(tmp_path: Path, key: str, text: str) -> None:
    with pytest.raises(BadRequest, match=key) as caught:
        read(tmp_path, **{key: text})
    assert caught.value.field == key


@pytest.mark.parametrize(
    ("toml", "field"),
    [
        ("port = true", "port"), ("port = 80.5", "port"), ("port = [80]", "port"), ("site_name = {a = 1}", "site_name"),
        ("site_name = ['a']", "site_name"), ("require_sign_in = 2", "require_sign_in"), ("tls_cert = 1.5", "tls_cert"),
        ("allowed_hosts = {a = 1}", "allowed_hosts"), ("data = '/elsewhere'", "data"),
    ],
)  # fmt: skip
def test_value_of_the_wrong_kind_in_the_file_is_refused(tmp_path: Path, toml: str, field: str) -> None:
    with pytest.raises(BadRequest) as caught:
        read(tmp_path, toml)
    assert caught.value.field == field


@pytest.mark.parametrize("toml", ["port = ", "[port", b"\xff\xfe", "a = 1\na = 2"])
def test_file_that_is_no_toml_is_refused_by_its_name(tmp_path: Path, toml: str | bytes) -> None:
    with pytest.raises(BadRequest, match=r"hutch\.toml is not valid TOML"):
        read(tmp_path, toml)


def test_refusal_of_an_address_does_not_show_its_password(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        read(tmp_path, database_url="mysql://ann:geheim@db/hub")
    assert "geheim" not in str(caught.value.body())


def test_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="tls_cert and tls_key must be set together"):
        read(tmp_path, tls_cert="cert.pem")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        (Settings(), "http://127.0.0.1:8000"),
        (Settings(host="::1", port=5), "http://[::1]:5"),
        (Settings(tls_cert=Path("c"), tls_key=Path("k")), "https://127.0.0.1:8000"),
        (Settings(public_url="https://hub.example/"), "https://hub.example"),
    ],
)
def test_own_address_has_no_trailing_slash(settings: Settings, url: str) -> None:
    assert settings.url == url


def test_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "new" / "folder")
    assert settings.secret == settings.secret
    assert len(settings.secret) == 32
    assert stat.S_IMODE((settings.data / "secret.key").stat().st_mode) == 0o600
    assert Settings(data=tmp_path / "other").secret != settings.secret


def test_starters_at_the_same_moment_agree_on_the_secret(tmp_path: Path) -> None:
    settings, found = Settings(data=tmp_path), []
    gate = threading.Barrier(16)

    def begin() -> None:
        gate.wait()
        found.append(settings.secret)

    threads = [threading.Thread(target=begin) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret.key"]


def test_broken_secret_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_bytes(b"short")
    with pytest.raises(BadRequest, match="holds 5 bytes"):
        _ = Settings(data=tmp_path).secret
    assert (tmp_path / "secret.key").read_bytes() == b"short"


def test_command_with_a_bad_setting_ends_with_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "hutch.toml").write_text("prot = 1")
    program = Path(sys.executable).with_name("hutch")
    done = subprocess.run(
        [program, "jobs", "list", "--data", tmp_path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: hutch.toml: there is no setting 'prot'")
    assert done.stderr.count("\n") == 1
