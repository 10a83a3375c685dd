"""Pages by which people come in: set-up, invitations, links to a new password, approval of a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.account.models import Login
from allauth.account.views import password_reset as allauth_password_reset
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from hutch.accounts import avatars, forms, identity, invitations, lookup, oauth
from hutch.accounts.api import actor_of
from hutch.accounts.entrance import page, signed_in
from hutch.accounts.invitations import Purpose
from hutch.accounts.models import Invitation, User

_form = require_http_methods(["GET", "HEAD", "POST"])


@_form
@sensitive_post_parameters()
def setup(request: HttpRequest, word: str) -> HttpResponseBase:
    """The first administrator makes the account."""
    invitations.find(word, Purpose.SETUP)
    return _new_account(request, word, "setup", {})


@_form
@sensitive_post_parameters()
def invitation(request: HttpRequest, word: str) -> HttpResponseBase:
    """Somebody invited makes an account, or accepts with the one that is signed in."""
    row = invitations.find(word, Purpose.SIGN_UP, Purpose.ORGANIZATION)
    actor = actor_of(request)
    if row.purpose == Purpose.ORGANIZATION and not actor.is_nobody:
        return _accept(request, word, row)
    if not actor.is_nobody:
        messages.warning(request, "You have an account already; this link is for somebody without one.")
        return redirect("/")
    makes_accounts = invitations.makes_accounts(row)
    if request.method == "POST" and not makes_accounts:
        return HttpResponseRedirect(f"/login?next={request.path}")
    return _new_account(request, word, "invitation", {"invitation": row, "makes_accounts": makes_accounts})


@_form
@sensitive_post_parameters()
def password_link(request: HttpRequest, word: str) -> HttpResponseBase:
    """Somebody sets a new password by a link of an administrator. It does not sign in: a second factor stays asked."""
    row = invitations.find(word, Purpose.PASSWORD)
    form = forms.NewPassword(request.POST or None)
    done: User | None = None
    if request.method == "POST" and form.is_valid():
        done = forms.tried(form, invitations.set_password_by, word, form.cleaned_data["password"])
    if done:
        messages.success(request, "The password is set. Sign in with it.")
        return redirect("account_login")
    return page(request, "password_link", form=form, owner=row.user, status=400 if form.errors else 200)


@_form
@signed_in
def device(request: HttpRequest) -> HttpResponseBase:
    """The user of `hf auth login` approves it."""
    code = request.POST.get("user_code") or request.GET.get("user_code", "")
    form = forms.DeviceCode({"user_code": code} if code else None)
    if not code or not form.is_valid():
        return page(request, "device", form=form, status=400 if code else 200)
    choice = request.POST.get("choice", "")
    actor = actor_of(request)
    if request.method == "POST" and choice in ("approve", "deny"):
        oauth.decide(actor, code, approve=choice == "approve")
        return page(request, "device_done", approved=choice == "approve")
    grant = forms.tried(form, oauth.waiting, actor, code)
    return page(request, "device", form=form, grant=grant, status=200 if grant else 404)


@_form
def password_reset(request: HttpRequest) -> HttpResponseBase:
    """Allauth's page where mail is sent; elsewhere an administrator hands out a link."""
    return allauth_password_reset(request) if identity.sends_mail() else page(request, "ask_admin")


def after_reauthentication(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """One of allauth's pages that ask for the password again, going on by a redirect.

    allauth would run the interrupted POST itself, out of a stored copy of the request that lacks what the front door
    adds to each; the user sends it again instead.
    """

    @wraps(view)
    def resumed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        state = request.session.get(STATE_SESSION_KEY)
        if state and "request" in state:
            del request.session[STATE_SESSION_KEY]
        return view(request, *args, **kwargs)

    return resumed


@require_safe
def avatar(request: HttpRequest, name: str) -> HttpResponse:
    """Somebody's picture."""
    card = lookup.find_namespace(actor_of(request), name)
    content, media_type = avatars.picture(card)
    kept_s = 31536000 if request.GET.get("v") and card.avatar_sha256.startswith(request.GET["v"]) else 300
    return HttpResponse(
        content,
        content_type=media_type,
        headers={
            "Cache-Control": f"private, max-age={kept_s}",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _new_account(request: HttpRequest, word: str, name: str, more: dict[str, object]) -> HttpResponseBase:
    row = more.get("invitation")
    initial = {"email": row.email} if isinstance(row, Invitation) else {}
    form = forms.NewAccount(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = {key: form.cleaned_data[key] for key in ("name", "email", "full_name", "password")}
        user = forms.tried(form, invitations.accept_as_new, word, **data)
        if user is not None:
            return _sign_in(request, user)
    return page(request, name, form=form, status=400 if form.errors else 200, **more)


def _accept(request: HttpRequest, word: str, row: Invitation) -> HttpResponseBase:
    if request.method != "POST":
        return page(request, "accept", invitation=row)
    membership = invitations.accept_as(actor_of(request), word)
    name = membership.organization.namespace.name
    messages.success(request, f"You are a member of {name} now.")
    return redirect(f"/{name}")


def _sign_in(request: HttpRequest, user: User) -> HttpResponseBase:
    record_authentication(request, user, method="password", username=user.username)
    return perform_login(request, Login(user=user, signup=True, redirect_url="/"))
