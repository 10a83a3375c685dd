"""Which address a request was sent to, and by whom: what may stand in the answers' absolute links."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from hutch.settings import Settings

# what may stand in an answer's links: nothing that needs quoting in a header or a page
_HOST = re.compile(r"(?:(?P<name>[A-Za-z0-9._-]+)|\[(?P<v6>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")
_LAST_PORT = 65535
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Origin:
    """`base_url` has no trailing slash; `client_ip` is the far end, past the trusted proxies.

    `host` is what the client itself sent as Host, whether or not links may carry it.
    """

    base_url: str
    client_ip: str
    is_secure: bool
    host: str = ""


def origin(headers: Mapping[str, str], peer_ip: str, scheme: str, settings: Settings) -> Origin:
    """Where a request came from and under which address its answer may link back.

    The Host is believed where it is loopback on any port, in `allowed_hosts` or that of `public_url`; otherwise links
    use `public_url`. Forwarded headers are believed from `trusted_proxies` only. Header names are lower case.
    """
    host = headers.get("host", "")
    client_ip = peer_ip
    if _is_trusted(peer_ip, settings.trusted_proxies):
        scheme = headers.get("x-forwarded-proto", scheme).split(",")[-1].strip().lower()
        host = headers.get("x-forwarded-host", host).split(",")[-1].strip()
        client_ip = _far_end(headers.get("x-forwarded-for", ""), peer_ip, settings.trusted_proxies)
    scheme = scheme if scheme in ("http", "https") else "http"
    base_url = f"{scheme}://{host}" if is_known_host(host, settings) else settings.url
    return Origin(base_url, client_ip, scheme == "https", host)


def is_foreign(headers: Mapping[str, str], origin: Origin) -> bool:
    """Whether a browser says that another site's page made the request: its Origin is not where it was sent to."""
    sent = headers.get("origin")
    if sent is None:
        return headers.get("sec-fetch-site", "") in ("cross-site", "same-site")
    own = {origin.host.lower(), urlsplit(origin.base_url).netloc.lower()}
    return sent.partition("://")[2].lower() not in own


def is_known_host(host: str, settings: Settings) -> bool:
    """Whether links may carry this Host header (name and port)."""
    name = host_name(host)
    if name is None:
        return False
    if name == "localhost" or name.endswith(".localhost") or _is_loopback(name):
        return True
    return name in {host_name(known) for known in (*settings.allowed_hosts, urlsplit(settings.url).netloc)}


def host_name(host: str) -> str | None:
    """The name inside a Host header, lower case, without port or brackets; None if it is malformed."""
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > _LAST_PORT:
        return None
    return (match["name"] or match["v6"]).lower()


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


@lru_cache
def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _is_trusted(ip: str, proxies: tuple[str, ...]) -> bool:
    address = _address(ip) if proxies else None
    return address is not None and any(address in network for network in _networks(proxies))


def _address(text: str) -> Address | None:
    """The address in one hop of X-Forwarded-For, which may come with a port, or as IPv4 inside IPv6."""
    bare = text.removeprefix("[").partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _far_end(forwarded: str, peer_ip: str, proxies: tuple[str, ...]) -> str:
    """The last hop that is no proxy of ours. What stands before a hop that is no address is nobody's word."""
    nearest = peer_ip
    for hop in reversed([part.strip() for part in forwarded.split(",") if part.strip()]):
        address = _address(hop)
        if address is None:
            break
        nearest = str(address)
        if not _is_trusted(hop, proxies):
            break
    return nearest
