"""Checks of what the hub talks to, for `hutch doctor`: database, port, certificate, public address, mail."""

from __future__ import annotations

import ipaddress
import os
import smtplib
import socket
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from hutch.command.findings import Finding
from hutch.command.served import is_served
from hutch.settings import Settings

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

POSTGRES_NEEDED = 150_000
_WAIT_S = 5.0
_RENEW_BEFORE = timedelta(days=14)
_CLOCKS_APART_S = 5.0


def database(settings: Settings) -> Finding:
    """Whether the database is there, whole, new enough and up to date."""
    data = settings.data
    if not settings.database_url and not (data / "hutch.sqlite3").exists():
        return Finding("database", "ok", "SQLite; it will be made at the first start")
    if not data.exists() or data.stat().st_uid != os.geteuid():
        # Opening it would make files that the server's account could not write to.
        return Finding(
            "database", "warn", "not looked at, since the data folder is not yours", "see `folder`"
        )
    from django.db import DatabaseError

    import hutch.boot  # noqa: F401

    try:
        return _state(settings)
    except DatabaseError as error:
        words = " ".join(str(error).split())[:300]
        return Finding("database", "bad", f"cannot be used: {words}", "start it, or set database_url right")


def _state(settings: Settings) -> Finding:
    from django.db import connection

    from hutch.core import database as house

    connection.ensure_connection()
    name = _version()
    if connection.vendor == "postgresql":
        if connection.pg_version < POSTGRES_NEEDED:  # type: ignore[attr-defined]
            return Finding("database", "bad", f"{name} is too old", "upgrade to PostgreSQL 15 or newer")
        apart_s = _clocks_apart_s()
        if apart_s > _CLOCKS_APART_S:
            what = f"{name}; its clock and ours are {apart_s:.0f} s apart"
            return Finding("database", "bad", what, "set both clocks by a time server")
    damage = house.damage()
    if damage:
        return Finding(
            "database", "bad", f"{name}: {damage[0]}", "restore it from a backup (docs/operations.md)"
        )
    waiting, unknown = house.pending()
    if unknown:
        what = f"{name}; it was used by a newer Hutch, which knows {', '.join(unknown[:3])}"
        return Finding("database", "bad", what, "install that version again, or restore an older backup")
    if waiting:
        return Finding(
            "database", "warn", f"{name}; {waiting} migrations wait", "the next start applies them"
        )
    return Finding("database", "ok", f"{name}, up to date")


def _version() -> str:
    from django.db import connection

    sql = "SELECT 'SQLite ' || sqlite_version()" if connection.vendor == "sqlite" else "SHOW server_version"
    with connection.cursor() as cursor:
        cursor.execute(sql)
        told = str(cursor.fetchone()[0])
    return told if connection.vendor == "sqlite" else f"PostgreSQL {told}"


def _clocks_apart_s() -> float:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return float(abs((datetime.now(UTC) - cursor.fetchone()[0]).total_seconds()))


def port(settings: Settings) -> Finding:
    """Whether the port is free, or our own server answers there."""
    place = f"{settings.host} port {settings.port}"
    if is_served(settings.data):
        if _answers(settings):
            return Finding("port", "ok", f"the server of this folder answers at {place}")
        what = f"a server works on this folder, but none answers at {place}"
        return Finding("port", "bad", what, "give the same --host and --port as to it, or look into its log")
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            remedy = "end the program that has it (`ss -ltnp`), or choose another by --port"
            return Finding("port", "bad", f"{place}: {error.strerror}", remedy)
    return Finding("port", "ok", f"{place} is free")


def _answers(settings: Settings) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if settings.tls_cert else 'http'}://{shown}:{settings.port}/health"
    trust = ssl._create_unverified_context()  # noqa: S323 - our own certificate, on our own machine
    return _fetch(url, trust) == ""


def _fetch(url: str, context: ssl.SSLContext | None = None) -> str:
    """Empty if the address answers with success, else why not."""
    try:
        trust = context if url.startswith("https") else None
        with urllib.request.urlopen(url, timeout=_WAIT_S, context=trust):  # noqa: S310 - settings allow http(s) only
            return ""
    except (OSError, ValueError) as error:
        return str(getattr(error, "reason", error))


def tls(settings: Settings) -> Finding:
    """Whether certificate and key fit, hold for a while, and carry the hub's name."""
    if settings.tls_cert is None or settings.tls_key is None:
        return Finding("tls", "ok", "not spoken here (no tls_cert)")
    from hutch.core.errors import BadRequest
    from hutch.server import check_tls

    try:
        check_tls(settings.tls_cert, settings.tls_key)
    except BadRequest as error:
        return Finding("tls", "bad", error.message, "give the chain as tls_cert, and its own key as tls_key")
    if settings.tls_key.stat().st_mode & 0o007:
        return Finding(
            "tls", "bad", f"others can read {settings.tls_key}", f"`chmod o-rwx {settings.tls_key}`"
        )
    return _certificate(settings, settings.tls_cert)


