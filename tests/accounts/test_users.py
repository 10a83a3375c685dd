"""Accounts: made, disabled, named once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hutch.accounts import actors, lookup, tokens, users
from hutch.accounts.models import User
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.models import StoredEvent
from hutch.core.permissions import NOBODY, Actor

pytestmark = pytest.mark.django_db
Acting = Callable[..., Actor]


def test_account_is_found_under_its_name_in_any_case(make: Callable[..., User]) -> None:
    made = make("Ann", full_name="Ann A", email="Ann@Example.org")
    assert users.user_by_name("aNN") == made
    card = lookup.namespace_by_name("ANN")
    assert card is not None
    assert (card.name, card.shown_name, card.is_organization, card.holder_id) == (
        "Ann",
        "Ann A",
        False,
        made.pk,
    )
    assert lookup.users_by_emails(["ANN@example.org", "other@example.org"]) == {"ann@example.org": card}


def test_name_is_taken_once_whatever_its_case_and_whoever_has_it(make: Callable[..., User]) -> None:
    from hutch.accounts import organizations

    make("ann")
    organizations.create_organization(actors.operator(), "acme")
    for name in ("ann", "ANN", "Acme"):
        with pytest.raises(Conflict) as refused:
            make(name)
        assert (refused.value.field, refused.value.value) == ("name", name)
    assert User.objects.count() == 1


def test_only_administrators_make_accounts(acting: Acting) -> None:
    acting("ann")
    with pytest.raises(Forbidden):
        users.create_user(acting("ann"), "bob")
    with pytest.raises(Unauthorized):
        users.create_user(NOBODY, "bob")
    assert users.create_user(acting("root", is_admin=True), "bob").username == "bob"


@pytest.mark.parametrize("password", ["short", "password", "12345678", "", "x" * 1001])
def test_weak_password_is_refused_and_never_repeated(make: Callable[..., User], password: str) -> None:
    with pytest.raises(BadRequest) as refused:
        make("ann", password=password)
    assert refused.value.field == "password"
    assert refused.value.value is None
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "nonsense"), ("full_name", "x" * 201), ("full_name", "a\0b"), ("email", "a\0@b.c")],
)
def test_bad_field_is_refused_by_its_name(make: Callable[..., User], field: str, value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        make("ann", **{field: value})
    assert refused.value.field == field


def test_address_belongs_to_one_account(make: Callable[..., User]) -> None:
    make("ann", email="ann@example.org")
    with pytest.raises(Conflict) as refused:
        make("bob", email="ANN@example.org")
    assert refused.value.field == "email"


def test_tokens_of_a_disabled_account_end_at_once_and_do_not_come_back(acting: Acting) -> None:
    acting("ann")
    _, word = tokens.create_token(actors.operator(), "ann", name="t", role="write")
    assert actors.by_token(word).username == "ann"
    users.disable_user(actors.operator(), "ann")
    with pytest.raises(Unauthorized):
        actors.by_token(word)
    users.enable_user(actors.operator(), "ann")
    with pytest.raises(Unauthorized):
        actors.by_token(word)


def test_last_administrator_stays(acting: Acting) -> None:
    root = acting("root", is_admin=True)
    with pytest.raises(Forbidden):
        users.disable_user(actors.operator(), "root")
    with pytest.raises(Forbidden):
        users.set_admin(root, "root", False)
    acting("second", is_admin=True)
    users.set_admin(root, "root", False)
    with pytest.raises(Forbidden):
        users.set_admin(actors.operator(), "second", False)


def test_administrators_cannot_disable_themselves(acting: Acting) -> None:
    acting("second", is_admin=True)
    with pytest.raises(Forbidden):
        users.disable_user(acting("root", is_admin=True), "root")


def test_profile_is_changed_by_its_owner_alone(acting: Acting) -> None:
    ann = acting("ann")
    assert users.change_profile(ann, "ann", full_name=" Ann A ", bio="I\ntrain").full_name == "Ann A"
    with pytest.raises(Forbidden):
        users.change_profile(acting("bob"), "ann", full_name="B")
    with pytest.raises(BadRequest) as refused:
        users.change_profile(ann, "ann", bio="x" * 1001)
    assert refused.value.limit == 1000


def test_unknown_user_is_not_found() -> None:
    with pytest.raises(NotFound):
        users.disable_user(actors.operator(), "nobody-here")


def test_what_happens_to_an_account_is_told(acting: Acting) -> None:
    acting("ann")
    users.disable_user(actors.operator(), "ann")
    told = StoredEvent.objects.order_by("pk").values_list("name", flat=True)
    assert list(told) == ["UserCreated", "UserDisabled"]
    payload = StoredEvent.objects.get(name="UserCreated").payload
    assert payload["username"] == "ann"
