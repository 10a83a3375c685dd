"""Which address a request was sent to, and by whom: what may stand in the answers' absolute links."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from hutch.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Origin:
    """`base_url` has no trailing slash; `client_ip` is the far end, past the trusted proxies."""

    base_url: str
    client_ip: str
    is_secure: bool


def origin(headers: Mapping[str, str], peer_ip: str, scheme: str, settings: Settings) -> Origin:
    """Where a request came from and under which address its answer may link back.

    The Host is believed where it is loopback on any port, in `allowed_hosts` or that of `public_url`; otherwise links
    use `public_url`. Forwarded headers are believed from `trusted_proxies` only. Header names are lower case.
    """
    host = headers.get("host", "")
    client_ip = peer_ip
    if _is_trusted(peer_ip, settings.trusted_proxies):
        scheme = headers.get("x-forwarded-proto", scheme).split(",")[-1].strip()
        host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
        client_ip = _far_end(headers.get("x-forwarded-for", ""), peer_ip, settings.trusted_proxies)
    scheme = scheme if scheme in ("http", "https") else "http"
    base_url = f"{scheme}://{host}" if is_known_host(host, settings) else settings.url
    return Origin(base_url, client_ip, scheme == "https")


def is_known_host(host: str, settings: Settings) -> bool:
    """Whether links may carry this Host header (name and port)."""
    name = host_name(host)
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or _is_loopback(name):
        return True
    return name in {host_name(known) for known in (*settings.allowed_hosts, urlsplit(settings.url).netloc)}


def host_name(host: str) -> str | None:
    """The name inside a Host header, lower case, without port; None if it is malformed."""
    if not host or any(c in host for c in "/\\@?# \t\r\n"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return None
    return parts.hostname


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _is_trusted(ip: str, proxies: tuple[str, ...]) -> bool:
    if not proxies:
        return False
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    return any(address in network for network in _networks(proxies))


def _far_end(forwarded: str, peer_ip: str, proxies: tuple[str, ...]) -> str:
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        if not _is_trusted(hop, proxies):
            return hop
    return peer_ip
