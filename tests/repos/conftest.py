"""People, organisations and a caller of the JSON API for the tests of repositories."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler

from hutch.accounts import actors
from hutch.accounts.models import Membership, Namespace, Organization, User
from hutch.core.permissions import NOBODY, Actor, Role
from hutch.repos import service
from hutch.repos.lookup import RepoRow

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _data(data_folder: Path) -> None:
    """Each test finds an empty data folder."""


@pytest.fixture
def make_actor() -> Callable[..., Actor]:
    """`make_actor("ann", is_admin=True)`: an account, as whoever is signed in to it."""

    def make(name: str = "", **fields: Any) -> Actor:
        name = name or f"person{next(_numbers)}"
        user = User.objects.create(username=name, namespace=Namespace.objects.create(name=name), **fields)
        return actors.of_user(user)

    return make


@pytest.fixture
def make_org() -> Callable[..., str]:
    """`make_org("acme", ann=Role.ADMIN)`: an organisation with members by name."""

    def make(name: str, **roles: Role) -> str:
        space = Namespace.objects.create(name=name, is_organization=True)
        organization = Organization.objects.create(namespace=space)
        for username, role in roles.items():
            user = User.objects.get(username=username)
            Membership.objects.create(organization=organization, user=user, role=role.value)
        return name

    return make


@pytest.fixture
def again() -> Callable[[Actor], Actor]:
    """The same person's actor, made anew: roles given since count."""
    return lambda actor: actors.of_user(User.objects.get(pk=actor.user_id))


@pytest.fixture
def ann(db: None, make_actor: Callable[..., Actor]) -> Actor:
    return make_actor("ann")


@pytest.fixture
def bob(db: None, make_actor: Callable[..., Actor]) -> Actor:
    return make_actor("bob")


@pytest.fixture
def nobody() -> Actor:
    return NOBODY


@pytest.fixture
def make_repo() -> Callable[..., RepoRow]:
    """`make_repo(ann, "bert", type="dataset", visibility="private")`."""

    def make(actor: Actor, name: str = "", **fields: Any) -> RepoRow:
        wanted = {"type": "model", "name": name or f"repo{next(_numbers)}", **fields}
        return service.create_repo(actor, service.NewRepo(**wanted))

    return make


class Answer:
    """What the API answered."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        return self.headers.get("X-Error-Code")


class Api:
    """Calls Django as the front door would, with an actor put in place of credentials."""

    base_url = "http://hub.test"

    def __init__(self) -> None:
        self._handler = WSGIHandler()

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        actor: Actor = NOBODY,
        content_type: str = "application/json",
    ) -> Answer:
        from hutch.core.addresses import Origin
        from hutch.core.request import Request
        from hutch.core.wires import routing_path

        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        address, _, query = path.partition("?")
        headers = {} if actor.is_nobody else {"authorization": "Bearer of-the-test"}
        scope = {
            "request_headers": headers,
            "raw_path": path.encode(),
            "routing_path": routing_path(path.encode()),
            "origin": Origin(self.base_url, "127.0.0.1", False),
            "request_id": "test",
            "method": method,
        }
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": address,
            "QUERY_STRING": query,
            "SERVER_NAME": "hub.test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "CONTENT_TYPE": content_type,
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(raw),
            "hutch.scope": scope,
        }
        request = Request(environ)
        request.path_info = scope["routing_path"]
        original = actors.identify
        actors.identify = lambda _headers: actor
        try:
            if not actor.is_nobody:
                request.META["HTTP_AUTHORIZATION"] = "Bearer of-the-test"
            response = self._handler.get_response(request)
        finally:
            actors.identify = original
        content = b"".join(response) if response.streaming else response.content
        # not closed: that would end the connection which holds the transaction of the test
        return Answer(response.status_code, dict(response.items()), content)


@pytest.fixture
def api(db: None) -> Api:
    made = Api()
    made._handler.load_middleware()
    return made


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path
