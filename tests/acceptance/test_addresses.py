"""What stands in absolute links: the request's Host where it may be believed, else the hub's public address."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import Hub, User

PUBLIC = "https://hub.example.org"


class Linked:
    """A hub with two repositories, asked with headers of our choice for something that links back."""

    def __init__(self, hub: Hub, user: User) -> None:
        self.hub, self.user = hub, user
        for name in ("one", "two"):
            self.ask("POST", "/api/repos/create", {"name": name})

    def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Mapping[str, str], dict[str, object]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=30)
        sent = {
            "Authorization": f"Bearer {self.user.token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        connection.request(method, path, json.dumps(body) if body is not None else None, sent)
        answer = connection.getresponse()
        told = dict(answer.getheaders())
        content = answer.read()
        connection.close()
        assert answer.status == 200, content
        return answer.status, {name.lower(): value for name, value in told.items()}, json.loads(content)

    def bases(self, **headers: str) -> set[str]:
        """The beginnings of the addresses in a Link header, a git-lfs batch and a new repository's answer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        _, page, _ = self.ask("GET", "/api/models?limit=1", headers=named)
        asked = {"operation": "upload", "transfers": ["basic"], "objects": [{"oid": "a" * 64, "size": 1}]}
        batch_path = f"/{self.user.name}/one.git/info/lfs/objects/batch"
        _, _, batch = self.ask("POST", batch_path, asked, {**named, "Accept": "application/vnd.git-lfs+json"})
        actions = batch["objects"][0]["actions"]  # type: ignore[index]
        links = [page["link"].split("<")[1], *(action["href"] for action in actions.values())]
        return {"/".join(link.split("/")[:3]) for link in links}


@pytest.fixture(scope="module")
def plain(new_hub: Callable[..., Hub]) -> Iterator[Linked]:
    """A hub that knows its public address, two more names, and trusts no proxy."""
    hub = new_hub(public_url=PUBLIC, allowed_hosts="hub.internal, 192.0.2.7").start()
    yield Linked(hub, hub.user("owner"))
    hub.stop()


@pytest.fixture(scope="module")
def proxied(new_hub: Callable[..., Hub]) -> Iterator[Linked]:
    """The same, behind a proxy on this machine."""
    hub = new_hub(
        public_url=PUBLIC, allowed_hosts="hub.internal", trusted_proxies="127.0.0.0/8, ::1, 10.0.0.1"
    ).start()
    yield Linked(hub, hub.user("owner"))
    hub.stop()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8000", "127.9.9.9:1", "localhost", "localhost:65000", "[::1]:99", "hub.internal", "hub.internal:81",
     "192.0.2.7:8000", "hub.example.org"],
)  # fmt: skip
def test_loopback_on_any_port_and_allowed_hosts_stand_in_links(plain: Linked, host: str) -> None:
    assert plain.bases(Host=host) == {f"http://{host}"}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
     "hub.internal.evil.example", "evil-hub.internal", "192.0.2.8", "127.0.0.1@evil.example",
     "evil.example/127.0.0.1", "[::2]", "127.0.0.1:port", "0", "2130706433"],
)  # fmt: skip
def test_links_use_the_public_address_for_every_other_host(plain: Linked, host: str) -> None:
    assert plain.bases(Host=host) == {PUBLIC}


@pytest.mark.parametrize(
    "name", ["X_Forwarded_Host", "X_Forwarded_Proto", "Forwarded", "X_Original_Host", "X_Host"]
)
def test_forwarded_headers_of_a_stranger_are_not_believed(plain: Linked, name: str) -> None:
    value = {"X_Forwarded_Proto": "https", "Forwarded": "host=evil.example;proto=https"}.get(
        name, "hub.internal"
    )
    assert plain.bases(Host="localhost:7", **{name: value}) == {"http://localhost:7"}


def test_forwarded_headers_of_a_trusted_proxy_are_believed(proxied: Linked) -> None:
    told = proxied.bases(Host="backend", X_Forwarded_Host="hub.internal", X_Forwarded_Proto="https")
    assert told == {"https://hub.internal"}
    assert proxied.bases(Host="localhost", X_Forwarded_Proto="https") == {"https://localhost"}
    # The last one is the proxy's own word; those before it came from its client.
    told = proxied.bases(
        Host="b", X_Forwarded_Host="evil.example, hub.internal", X_Forwarded_Proto="http, https"
    )
    assert told == {"https://hub.internal"}


def test_a_trusted_proxy_that_hands_on_an_unknown_host_gets_links_to_the_public_address(
    proxied: Linked,
) -> None:
    assert proxied.bases(Host="localhost", X_Forwarded_Host="evil.example") == {PUBLIC}
    assert proxied.bases(Host="localhost", X_Forwarded_Proto="javascript") == {"http://localhost"}


def test_a_request_without_host_is_answered_with_the_public_address(plain: Linked) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", plain.hub.port, timeout=30)
    connection.putrequest("GET", "/api/models?limit=1", skip_host=True)
    connection.putheader("Host", "")
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert f"<{PUBLIC}/" in (answer.getheader("Link") or "")


def test_a_client_that_came_by_a_name_of_loopback_goes_on_there(
    plain: Linked, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    endpoint = f"http://localhost:{plain.hub.port}"
    client = Client("current", python_of("current"), home, endpoint, plain.user.token)
    found = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        made = api.create_repo("by-name")
        api.upload_file(path_or_fileobj=b"x" * 100, path_in_repo="w.bin", repo_id=made.repo_id)
        result = [str(made), [each.id for each in api.list_models(author=args["author"], limit=None)]]
        """,
        author=plain.user.name,
    )
    assert found[0] == f"{endpoint}/owner/by-name"
    assert sorted(found[1]) == ["owner/by-name", "owner/one", "owner/two"]


def test_a_hub_on_the_ipv6_loopback_links_to_itself(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub()
    hub.host = "::1"
    hub.start()
    try:
        owner = hub.user("owner")
        connection = http.client.HTTPConnection("::1", hub.port, timeout=30)
        body = json.dumps({"name": "six"})
        headers = {"Authorization": f"Bearer {owner.token}", "Content-Type": "application/json"}
        connection.request("POST", "/api/repos/create", body, headers)
        assert json.loads(connection.getresponse().read())["url"] == f"http://[::1]:{hub.port}/owner/six"
        connection.close()
    finally:
        hub.stop()
