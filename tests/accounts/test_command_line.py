"""`hutch user|org|token`, as processes of their own."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import PASSWORD, Hub
from tests.accounts.visitor import Visitor


@pytest.fixture
def hub(new_hub: Callable[..., Hub]) -> Hub:
    """A hub over an empty folder that nobody has started."""
    return new_hub()


def test_accounts_are_made_before_the_first_start(hub: Hub, visit: Callable[[Hub], Visitor]) -> None:
    assert hub.cli("user", "create", "ann", "--password-stdin", stdin=PASSWORD + "\n") == "ann"
    made = hub.cli_json(
        "user", "create", "_Bot", "--email", "bot@example.org", "--full-name", "The Bot", "--admin"
    )
    assert made == {
        "id": made["id"], "name": "_Bot", "fullName": "The Bot", "email": "bot@example.org",
        "admin": True, "active": True,
    }  # fmt: skip
    assert (
        hub.cli(
            "org", "create", "acme", "--full-name", "Acme", "--member", "ann:owner", "--member", "_bot:member"
        )
        == "acme"
    )
    token = hub.cli("token", "create", "ann", "--name", "laptop", "--role", "write")
    assert re.fullmatch(r"hf_[A-Za-z0-9]{34}", token)
    hub.start()
    try:
        assert Client("current", python_of("current"), hub.data.parent, hub.url, token).call(
            """
            import huggingface_hub as h
            me = h.whoami()
            result = [me["name"], me["orgs"][0]["name"], me["orgs"][0]["roleInOrg"]]
            """
        ) == ["ann", "acme", "admin"]
        somebody = visit(hub)
        somebody.sign_in("ann")
        assert somebody.name() == "ann"
        assert "Set up the first administrator" not in hub.log.read_text()
        # and beside a running server
        assert json.loads(hub.cli("token", "list", "ann", "--json"))["tokens"][0]["lastUsedAt"] is not None
        hub.cli("user", "disable", "ann")
        assert somebody.name() is None
    finally:
        hub.stop()


def test_token_is_imported_revoked_and_listed(hub: Hub) -> None:
    hub.cli("user", "create", "ann")
    assert (
        hub.cli("token", "create", "ann", "--name", "a", "--role", "read", "--value", "hf_mine_1")
        == "hf_mine_1"
    )
    assert (
        hub.cli(
            "token", "create", "ann", "--name", "b", "--role", "write", "--value", "-", stdin="hf_mine_2\n"
        )
        == "hf_mine_2"
    )
    assert [line.split("\t")[1:3] for line in hub.cli("token", "list", "ann").splitlines()] == [
        ["b", "write"],
        ["a", "read"],
    ]
    assert hub.cli("token", "revoke", "ann", "a") == "a"
    assert [row["name"] for row in hub.cli_json("token", "list", "ann")["tokens"]] == ["b"]


def test_accounts_and_organizations_are_renamed_and_deleted(hub: Hub) -> None:
    hub.cli("user", "create", "ann")
    hub.cli("org", "create", "acme", "--member", "ann:admin")
    assert hub.cli_json("user", "rename", "ANN", "anna") == {"name": "anna", "oldName": "ann"}
    assert hub.cli("org", "rename", "acme", "labs") == "labs"
    assert "labs" in hub.run("user", "delete", "anna").stderr  # its last admin
    assert hub.cli("org", "delete", "labs") == "labs"
    assert hub.cli("user", "delete", "anna") == "anna"
    assert hub.cli_json("user", "list") == {"users": []}
    for words in (("user", "rename", "anna", "ann"), ("user", "delete", "anna"), ("org", "delete", "labs")):
        done = hub.run(*words)
        assert (done.returncode != 0, done.stdout, "Traceback" in done.stderr) == (True, "", False)


@pytest.mark.parametrize(
    ("words", "stdin", "sentence"),
    [
        (["user", "create", "api"], "", "reserved"),
        (["user", "create", "a--b"], "", "'--'"),
        (["user", "create", "cat", "--password-stdin"], "short\n", "too short"),
        (["user", "create", "cat", "--password-stdin"], "", "stdin is empty"),
        (["user", "create", "cat", "--email", "nonsense"], "", "e-mail"),
        (["user", "create", "ANN"], "", "taken"),
        (["user", "disable", "cat"], "", "no user 'cat'"),
        (["token", "create", "ann", "--name", "t", "--role", "admin"], "", "admin"),
        (["token", "create", "ann", "--name", "t", "--role", "read", "--value", "secret-word"], "", "hf_"),
        (["token", "revoke", "ann", "t"], "", "no such token"),
        (["org", "create", "acme", "--member", "ann"], "", "USER:ROLE"),
        (["org", "create", "acme", "--member", "ann:king"], "", "king"),
        (["org", "create", "acme", "--member", "cat:read"], "", "no user 'cat'"),
    ],
)
def test_refusal_is_one_sentence_on_stderr_and_nothing_on_stdout(
    annas_hub: Hub, words: list[str], stdin: str, sentence: str
) -> None:
    done = annas_hub.run(*words, stdin=stdin)
    assert done.returncode != 0
    assert done.stdout == ""
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret-word" not in done.stderr


@pytest.fixture(scope="module")
def annas_hub(new_hub: Callable[..., Hub]) -> Hub:
    """A hub that has one account, ann, and is not started."""
    hub = new_hub()
    hub.cli("user", "create", "ann")
    return hub


def test_password_never_stands_in_an_argument(annas_hub: Hub) -> None:
    for command in ("create", "passwd"):
        assert "--password " not in annas_hub.cli("user", command, "--help").replace("--password-stdin", "")
    assert annas_hub.cli("user", "passwd", "ann", stdin=PASSWORD + "\n") == "ann"
    assert annas_hub.cli("user", "passwd", "ann", "--link").startswith("http://127.0.0.1:8000/password/link/")
