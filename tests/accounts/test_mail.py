"""Where a mail server is set: verified addresses, reset passwords, invitations. With a real one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.hub import PASSWORD, Hub
from tests.accounts.mailbox import Mailbox
from tests.accounts.visitor import Visitor

Visit = Callable[[Hub], Visitor]


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    """The mail server."""
    box = Mailbox()
    yield box
    box.close()


@pytest.fixture(scope="module")
def hub(new_hub: Callable[..., Hub], mailbox: Mailbox) -> Iterator[Hub]:
    """A hub that sends mail and where anyone may sign up."""
    hub = new_hub(
        smtp_url=mailbox.url, mail_from="hub@example.org", open_sign_up="1", site_name="Acme Hub"
    ).start()
    yield hub
    hub.stop()


@pytest.fixture
def cleared(mailbox: Mailbox) -> Mailbox:
    """The mail server, empty."""
    mailbox.mails.clear()
    mailbox.accepts = True
    return mailbox


def link_in(text: str, hub: Hub) -> str:
    match = re.search(rf"{re.escape(hub.url)}(/\S+)", text)
    assert match, text
    return match.group(1)


def sign_up(visitor: Visitor, name: str) -> None:
    visitor.send(
        "/signup", username=name, email=f"{name}@example.org", password1=PASSWORD, password2=PASSWORD
    )


def test_new_account_waits_until_its_address_is_verified(hub: Hub, cleared: Mailbox, visit: Visit) -> None:
    visitor = visit(hub)
    sign_up(visitor, "verifier")
    assert visitor.name() is None
    visitor.sign_in("verifier")
    assert visitor.name() is None
    text = cleared.last_to("verifier@example.org")
    assert text.startswith("[Acme Hub] ")
    visitor.send(link_in(text, hub))
    visitor.sign_in("verifier")
    assert visitor.name() == "verifier"


def test_forgotten_password_is_reset_by_mail_and_no_forged_host_turns_the_link(
    hub: Hub, cleared: Mailbox, visit: Visit
) -> None:
    hub.cli(
        "user",
        "create",
        "forgetful",
        "--email",
        "forgetful@example.org",
        "--password-stdin",
        stdin=PASSWORD + "\n",
    )
    visitor = visit(hub)
    visitor.pose_as("evil.example")
    visitor.send("/password/reset", email="forgetful@example.org")
    text = cleared.last_to("forgetful@example.org")
    assert "evil.example" not in text
    owner = visit(hub)
    owner.send(link_in(text, hub), password1="a whole new one", password2="a whole new one")
    owner.sign_in("forgetful@example.org", "a whole new one")
    assert owner.name() == "forgetful"
    assert 'name="password1"' not in visit(hub).get(link_in(text, hub)).text


def test_reset_tells_nobody_which_addresses_are_known(hub: Hub, cleared: Mailbox, visit: Visit) -> None:
    hub.cli("user", "create", "known", "--email", "known@example.org")
    answers = [
        visit(hub).send("/password/reset", email=address)
        for address in ("known@example.org", "unknown@example.org")
    ]
    assert answers[0].text == answers[1].text
    assert [mail["To"] for mail in cleared.mails] == ["known@example.org"]


def test_invitation_goes_by_mail_and_its_address_counts_as_verified(
    hub: Hub, cleared: Mailbox, visit: Visit
) -> None:
    hub.user("root", "--admin")
    admin, guest = visit(hub), visit(hub)
    admin.sign_in("root")
    admin.send("/admin/users", do="invite", email="invited@example.org")
    link = link_in(cleared.last_to("invited@example.org"), hub)
    guest.send(link, name="invited", email="invited@example.org", password=PASSWORD, password_again=PASSWORD)
    assert guest.name() == "invited"


def test_account_without_an_address_signs_in_all_the_same(hub: Hub, visit: Visit) -> None:
    hub.user("addressless")
    visitor = visit(hub)
    visitor.sign_in("addressless")
    assert visitor.name() == "addressless"


def test_mail_server_that_refuses_is_said_clearly(hub: Hub, cleared: Mailbox, visit: Visit) -> None:
    hub.cli("user", "create", "unlucky", "--email", "unlucky@example.org")
    cleared.accepts = False
    answer = visit(hub).send("/password/reset", email="unlucky@example.org")
    assert answer.status_code == 503
    assert "mail" in answer.text


def test_name_that_is_taken_or_reserved_is_refused_at_sign_up(hub: Hub, visit: Visit) -> None:
    hub.user("Taken")
    for name in ("taken", "api", "a--b"):
        visitor = visit(hub)
        answer = visitor.send(
            "/signup", username=name, email=f"{name}@example.org", password1=PASSWORD, password2=PASSWORD
        )
        assert answer.url.path == "/signup"
        assert 'class="errorlist' in answer.text