def _certificate(settings: Settings, path: Path) -> Finding:
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(path.read_bytes())[0]
    ends, now = certificate.not_valid_after_utc, datetime.now(UTC)
    what = f"good until {ends:%Y-%m-%d}"
    if ends < now or certificate.not_valid_before_utc > now:
        period = f"good from {certificate.not_valid_before_utc:%Y-%m-%d} to {ends:%Y-%m-%d}: not today"
        return Finding("tls", "bad", period, "renew it, then restart the server")
    if ends < now + _RENEW_BEFORE:
        return Finding("tls", "warn", what, "renew it, then restart the server")
    wanted = urlsplit(settings.public_url).hostname
    names = _names(certificate)
    if wanted and not any(_covers(name, wanted) for name in names):
        remedy = "get a certificate that carries the name of public_url"
        return Finding(
            "tls", "warn", f"{what}, but for {', '.join(names) or 'no name'} and not {wanted}", remedy
        )
    if _is_authority(certificate):
        remedy = "make one with CA:FALSE: see docs/operations.md, TLS"
        return Finding(
            "tls", "warn", f"{what}, but an authority's own: hf_xet refuses it, openssl does not", remedy
        )
    return Finding("tls", "ok", what)


def _is_authority(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except x509.ExtensionNotFound:
        return False


def _names(certificate: Certificate) -> list[str]:
    from cryptography import x509

    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
    return [*extension.get_values_for_type(x509.DNSName), *addresses]


def _covers(name: str, wanted: str) -> bool:
    if name.startswith("*."):
        return wanted.partition(".")[2] == name[2:]
    return name.lower() == wanted.lower()


def address(settings: Settings) -> Finding:
    """Whether the address that stands in links can be right."""
    if not settings.public_url:
        if settings.host in ("0.0.0.0", "::"):  # noqa: S104
            what = f"links for other hosts than loopback lead to {settings.url}"
            return Finding("address", "warn", what, "set public_url to the address that users type")
        return Finding("address", "ok", f"{settings.url} (public_url is not set)")
    url = urlsplit(settings.public_url)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
        what = f"public_url {settings.public_url!r} is not https://NAME or https://NAME:PORT"
        return Finding("address", "bad", what, "a hub stands at the root of a name of its own")
    if url.scheme == "https" and not settings.tls_cert and not settings.trusted_proxies:
        what = f"{settings.public_url}, but neither TLS here nor a trusted proxy"
        return Finding(
            "address", "warn", what, "set tls_cert and tls_key, or trusted_proxies to the proxy's address"
        )
    if not is_served(settings.data):
        return Finding("address", "ok", f"{settings.public_url} (no server runs: not tried)")
    trouble = _fetch(f"{settings.public_url.rstrip('/')}/health", ssl.create_default_context())
    if trouble and _is_loopback(url.hostname):
        what = f"{settings.public_url} does not answer: {trouble}"
        return Finding("address", "bad", what, "public_url names another port or scheme than the server has")
    if trouble:
        what = f"{settings.public_url} does not answer from here: {trouble}"
        return Finding(
            "address", "warn", what, "try it from a user's machine; look at the proxy and the name server"
        )
    return Finding("address", "ok", f"{settings.public_url} answers")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def mail(settings: Settings) -> Finding:
    """Whether the mail server takes us."""
    if not settings.smtp_url:
        return Finding("mail", "ok", "none (no smtp_url): administrators hand out links")
    url = urlsplit(settings.smtp_url)
    if url.scheme not in ("smtp", "smtps") or not url.hostname:
        return Finding("mail", "bad", "smtp_url is not smtp://HOST or smtps://HOST", "see docs/settings.md")
    place = f"{url.hostname}:{url.port or (465 if url.scheme == 'smtps' else 25)}"
    try:
        _greet(settings.smtp_url)
    except (OSError, smtplib.SMTPException) as error:
        return Finding("mail", "bad", f"{place}: {error}", "set smtp_url right, or start the mail server")
    return Finding("mail", "ok", f"{place} takes mail from {settings.mail_from}")


def _greet(address: str) -> None:
    url = urlsplit(address)
    trust = ssl.create_default_context()
    host = url.hostname or ""
    if url.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, url.port or 465, timeout=_WAIT_S, context=trust)
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=_WAIT_S)
    with server:
        if "tls=starttls" in url.query:
            server.starttls(context=trust)
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        server.noop()
