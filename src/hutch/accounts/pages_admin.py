"""The administrators' page of accounts."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from hutch.accounts import forms, invitations, renaming, users
from hutch.accounts.api import actor_of, base_url
from hutch.accounts.entrance import page, signed_in
from hutch.accounts.models import User
from hutch.accounts.pages_naming import require_typed
from hutch.accounts.pages_orgs import mail_link
from hutch.accounts.permissions import HUB
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.permissions import Actor, require
from hutch.settings import current

_MOST_SHOWN = 500


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def people(request: HttpRequest) -> HttpResponseBase:
    """All accounts: create, invite, disable, hand out links."""
    actor = actor_of(request)
    require(actor, "hub.admin", HUB, see="hub.view")
    create, invite = forms.NewUser(), forms.InviteToHub()
    link: dict[str, str] | None = None
    match request.POST.get("do", "") if request.method == "POST" else "":
        case "create":
            create = forms.NewUser(request.POST)
            link = _create(request, actor, create) if create.is_valid() else None
        case "invite":
            invite = forms.InviteToHub(request.POST)
            link = _invite(request, actor, invite) if invite.is_valid() else None
        case "link":
            link = _password_link(request, actor, request.POST.get("username", ""))
        case "":
            pass
        case what:
            _change(request, actor, what, request.POST.get("username", ""), request.POST.get("value", ""))
            return redirect("admin_users")
    text = request.GET.get("q", "").strip()
    found = User.objects.filter(username__icontains=text) if text else User.objects.all()
    return page(
        request, "admin_users", rows=found.order_by("username")[:_MOST_SHOWN], total=found.count(), text=text,
        create=forms.NewUser() if link else create, invite=forms.InviteToHub() if link else invite, link=link,
        me=actor.user_id, status=400 if create.errors or invite.errors else 200,
    )  # fmt: skip


def _create(request: HttpRequest, actor: Actor, form: forms.NewUser) -> dict[str, str] | None:
    made = forms.tried(form, users.create_user, actor, **form.cleaned_data)
    return _password_link(request, actor, made.username) if made else None


def _invite(request: HttpRequest, actor: Actor, form: forms.InviteToHub) -> dict[str, str]:
    email = form.cleaned_data["email"]
    url = invitations.sign_up_link(actor, email=email, base_url=base_url(request))
    mail_link(email, url, f"{actor.username} invites you to {current().site_name}")
    return {"url": url, "what": "The link by which one person makes an account; it is good for 14 days."}


def _password_link(request: HttpRequest, actor: Actor, username: str) -> dict[str, str] | None:
    try:
        url = invitations.password_link(actor, username, base_url=base_url(request))
    except NotFound as error:
        messages.error(request, error.message)
        return None
    return {"url": url, "what": f"The link by which {username} sets a password; it is good once, for 3 days."}


def _change(request: HttpRequest, actor: Actor, what: str, username: str, value: str) -> None:
    def delete() -> None:
        require_typed(value.strip(), username)
        renaming.delete_user(actor, username)

    verbs = {
        "disable": lambda: users.disable_user(actor, username),
        "enable": lambda: users.enable_user(actor, username),
        "promote": lambda: users.set_admin(actor, username, True),
        "demote": lambda: users.set_admin(actor, username, False),
        "reset-mfa": lambda: users.reset_second_factors(actor, username),
        "rename": lambda: renaming.rename(actor, users.user_by_name(username).username, value.strip()),
        "delete": delete,
    }
    try:
        if what not in verbs:
            raise BadRequest(f"There is nothing called {what!r} to do", field="do", value=what)
        verbs[what]()
        messages.success(request, f"Done for {username}.")
    except (BadRequest, Conflict, Forbidden, NotFound) as error:
        messages.error(request, error.message)
