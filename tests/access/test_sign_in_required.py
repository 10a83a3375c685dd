"""With `require_sign_in` nobody reads anything, public things included, and learns of no name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.hub import Hub
from tests.access.scene import Scene, set_up
from tests.access.table import BROKEN, NOBODY, THINGS, Row, rows

# What a program or a browser needs before anybody has signed in, and what says the same to everybody.
OPEN = {
    "health", "static", "/api/openapi.json", "/api/tasks", "/api/agent-harnesses", "/api/telemetry/{tail:topic}",
    "xet_telemetry",
    "/api/validate-yaml", "oauth_device", "oauth_token", "oauth_revoke", "home", "setup", "invitation", "password_link",
    "settings", "organization_settings",
}  # fmt: skip


@pytest.fixture(scope="module")
def closed(new_hub: Callable[..., Hub]) -> Iterator[Scene]:
    with set_up(new_hub(require_sign_in="1")) as scene:
        yield scene


def is_open(row: Row) -> bool:
    return row.route in OPEN or row.route.startswith(("account_", "mfa_")) or row.address.startswith("/_cas/")


@pytest.mark.parametrize("actor", [NOBODY, *BROKEN])
def test_who_is_nobody_reads_nothing(closed: Scene, actor: str) -> None:
    wrong = []
    for row in (row for row in rows() if not is_open(row) and row.ok != {405}):
        for thing in row.things:
            answer, sent = closed.ask(actor, row, thing)
            to_sign_in = answer.status == 302 and answer.headers["location"].startswith("/login")
            if answer.status not in (401, 404) and not to_sign_in:
                wrong.append(f"{row} on {thing}: {answer.status} {answer.body[:200]!r}")
            told = [f"{mark}-{name}" for name in THINGS for mark in "nif" if f"{mark}-{name}" not in sent]
            wrong += [f"{row} on {thing} tells {word}" for word in told if word.encode() in answer.body]
    assert not wrong, "\n".join(wrong)


def test_names_that_exist_answer_as_those_that_do_not(closed: Scene) -> None:
    nobody = closed.caller(NOBODY)
    for there, absent in (
        ("/api/users/olive/overview", "/api/users/oliva/overview"), ("/olive", "/oliva"), ("/acme", "/acne"),
        ("/api/organizations/acme/members", "/api/organizations/acne/members"), ("/avatars/olive", "/avatars/oliva"),
        ("/api/models/acme/n-orgpublic", "/api/models/acme/x-orgpublic"), ("/acme/n-orgpublic", "/acme/x-orgpublic"),
        ("/acme/n-orgpublic/resolve/main/README.md", "/acme/x-orgpublic/resolve/main/README.md"),
    ):  # fmt: skip
        one, other = nobody("GET", there, Accept="text/html"), nobody("GET", absent, Accept="text/html")
        assert one.status == other.status
        assert one.body.replace(there.encode(), b"") == other.body.replace(absent.encode(), b"")


def test_home_page_of_nobody_shows_the_way_in_and_no_repository(closed: Scene) -> None:
    answer = closed.caller(NOBODY)("GET", "/", Accept="text/html")
    assert answer.status == 200
    assert b"/login" in answer.body
    assert not [name for name in (*THINGS, "acme", "olive") if f"n-{name}".encode() in answer.body]


def test_whoever_is_signed_in_reads_what_is_public(closed: Scene) -> None:
    for actor in ("sam", "olive-nothing", "wim-session"):
        assert closed.caller(actor)("GET", "/acme/n-orgpublic/resolve/main/folder/inside.txt").status == 200
        assert closed.caller(actor)("GET", "/api/models/acme/n-orgprivate").status == (
            200 if "wim" in actor else 404
        )
