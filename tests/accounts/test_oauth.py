"""The device flow's states that take time, without waiting for them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from hutch.accounts import actors, oauth, tokens, users
from hutch.accounts.models import AccessToken, DeviceGrant, RefreshToken
from hutch.accounts.oauth import OAuthError
from hutch.core import clock
from hutch.core.errors import NotFound, Unauthorized
from hutch.core.permissions import NOBODY, Actor

pytestmark = pytest.mark.django_db
Acting = Callable[..., Actor]


@pytest.fixture
def approved(acting: Acting) -> oauth.Issued:
    """What a device got after ann had approved it."""
    begun = oauth.start("cli", "", "127.0.0.1")
    oauth.decide(acting("ann"), begun.user_code, approve=True)
    return oauth.redeem(begun.device_code, "cli")


def refusal(verb: Callable[..., object], *args: object) -> str:
    with pytest.raises(OAuthError) as refused:
        verb(*args)
    return refused.value.error


def test_expired_code_is_told_so_and_cannot_be_approved(acting: Acting) -> None:
    begun = oauth.start("cli", "", "127.0.0.1")
    DeviceGrant.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    assert refusal(oauth.redeem, begun.device_code, "cli") == "expired_token"
    with pytest.raises(NotFound):
        oauth.decide(acting("ann"), begun.user_code, approve=True)


def test_device_that_waits_between_polls_is_not_slowed_down() -> None:
    begun = oauth.start("cli", "", "127.0.0.1")
    for _ in range(3):
        assert refusal(oauth.redeem, begun.device_code, "cli") == "authorization_pending"
        DeviceGrant.objects.update(polled_at=clock.now() - timedelta(seconds=5))


def test_nobody_approves_nothing() -> None:
    begun = oauth.start("cli", "", "127.0.0.1")
    with pytest.raises(Unauthorized):
        oauth.decide(NOBODY, begun.user_code, approve=True)


def test_refresh_token_works_once_and_its_late_reuse_ends_the_whole_sign_in(approved: oauth.Issued) -> None:
    second = oauth.renew(approved.refresh_token, "cli")
    assert actors.by_token(second.access_token).username == "ann"
    RefreshToken.objects.exclude(used_at=None).update(used_at=clock.now() - timedelta(hours=1))
    assert refusal(oauth.renew, approved.refresh_token, "cli") == "invalid_grant"
    for word in (approved.access_token, second.access_token):
        with pytest.raises(Unauthorized):
            actors.by_token(word)
    assert refusal(oauth.renew, second.refresh_token, "cli") == "invalid_grant"


def test_answer_that_was_lost_may_be_asked_for_again(approved: oauth.Issued) -> None:
    lost = oauth.renew(approved.refresh_token, "cli")
    again = oauth.renew(approved.refresh_token, "cli")
    assert again.access_token != lost.access_token
    assert actors.by_token(again.access_token).username == "ann"


def test_old_access_token_lives_on_for_an_hour_after_a_renewal(approved: oauth.Issued) -> None:
    oauth.renew(approved.refresh_token, "cli")
    old = AccessToken.objects.order_by("pk").first()
    assert old is not None
    assert old.expires_at is not None
    assert old.expires_at <= clock.now() + timedelta(hours=1)
    assert actors.by_token(approved.access_token).username == "ann"


def test_token_of_a_device_ends_by_its_owner_with_all_that_follows(
    approved: oauth.Issued, acting: Acting
) -> None:
    row = AccessToken.objects.get()
    tokens.revoke_token(acting("ann"), "ann", token_id=row.pk)
    assert refusal(oauth.renew, approved.refresh_token, "cli") == "invalid_grant"


def test_disabled_user_renews_nothing(approved: oauth.Issued) -> None:
    users.disable_user(actors.operator(), "ann")
    assert refusal(oauth.renew, approved.refresh_token, "cli") == "invalid_grant"


def test_device_may_sign_itself_out(approved: oauth.Issued) -> None:
    oauth.revoke(approved.access_token)
    with pytest.raises(Unauthorized):
        actors.by_token(approved.access_token)
    assert refusal(oauth.renew, approved.refresh_token, "cli") == "invalid_grant"
    oauth.revoke("hf_unknown")


def test_refresh_token_is_of_no_use_to_another_client_nor_as_an_access_token(approved: oauth.Issued) -> None:
    assert refusal(oauth.renew, approved.refresh_token, "thief") == "invalid_grant"
    with pytest.raises(Unauthorized):
        actors.by_token(approved.refresh_token)


@pytest.mark.parametrize(
    ("scope", "kind"), [("", "write"), ("openid read-repos", "read"), ("write-repos", "write")]
)
def test_scope_narrows_what_the_token_may_do(acting: Acting, scope: str, kind: str) -> None:
    begun = oauth.start("cli", scope, "127.0.0.1")
    oauth.decide(acting("ann"), begun.user_code, approve=True)
    assert actors.by_token(oauth.redeem(begun.device_code, "cli").access_token).token_role == kind


def test_secrets_of_a_sign_in_are_not_kept(approved: oauth.Issued) -> None:
    kept = str([*AccessToken.objects.values(), *RefreshToken.objects.values(), *DeviceGrant.objects.values()])
    assert approved.access_token not in kept
    assert approved.refresh_token not in kept
