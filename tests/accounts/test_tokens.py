"""Access tokens: what they may do, when they end, what is kept of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hutch.accounts import actors, organizations, tokens
from hutch.accounts.models import AccessToken
from hutch.core import clock
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from hutch.core.permissions import NOBODY, Actor, Grant, Role

pytestmark = pytest.mark.django_db
Acting = Callable[..., Actor]


def test_value_of_a_token_is_not_kept(acting: Acting) -> None:
    row, word = tokens.create_token(acting("ann"), "ann", name="laptop", role="read")
    assert word.startswith("hf_")
    assert word[3:].isalnum()
    kept = AccessToken.objects.values().get(pk=row.pk)
    assert word not in str(kept)
    assert kept["hint"].endswith(word[-4:])


def test_two_tokens_are_never_alike(acting: Acting) -> None:
    ann = acting("ann")
    made = {tokens.create_token(ann, "ann", name=str(number), role="read")[1] for number in range(20)}
    assert len(made) == 20


@pytest.mark.parametrize("role", ["read", "fineGrained"])
def test_narrow_token_makes_no_other(acting: Acting, role: str) -> None:
    grants = (
        [Grant("*", frozenset({"user.write", "repo.write", "org.write"}))] if role == "fineGrained" else []
    )
    _, word = tokens.create_token(acting("ann"), "ann", name="t", role=role, grants=grants)
    with pytest.raises(Forbidden):
        tokens.create_token(actors.by_token(word), "ann", name="wider", role="write")


def test_write_token_makes_tokens_of_its_own_user_alone(acting: Acting) -> None:
    acting("bob")
    _, word = tokens.create_token(acting("ann"), "ann", name="t", role="write")
    assert tokens.create_token(actors.by_token(word), "ann", name="second", role="read")[0].kind == "read"
    with pytest.raises(Forbidden):
        tokens.create_token(actors.by_token(word), "bob", name="x", role="read")
    with pytest.raises(Unauthorized):
        tokens.create_token(NOBODY, "ann", name="x", role="read")


def test_expired_token_is_refused(acting: Acting) -> None:
    row, word = tokens.create_token(
        acting("ann"), "ann", name="t", role="read", expires_at=clock.now() + timedelta(days=1)
    )
    assert actors.by_token(word).token_id == row.pk
    AccessToken.objects.filter(pk=row.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    with pytest.raises(Unauthorized) as refused:
        actors.by_token(word)
    assert refused.value.message == "Invalid credentials in Authorization header"


def test_revoked_token_is_refused_and_its_name_is_free_again(acting: Acting) -> None:
    ann = acting("ann")
    _, word = tokens.create_token(ann, "ann", name="t", role="read")
    with pytest.raises(Conflict):
        tokens.create_token(ann, "ann", name="t", role="read")
    tokens.revoke_token(ann, "ann", name="t")
    with pytest.raises(Unauthorized):
        actors.by_token(word)
    tokens.create_token(ann, "ann", name="t", role="read")
    with pytest.raises(NotFound):
        tokens.revoke_token(ann, "ann", name="never was")


def test_read_token_ends_itself_and_no_other(acting: Acting) -> None:
    ann = acting("ann")
    own, word = tokens.create_token(ann, "ann", name="own", role="read")
    other, _ = tokens.create_token(ann, "ann", name="other", role="read")
    with pytest.raises(Forbidden):
        tokens.revoke_token(actors.by_token(word), "ann", token_id=other.pk)
    tokens.revoke_token(actors.by_token(word), "ann", token_id=own.pk)
    with pytest.raises(Unauthorized):
        actors.by_token(word)


def test_last_use_is_kept(acting: Acting) -> None:
    row, word = tokens.create_token(acting("ann"), "ann", name="t", role="read")
    assert row.last_used_at is None
    actors.by_token(word)
    row.refresh_from_db()
    assert row.last_used_at is not None


@pytest.mark.parametrize("value", ["hf_x", "hf_" + "a" * 200, "hf_A_b_9"])
def test_token_of_another_hub_is_imported(acting: Acting, value: str) -> None:
    _, word = tokens.create_token(acting("ann"), "ann", name="t", role="write", value=value)
    assert word == value
    assert actors.by_token(value).username == "ann"
    acting("bob")
    with pytest.raises(Conflict):
        tokens.create_token(actors.operator(), "bob", name="t", role="write", value=value)


@pytest.mark.parametrize(
    "value", ["", "hf_", "x", "hf_a b", "hf_ä", "api_org_x", "hf_a\n", "hf_" + "a" * 201]
)
def test_value_that_is_no_token_is_refused_and_never_repeated(acting: Acting, value: str) -> None:
    with pytest.raises(BadRequest) as refused:
        tokens.create_token(acting("ann"), "ann", name="t", role="write", value=value)
    assert refused.value.field == "value"
    assert refused.value.value is None


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"role": "admin"}, "role"),
        ({"name": ""}, "name"),
        ({"name": "a\0"}, "name"),
        ({"name": "x" * 97}, "name"),
        ({"expires_at": clock.now() - timedelta(days=1)}, "expires_at"),
        ({"grants": [Grant("*", frozenset({"repo.write"}))]}, "permissions"),
    ],
)
def test_bad_field_of_a_token_is_refused_by_its_name(
    acting: Acting, more: dict[str, object], field: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        tokens.create_token(acting("ann"), "ann", **{"name": "t", "role": "read", **more})  # type: ignore[arg-type]
    assert refused.value.field == field


def test_admin_of_an_organization_ends_a_members_token_but_learns_of_no_other(acting: Acting) -> None:
    ann = acting("ann")
    acting("bob"), acting("eve")
    organizations.create_organization(ann, "acme")
    organizations.set_role(acting("ann"), "acme", "bob", Role.READ)
    _, of_bob = tokens.create_token(acting("bob"), "bob", name="t", role="read")
    _, of_eve = tokens.create_token(acting("eve"), "eve", name="t", role="read")
    with pytest.raises(Forbidden):
        tokens.revoke_for_organization(acting("bob"), "acme", of_bob)
    sentences = set()
    for word in (of_eve, "hf_nowhere"):
        with pytest.raises(NotFound) as refused:
            tokens.revoke_for_organization(acting("ann"), "acme", word)
        sentences.add(refused.value.message)
    assert len(sentences) == 1
    assert actors.by_token(of_eve).username == "eve"
    tokens.revoke_for_organization(acting("ann"), "acme", of_bob)
    with pytest.raises(Unauthorized):
        actors.by_token(of_bob)
