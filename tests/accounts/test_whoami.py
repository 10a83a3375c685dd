"""What the real client is told about people and organisations."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.acceptance.clients import Client, ClientFailed
from tests.acceptance.hub import Hub, User


@pytest.fixture
def acme(server: Hub, user: User, unique: Callable[[str], str]) -> str:
    """An organisation of which the user is admin, with a reader."""
    reader, name = unique("reader"), unique("acme")
    server.cli("user", "create", reader, "--full-name", "A Reader")
    server.cli(
        "org",
        "create",
        name,
        "--full-name",
        "Acme",
        "--member",
        f"{user.name}:owner",
        "--member",
        f"{reader}:read",
    )
    return name


def test_client_learns_who_it_is(client: Client, user: User, acme: str) -> None:
    me = client.call("import huggingface_hub as h; result = h.HfApi().whoami()")
    assert (me["type"], me["name"], me["isPro"], me["canPay"], me["periodEnd"]) == (
        "user",
        user.name,
        False,
        False,
        None,
    )
    assert me["auth"]["type"] == "access_token"
    assert me["auth"]["accessToken"]["displayName"] == "test"
    assert me["auth"]["accessToken"]["role"] == "write"
    assert [(org["name"], org["fullname"], org["type"], org["roleInOrg"]) for org in me["orgs"]] == [
        (acme, "Acme", "org", "admin")
    ]
    assert me["orgs"][0]["avatarUrl"].startswith(client.endpoint)


def test_client_without_a_token_or_with_a_wrong_one_is_told_so(client: Client) -> None:
    for token in ("hf_wrong", "hf_"):
        with pytest.raises(ClientFailed) as failed:
            client.signed_in(token).call("import huggingface_hub as h; result = h.HfApi().whoami()")
        assert failed.value.status == 401


def test_overviews_and_members_are_read_by_the_client(client: Client, user: User, acme: str) -> None:
    if client.name == "hub-0.36":
        pytest.skip("this client has no get_organization_overview")
    told = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        me, org = api.get_user_overview(args["me"]), api.get_organization_overview(args["org"])
        members = list(api.list_organization_members(args["org"]))
        result = {
            "me": [me.username, [one.name for one in me.orgs], me.num_followers],
            "org": [org.name, org.fullname, org.num_users],
            "members": [[one.username, one.fullname] for one in members],
            "none": [len(list(found)) for found in (
                api.list_organization_followers(args["org"]), api.list_user_followers(args["me"]),
                api.list_user_following(args["me"]),
            )],
        }
        """,
        me=user.name,
        org=acme,
    )
    assert told["me"] == [user.name, [acme], 0]
    assert told["org"] == [acme, "Acme", 2]
    assert told["members"][0][0] == user.name
    assert told["members"][1][1] == "A Reader"
    assert told["none"] == [0, 0, 0]


def test_members_come_in_pages_that_the_client_follows(
    server: Hub, client: Client, user: User, acme: str
) -> None:
    names = client.call(
        """
        import huggingface_hub as h
        from huggingface_hub.utils import get_session
        url, names = f"{args['url']}/api/organizations/{args['org']}/members?limit=1", []
        while url:
            answer = get_session().get(url)
            answer.raise_for_status()
            names += [one["user"] for one in answer.json()]
            url = answer.links.get("next", {}).get("url")
        result = names
        """,
        url=server.url,
        org=acme,
    )
    assert len(names) == len(set(names)) == 2


def test_unknown_names_are_not_found(client: Client) -> None:
    with pytest.raises(ClientFailed) as failed:
        client.call("import huggingface_hub as h; result = h.HfApi().get_user_overview('no-such-user')")
    assert failed.value.status == 404


def test_login_command_stores_the_token_under_its_name(client: Client, user: User) -> None:
    signed_out = client.signed_in(None)
    done = signed_out.hf("auth", "login", "--token", user.token)
    assert done.returncode == 0, done.stderr
    who = signed_out.hf("auth", "whoami")
    assert user.name in who.stdout
