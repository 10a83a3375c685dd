from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.core.addresses import host_name, is_known_host, origin
from hutch.settings import Settings

SETTINGS = Settings(public_url="https://hub.example", allowed_hosts=("hub.internal", "other.example:8443"))
PROXIED = Settings(
    public_url="https://hub.example",
    allowed_hosts=("hub.internal",),
    trusted_proxies=("10.0.0.0/8", "fd00::/8", "127.0.0.1"),
)


def base(host: str, settings: Settings = SETTINGS, **headers: str) -> str:
    return origin({"host": host, **headers}, "192.0.2.1", "http", settings).base_url


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:8000", "127.8.9.1:1", "localhost", "localhost:65535", "LOCALHOST:80",
        "acme.localhost:5", "[::1]", "[::1]:8000", "hub.internal", "hub.internal:9999", "HUB.Internal",
        "other.example", "hub.example:443",
    ],
)  # fmt: skip
def test_known_host_stands_in_links_with_its_port(host: str) -> None:
    assert base(host) == f"http://{host}"


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "localhost.evil.example", "evil.example:8000", "notlocalhost", "hub.example.evil",
        "0.0.0.0",
        "192.168.0.1", "[::2]", "[::1", "::1", "[::1]x", "[evil]", "localhost:", "localhost:99999", "localhost:port",
        "localhost:80:80", "user@localhost", "localhost@evil.example", "localhost/evil", "localhost\\evil",
        "localhost?x",
        "localhost#x", "local host", "localhost\r\nX: y", "localhost\x00", 'x"onload=.localhost', "<b>.localhost",
        "a,localhost", "127.0.0.1, evil.example", "127.1", "0x7f.0.0.1", "löcalhost", "ⅼocalhost", "127.0.0.1.",
        "%6cocalhost",
    ],
)  # fmt: skip
def test_unknown_or_malformed_host_is_replaced_by_the_public_address(host: str) -> None:
    assert base(host) == "https://hub.example"


def test_hub_without_public_address_knows_its_own_host_and_port() -> None:
    settings = Settings(host="192.168.7.7", port=8123)
    assert base("192.168.7.7:8123", settings) == "http://192.168.7.7:8123"
    assert base("evil.example", settings) == "http://192.168.7.7:8123"
    assert base("evil.example", Settings(host="::1", port=8123)) == "http://[::1]:8123"


def test_host_name_is_lower_case_and_bare() -> None:
    assert host_name("HUB.Example:80") == "hub.example"
    assert host_name("[FE80::1]:80") == "fe80::1"
    assert host_name("a b") is None


def test_missing_host_gives_the_public_address() -> None:
    assert origin({}, "192.0.2.1", "http", SETTINGS).base_url == "https://hub.example"


FORWARDED = {
    "host": "backend:8000",
    "x-forwarded-for": "203.0.113.9, 10.0.0.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "hub.internal",
}


def test_forwarded_headers_of_a_trusted_proxy_are_believed() -> None:
    found = origin(FORWARDED, "10.1.2.3", "http", PROXIED)
    assert (found.base_url, found.client_ip, found.is_secure) == ("https://hub.internal", "203.0.113.9", True)


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "", "unix:", "11.0.0.1"])
def test_forwarded_headers_of_anybody_else_are_not(peer: str) -> None:
    found = origin(FORWARDED, peer, "http", PROXIED)
    assert (found.base_url, found.client_ip, found.is_secure) == ("https://hub.example", peer, False)


def test_without_trusted_proxies_nobody_is_believed() -> None:
    found = origin(FORWARDED, "127.0.0.1", "http", SETTINGS)
    assert (found.base_url, found.client_ip, found.is_secure) == ("https://hub.example", "127.0.0.1", False)


def test_forwarded_host_that_is_not_allowed_is_replaced() -> None:
    found = origin({**FORWARDED, "x-forwarded-host": "evil.example"}, "10.1.2.3", "http", PROXIED)
    assert (found.base_url, found.is_secure) == ("https://hub.example", True)


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("6.6.6.6, 203.0.113.9", "203.0.113.9"),  # what the client itself claimed
        ("203.0.113.9, 10.0.0.1, 10.0.0.2", "203.0.113.9"),
        ("203.0.113.9:5511", "203.0.113.9"),
        ("[2001:db8::9]:5511", "2001:db8::9"),
        ("2001:db8::9", "2001:db8::9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, ::ffff:10.0.0.1", "203.0.113.9"),
        ("203.0.113.9, fd00::5", "203.0.113.9"),
        ("10.0.0.9, 10.0.0.8", "10.0.0.9"),
        ("", "10.1.2.3"),
        (" , ,", "10.1.2.3"),
        ("unknown", "10.1.2.3"),
        ("203.0.113.9, <script>, 10.0.0.1", "10.0.0.1"),
    ],
)
def test_client_is_the_last_hop_that_is_no_proxy(forwarded: str, client: str) -> None:
    found = origin({"host": "localhost", "x-forwarded-for": forwarded}, "10.1.2.3", "http", PROXIED)
    assert found.client_ip == client


def test_proxy_that_is_reached_as_ipv4_inside_ipv6_is_trusted() -> None:
    assert origin(FORWARDED, "::ffff:10.1.2.3", "http", PROXIED).client_ip == "203.0.113.9"


@pytest.mark.parametrize(
    ("sent", "secure"),
    [
        ("https", True),
        ("HTTPS", True),
        ("http, https", True),
        ("https, http", False),
        ("ftp", False),
        ("", False),
    ],
)
def test_forwarded_scheme_is_the_nearest_proxys(sent: str, secure: bool) -> None:
    headers = {"host": "localhost", "x-forwarded-proto": sent}
    found = origin(headers, "10.1.2.3", "http", PROXIED)
    assert (found.is_secure, found.base_url) == (secure, f"http{'s' if secure else ''}://localhost")


@given(
    st.dictionaries(
        st.sampled_from(["host", "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto"]),
        st.text(max_size=40),
    )
)
def test_whatever_is_sent_links_are_whole_and_of_a_known_host(headers: dict[str, Any]) -> None:
    for peer in ("10.1.2.3", "192.0.2.1"):
        found = origin(headers, peer, "http", PROXIED)
        if found.base_url != "https://hub.example":
            match = re.fullmatch(r"https?://([A-Za-z0-9._-]+|\[[0-9a-fA-F:.]+\])(:[0-9]+)?", found.base_url)
            assert match is not None
            assert is_known_host(found.base_url.partition("//")[2], PROXIED)
        assert re.fullmatch(r"[0-9a-f:.]+(%[^/]*)?", found.client_ip)
