"""What can be set. One frozen dataclass, read once, from `HUTCH_*` variables over `hutch.toml` over the defaults.

`hutch.toml` is looked for in the data folder. The command line hands its options on through the environment, since
the server's worker is a process of its own. Nothing else in the house reads the environment.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import secrets
import tomllib
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from hutch.core.errors import BadRequest

_LAST_PORT = 65535
# A client builds for a day on what it was told of chunks (`cas.xet.dedupe.ANSWER_S`).
_LEAST_GRACE_S = 86_400
_SECRET_BYTES = 32
_LOG_LEVELS = ("debug", "info", "warning", "error")
_log = logging.getLogger("hutch.settings")


def _doc(default: Any, text: str) -> Any:
    return field(default=default, metadata={"doc": text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting of Hutch. Sizes are bytes, times are seconds, lists are comma-separated in the environment."""

    data: Path = _doc(
        Path("data"), "Folder of everything that Hutch keeps: database, repositories, large objects, secrets."
    )
    host: str = _doc("127.0.0.1", "Address to listen on.")
    port: int = _doc(8000, "Port to listen on; 0 takes a free one.")
    database_url: str = _doc(
        "", "`postgresql://user:password@host/name`; empty is SQLite in the data folder."
    )
    public_url: str = _doc(
        "",
        "Address of this hub as its users see it; empty is `http://host:port`. Used in links for requests whose Host is not allowed.",
    )
    allowed_hosts: tuple[str, ...] = _doc(
        (), "Host names beside loopback and that of `public_url` that may stand in answers' links."
    )
    trusted_proxies: tuple[str, ...] = _doc(
        (), "Addresses or networks of proxies whose X-Forwarded-For, -Proto and -Host are believed."
    )
    tls_cert: Path | None = _doc(None, "Certificate file (PEM); with `tls_key` the server speaks TLS itself.")
    tls_key: Path | None = _doc(None, "Private key file (PEM, PKCS#8) of `tls_cert`.")
    require_sign_in: bool = _doc(
        False, "If on, nothing is readable without signing in, public things included."
    )
    open_sign_up: bool = _doc(
        False, "If on, anyone may create an account; otherwise by invitation or an administrator."
    )
    site_name: str = _doc("Hutch", "Name shown in the pages' head.")
    smtp_url: str = _doc(
        "",
        "`smtp://user:password@host:587?tls=starttls` (or `smtps://`); empty: no mail is sent, an administrator hands out links.",
    )
    mail_from: str = _doc("hutch@localhost", "Sender of mails.")
    max_request_bytes: int = _doc(64 << 20, "Largest body of an ordinary request.")
    max_commit_bytes: int = _doc(
        2 << 30, "Largest body of one commit request (its small files travel inside)."
    )
    max_push_bytes: int = _doc(8 << 30, "Largest pack of one git push.")
    max_fetches: int = _doc(
        16,
        "Clones and fetches that git answers at once, half of them for one user or address; others wait. 0 is no limit.",
    )
    max_file_bytes: int = _doc(1 << 40, "Largest single file.")
    regular_file_bytes: int = _doc(
        10 << 20,
        "Files from this size on go to large-object storage whatever their name; smaller ones by `.gitattributes`.",
    )
    namespace_quota_bytes: int = _doc(0, "Bytes that one namespace may store; 0 is no limit.")
    part_bytes: int = _doc(64 << 20, "Size of a part of a multipart upload.")
    multipart_from_bytes: int = _doc(128 << 20, "Uploads from this size on are sent in parts.")
    signed_url_s: int = _doc(6 * 3600, "How long a signed upload or download address is good.")
    staging_keep_s: int = _doc(7 * 86400, "How long an unfinished upload is kept for resuming.")
    gc: bool = _doc(
        True, "If on, large objects that nobody needs any more are removed each night, as `hutch gc` does."
    )
    gc_grace_s: int = _doc(
        2 * 86400,
        "How long what nobody needs stays, counted from the last time that somebody sent it or was told of it; more than a day.",
    )
    dedupe: bool = _doc(
        False,
        "If on, objects that came by LFS are cut into chunks each night, as `hutch dedupe --all` does, so that what they share is stored once.",
    )
    scrub_round_s: int = _doc(
        30 * 86400,
        "In how long all stored bytes are read and hashed once, a part each night; 0 leaves that to `hutch fsck`.",
    )
    rate_limit_attempts: int = _doc(
        10, "Failed sign-ins for one account and address in five minutes before further ones are refused."
    )
    job_workers: int = _doc(
        2, "Threads of the server that run background jobs; 0 leaves them to `hutch worker`."
    )
    model_memory_bytes: int = _doc(
        0,
        "Memory that loaded models may take together; what was used longest ago is unloaded first. 0 is half of the machine's.",
    )
    model_cache_bytes: int = _doc(
        1 << 30,
        "Memory of each loaded model for what it has read (keys and values), taken at once; it bounds how long a prompt may be.",
    )
    log_level: str = _doc("info", "debug, info, warning or error.")
    fault: str = _doc(
        "",
        "For the torture run only: a fault point (`name`, or `name:n` for its nth passing) at which the server kills itself.",
    )

    @property
    def url(self) -> str:
        """The hub's own address without a trailing slash."""
        scheme = "https" if self.tls_cert else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"{scheme}://{host}:{self.port}").rstrip("/")

    @property
    def secret(self) -> bytes:
        """The key of sessions and signatures: 32 random bytes made at the first start, readable by the owner alone."""
        return _secret(self.data / "secret.key")


