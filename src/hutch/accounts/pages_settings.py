"""A user's own settings: profile, picture, account, access tokens."""

from __future__ import annotations

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hutch.accounts import avatars, forms, lookup, scopes, tokens, users
from hutch.accounts.api import actor_of
from hutch.accounts.entrance import page, signed_in
from hutch.accounts.models import User
from hutch.accounts.profiles import memberships
from hutch.core.permissions import Actor, Grant, require

_form = require_http_methods(["GET", "HEAD", "POST"])
_REPO_ROWS = range(3)


@_form
@signed_in
def profile(request: HttpRequest) -> HttpResponseBase:
    """Full name, about, picture."""
    actor = actor_of(request)
    me = users.user_by_name(actor.username)
    form = forms.Profile(request.POST or None, initial={"full_name": me.full_name, "bio": me.bio})
    saved: User | None = None
    if request.method == "POST" and form.is_valid():
        saved = forms.tried(form, users.change_profile, actor, me.username, **form.cleaned_data)
    if saved:
        messages.success(request, "The profile is saved.")
        return redirect("settings_profile")
    return _profile_page(request, me, form, forms.Avatar())


@require_POST
@signed_in
def picture(request: HttpRequest) -> HttpResponseBase:
    """Another picture, or the drawn one again."""
    actor = actor_of(request)
    if "remove" in request.POST:
        avatars.set_avatar(actor, actor.username, b"")
        return redirect("settings_profile")
    form = forms.Avatar(request.POST, request.FILES)
    if form.is_valid() and save_picture(form, actor, actor.username):
        messages.success(request, "The picture is saved.")
        return redirect("settings_profile")
    me = users.user_by_name(actor.username)
    return _profile_page(request, me, forms.Profile(initial={"full_name": me.full_name, "bio": me.bio}), form)


@require_safe
@signed_in
def account(request: HttpRequest) -> HttpResponseBase:
    """How the user signs in, with the ways to change it."""
    me = users.user_by_name(actor_of(request).username)
    require(actor_of(request), "user.read", users.thing_of(me), see="namespace.view")
    kinds = set(Authenticator.objects.filter(user=me).values_list("type", flat=True))
    return page(
        request, "settings_account", here="account", me=me, has_totp="totp" in kinds, has_passkey="webauthn" in kinds,
        email=EmailAddress.objects.filter(user=me, primary=True).first(), orgs=memberships(me.pk),
    )  # fmt: skip


@_form
@signed_in
def access_tokens(request: HttpRequest) -> HttpResponseBase:
    """The tokens of the user, and a new one, whose value is shown once."""
    actor = actor_of(request)
    form = forms.NewToken(request.POST or None)
    made = None
    if request.method == "POST" and form.is_valid():
        made = _make_token(actor, form, request)
    context: dict[str, Any] = {
        "form": forms.NewToken() if made else form,
        "made": made and {"row": made[0], "word": made[1]},
        "rows": tokens.tokens_of(actor, actor.username),
        "scopes": _scope_choices(actor, request),
        "repo_rows": _REPO_ROWS,
    }
    return page(request, "settings_tokens", here="tokens", status=400 if form.errors else 200, **context)


@require_POST
@signed_in
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponseBase:
    """Ends a token."""
    actor = actor_of(request)
    ended = tokens.revoke_token(actor, actor.username, token_id=token_id)
    messages.success(request, f"The token {ended.name} is revoked.")
    return redirect("settings_tokens")


def save_picture(form: forms.Avatar, actor: Actor, name: str) -> bool:
    """Keeps the uploaded picture; False if it will not do, and then the form says why."""
    content = form.cleaned_data["avatar"].read()
    forms.tried(form, avatars.set_avatar, actor, name, content)
    return not form.errors


def _profile_page(
    request: HttpRequest, me: User, form: forms.Profile, picture_form: forms.Avatar
) -> HttpResponseBase:
    card = lookup.users_by_ids([me.pk])[me.pk]
    status = 400 if form.errors or picture_form.errors else 200
    return page(
        request, "settings_profile", here="profile", me=me, form=form, picture_form=picture_form,
        avatar_url=card.avatar_url(""), has_picture=bool(card.avatar_sha256), status=status,
    )  # fmt: skip


def _make_token(actor: Actor, form: forms.NewToken, request: HttpRequest) -> Any:
    data = form.cleaned_data
    narrow = data["role"] == "fineGrained"
    return forms.tried(
        form, tokens.create_token, actor, actor.username,
        name=data["name"], role=data["role"], expires_at=form.expires_at(), grants=_grants(request) if narrow else (),
    )  # fmt: skip


def _grants(request: HttpRequest) -> list[Grant]:
    """Ticked boxes named `scope` with `org:acme|repo.write`, and rows of repositories."""
    found: dict[str, set[str]] = {}
    for value in request.POST.getlist("scope"):
        entity, _, permission = value.partition("|")
        found.setdefault(entity.lower(), set()).add(permission)
    for row in _REPO_ROWS:
        name = request.POST.get(f"repo_name_{row}", "").strip().lower()
        if name:
            entity = f"{request.POST.get(f'repo_type_{row}', 'model')}:{name}"
            found.setdefault(entity, set()).add(
                request.POST.get(f"repo_permission_{row}", "repo.content.read")
            )
    return [Grant(entity, frozenset(words)) for entity, words in found.items()]


def _scope_choices(actor: Actor, request: HttpRequest) -> list[dict[str, Any]]:
    ticked = set(request.POST.getlist("scope"))
    entities = [(f"user:{actor.username.lower()}", actor.username)]
    for row in memberships(actor.user_id or 0):
        name = row.organization.namespace.name
        entities.append((f"org:{name.lower()}", name))
    return [
        {
            "title": title,
            "boxes": [
                {"value": f"{entity}|{word}", "label": sentence, "ticked": f"{entity}|{word}" in ticked}
                for word, sentence in scopes.offered(entity)
            ],
        }
        for entity, title in entities
    ]