HINTS: dict[str, Any] = get_type_hints(Settings)


@cache
def current() -> Settings:
    """The settings of this process, read at the first call."""
    return load(dict(os.environ))


def load(environment: dict[str, str]) -> Settings:
    """Settings from an environment and from `hutch.toml` in its data folder.

    Raises BadRequest naming the setting, for an unknown key or a value that does not parse.
    """
    data = Path(environment.get("HUTCH_DATA", "data")).absolute()
    values: dict[str, Any] = {"data": data}
    for key, value in _file(data / "hutch.toml").items():
        if key == "data":
            raise BadRequest(
                "hutch.toml lies in the data folder and cannot name another", field="data", value=value
            )
        values[key] = _parse(key, value, "hutch.toml")
    for key in HINTS:
        text = environment.get(f"HUTCH_{key.upper()}")
        if text is not None and key != "data":
            values[key] = _parse(key, text, f"HUTCH_{key.upper()}")
    for name in environment:
        if (
            name.startswith("HUTCH_")
            and name.removeprefix("HUTCH_").lower() not in HINTS
            and not name.startswith("HUTCH_TEST_")
        ):
            _log.warning("there is no setting for the variable %s", name)
    settings = replace(Settings(), **values)
    _check(settings)
    return settings


def export(**values: object) -> None:
    """Puts command line options where child processes and `current` find them. None leaves a setting as it is."""
    for key, value in values.items():
        if value is not None:
            os.environ[f"HUTCH_{key.upper()}"] = str(value)
    current.cache_clear()


def child_environment(**more: str) -> dict[str, str]:
    """A clean environment for child processes: the path and the locale, nothing that steers git or Python."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TMPDIR") if key in os.environ}
    return {**kept, **more}


def _file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"{path} is not valid TOML: {error}", field=str(path)) from error


def _parse(key: str, value: Any, source: str) -> Any:
    hint = HINTS.get(key)
    if hint is None:
        known = ", ".join(f.name for f in fields(Settings))
        raise BadRequest(f"{source}: there is no setting {key!r}; known are {known}", field=key)
    try:
        return _convert(hint, value)
    except (ValueError, TypeError) as error:
        raise BadRequest(
            f"{source}: {value!r} does not fit the setting {key}", field=key, value=value
        ) from error


def _convert(hint: Any, value: Any) -> Any:
    if hint is bool:
        words = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        return (
            value
            if isinstance(value, bool)
            else words.get(str(value).lower())
            if str(value).lower() in words
            else _raise()
        )
    if isinstance(value, bool | float | dict) or (isinstance(value, list) and hint != tuple[str, ...]):
        raise TypeError
    if hint is int:
        return int(value) if int(value) >= 0 else _raise()
    if hint is str:
        return str(value)
    if hint == tuple[str, ...]:
        parts = value if isinstance(value, list) else str(value).split(",")
        return tuple(str(part).strip() for part in parts if str(part).strip())
    return Path(value).absolute() if value else None


def _raise() -> None:
    raise ValueError


def _check(settings: Settings) -> None:
    """Raises BadRequest for values that parse but cannot be meant."""
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise BadRequest("tls_cert and tls_key must be set together", field="tls_cert")
    if settings.port > _LAST_PORT:
        raise BadRequest(
            f"port must be at most {_LAST_PORT}", field="port", value=settings.port, limit=_LAST_PORT
        )
    if settings.gc_grace_s <= _LEAST_GRACE_S:
        raise BadRequest(
            f"gc_grace_s must be more than {_LEAST_GRACE_S}: so long a client builds on what it was told",
            field="gc_grace_s", value=settings.gc_grace_s, limit=_LEAST_GRACE_S,
        )  # fmt: skip
    if settings.log_level.lower() not in _LOG_LEVELS:
        raise BadRequest(
            f"log_level must be one of {', '.join(_LOG_LEVELS)}", field="log_level", value=settings.log_level
        )
    for key, text, schemes in (
        ("public_url", settings.public_url, ("http", "https")),
        ("database_url", settings.database_url, ("postgresql", "postgres")),
        ("smtp_url", settings.smtp_url, ("smtp", "smtps")),
    ):
        if text and not _is_url(text, schemes):
            # the address may hold a password, so it is not shown
            raise BadRequest(f"{key} must be an address that begins with {schemes[0]}://", field=key)
    for text in settings.trusted_proxies:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError as error:
            message = f"trusted_proxies: {text!r} is neither an address nor a network"
            raise BadRequest(message, field="trusted_proxies", value=text) from error


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in schemes and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _secret(path: Path) -> bytes:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_suffix(f".{os.getpid()}-{secrets.token_hex(4)}")
        handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(_SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(staged, path)  # the first of two starters wins
        except FileExistsError:
            pass
        os.unlink(staged)
    key = path.read_bytes()
    if len(key) < _SECRET_BYTES:
        raise BadRequest(
            f"{path} holds {len(key)} bytes; a key has {_SECRET_BYTES}", field="secret", limit=_SECRET_BYTES
        )
    return key
